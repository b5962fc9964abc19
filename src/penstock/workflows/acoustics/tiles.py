"""Tiles for annotation (APLOSE): level z of a sound has `factor^z` pictures of equal length.

`<stem>_<ntiles>_<i>.png`, i from 0. Every frame counts in each level: a column is the mean power (or
the highest) of its frames, so that a short sound is seen in the coarsest level too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.axis import Axis
from penstock.workflows.acoustics.levels import Columns
from penstock.workflows.acoustics.matrix import to_level
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.reports.palette import indexed, palette, robust_range
from penstock.workflows.reports.png import encode
from penstock.workflows.stores.formats import SUFFIXES, open_product
from penstock.workflows.stores.packing import FILL

NAME = re.compile(r"(?P<stem>.+)_(?P<count>\d+)_(?P<index>\d+)\.png")
PART = 1 << 20  # values of a stored matrix read at once


@dataclass(frozen=True, slots=True)
class Canvas:
    """What all tiles of a sound have in common."""

    frames: int
    axis: Axis
    spacing: float
    reference: float
    settings: Settings
    range: tuple[float, float]

    def limits(self, count: int, index: int) -> tuple[int, int]:
        """Give the frames that tile `index` of `count` shows."""
        first, last = (each * self.frames // count for each in (index, index + 1))
        return min(first, self.frames - 1), max(last, first + 1)

    def columns(self, count: int, index: int, lines: int) -> Columns:
        first, last = self.limits(count, index)
        shape = self.settings.tile_width, self.settings.tile_height
        scaled = self.settings.frequency_scale != "linear"
        return Columns(
            last - first,
            lines,
            *shape,
            join=self.settings.tile_join,
            axis=self.axis if scaled else None,
            spacing=self.spacing,
        )

    def png(self, columns: Columns) -> bytes:
        shown = indexed(to_level(columns.mean(), self.reference), *self.range)
        width, height = self.settings.tile_width, self.settings.tile_height
        down, across = (
            np.arange(n) * have // n for n, have in zip((height, width), shown.shape, strict=True)
        )
        return encode(shown[down][:, across], palette(self.settings.colours))


class Pyramid:
    """Makes all tiles of all levels while the frames go by; holds one tile a level."""

    def __init__(self, folder: Path, stem: str, canvas: Canvas, lines: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.stem, self.canvas, self.lines = folder, stem, canvas, lines
        factor = canvas.settings.tile_factor
        self.open = {factor**z: 0 for z in range(canvas.settings.tile_levels)}
        self.columns = {count: canvas.columns(count, 0, lines) for count in self.open}

    def add(self, first: int, power: NDArray[Any]) -> None:
        for count in self.open:
            while self.open[count] < count:
                start, stop = self.canvas.limits(count, self.open[count])
                low, high = max(start, first), min(stop, first + len(power))
                if low < high:
                    self.columns[count].add(low - start, power[low - first : high - first])
                if stop > first + len(power):
                    break
                self._finish(count)

    def _finish(self, count: int) -> None:
        index = self.open[count]
        path = self.folder / f"{self.stem}_{count}_{index}.png"
        path.write_bytes(self.canvas.png(self.columns[count]))
        self.open[count] += 1
        if index + 1 < count:
            self.columns[count] = self.canvas.columns(count, index + 1, self.lines)


def choose_range(power: NDArray[Any], reference: float, settings: Settings) -> tuple[float, float]:
    """Give the range of colours: the chosen one, or one that suits the first frames."""
    return settings.db_range or robust_range(to_level(power, reference))


def draw_tile(product: Path, count: int, index: int, settings: Settings) -> bytes:
    """Draw one tile from the stored matrix, as PNG; the frames of other tiles are not read.

    >>> draw_tile(Path("spectra/a.nc"), 4, 2, settings)                 # doctest: +SKIP
    """
    if not 0 <= index < count:
        raise ValueError(f"there is no tile {index} of {count}; count from 0")
    with open_product(product) as file:
        matrix = file["level"]
        canvas = _stored_canvas(file, settings)
        first, last = canvas.limits(count, index)
        columns = canvas.columns(count, index, matrix.shape[0])
        for start, power in read_power(file, first, last):
            columns.add(start - first, power)
        return canvas.png(columns)


def _stored_canvas(file: Any, settings: Settings) -> Canvas:
    frequencies, reference = file["frequency"][:], float(file.attrs["reference_value"])
    spacing = float(frequencies[1] - frequencies[0])
    axis = Axis.of(settings.frequency_scale, spacing, float(file.attrs["sample_rate"]) / 2)
    frames = file["level"].shape[1]
    _, some = next(read_power(file, 0, min(frames, 2048)))
    return Canvas(frames, axis, spacing, reference, settings, choose_range(some, reference, settings))


def read_power(file: Any, first: int, last: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Read frames of a stored matrix as linear power, a part at a time, each with its first number."""
    matrix = file["level"]
    scale, offset = (float(matrix.attrs[name]) for name in ("scale_factor", "add_offset"))
    reference = float(file.attrs["reference_value"])
    step = max(1, PART // matrix.shape[0])
    for start in range(first, last, step):
        stored = matrix[:, start : min(last, start + step)].T
        level = stored.astype(np.float32) * np.float32(scale) + np.float32(offset)
        power = (10 ** (level / 10) * np.float32(reference**2)).astype(np.float32)
        power[stored == FILL] = np.nan
        yield start, power


def find_tile(folder: Path, name: str, settings: Settings) -> bytes | None:
    """Draw the tile that a name asks for, from the products in a folder; None if there is no such tile."""
    match = NAME.fullmatch(name)
    if match is None or "/" in name:
        return None
    count, index = int(match["count"]), int(match["index"])
    product = next((p for end in SUFFIXES.values() if (p := folder / f"{match['stem']}{end}").exists()), None)
    known = {settings.tile_factor**z for z in range(max(1, settings.tile_levels))}
    if count not in known or index >= count or product is None:
        return None
    return draw_tile(product, count, index, settings)
