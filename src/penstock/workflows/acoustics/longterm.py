"""The long-term average: mean of linear power per time bin, over all recordings.

Recordings hand over sums and counts, so that the mean over any set of bins is
`Σ sums / Σ counts`: it is the same whatever the width of the bins and the number that is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.axis import Axis
from penstock.workflows.acoustics.formats import open_product, plain
from penstock.workflows.acoustics.matrix import SECONDS_1970, Store, to_level
from penstock.workflows.acoustics.pictures import Panel, draw
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.timeline import Span, choose_width, edges_over, is_multiple, moment, seconds

SAME = (
    *("sample_rate", "nfft", "hop", "window", "scaling", "reference", "calibration", "calibration_factor"),
    *("bin_seconds", "resampled", "filter", "normalised", "legacy"),
)
MOST_VALUES = 100_000_000  # bins × lines held in memory


@dataclass(frozen=True, slots=True)
class Average:
    """Sums over time bins; a row a bin. `edges` are their borders, seconds since 1970."""

    edges: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    totals: NDArray[np.float64]
    frames: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frames)

    def mean(self) -> NDArray[np.float64]:
        """Give the mean power of each bin; NaN where nothing was recorded."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.totals / self.frames[:, None]

    def whole(self) -> NDArray[np.float64]:
        """Give the mean power over everything."""
        return self.totals.sum(axis=0) / max(1, self.frames.sum())

    def coverage(self) -> NDArray[np.float64]:
        """Give the recorded share of each bin, 0…1."""
        return np.minimum(self.seconds / np.diff(self.edges), 1.0)

    def grouped(self, count: int) -> Average:
        """Join neighbouring bins, the same number each, into at most `count`; the last may reach past the end."""
        size, widths = -(-len(self) // count), np.diff(self.edges)
        starts = np.arange(0, len(self), size)
        even = np.allclose(widths, widths[0])
        last = self.edges[starts[-1]] + size * widths[0] if even else self.edges[-1]
        edges = np.append(self.edges[starts], last)
        parts = (np.add.reduceat(each, starts, axis=0) for each in (self.totals, self.frames, self.seconds))
        return Average(edges, self.frequencies, *parts)

    def columns(self, count: int) -> NDArray[np.int64]:
        """Say which bin each column of a picture shows, columns being equal stretches of time."""
        widths = np.diff(self.edges)
        if np.allclose(widths, widths[0]):
            return np.arange(len(self))
        centres = self.edges[0] + (np.arange(count) + 0.5) / count * (self.edges[-1] - self.edges[0])
        return np.searchsorted(self.edges, centres, side="right") - 1


def average(paths: Sequence[Path], width: float | str | None = None) -> tuple[Average, dict[str, Any]]:
    """Add up the sums of all products; give them with the attributes that the products share.

    `width` is in seconds, or "day", "month" or "whole".
    """
    common, span = _agree(paths)
    base = float(common["bin_seconds"])
    width = width or choose_width(span, base)
    fixed = 86400.0 if width in ("day", "month") else base if isinstance(width, str) else width
    if not is_multiple(fixed, base):
        raise ValueError(f"ltas_bin is {fixed:g} s; it must be a multiple of bin, which is {base:g} s")
    edges = np.array(edges_over(span, width, base))
    frequencies = _frequencies(paths[0])
    count = len(edges) - 1
    if count * len(frequencies) > MOST_VALUES:
        raise ValueError(f"ltas_bin = {fixed:g} s gives {count} bins; choose a longer one, as {fixed * 10:g}")
    totals, frames, inside = np.zeros((count, len(frequencies))), np.zeros(count, np.int64), np.zeros(count)
    made = Average(edges, frequencies, totals, frames, inside)
    for path in paths:
        _add(made, path)
    return made, common


def _add(made: Average, path: Path) -> None:
    with open_product(path) as file:
        starts, frames = file["bin"][:], file["bin_frames"][:]
        places = np.searchsorted(made.edges, starts + 1e-6, side="right") - 1
        np.add.at(made.seconds, places, file["bin_seconds"][:])
        kept = frames > 0
        np.add.at(made.frames, places[kept], frames[kept])
        np.add.at(made.totals, places[kept], file["bin_total"][:][kept])


def _frequencies(path: Path) -> NDArray[np.float64]:
    with open_product(path) as file:
        return file["frequency"][:]


def _agree(paths: Sequence[Path]) -> tuple[dict[str, Any], Span]:
    """Give the attributes of the first product and the time that all span, having checked that all agree."""
    common: dict[str, Any] = {}
    limits: list[tuple[float, float]] = []
    for path in paths:
        with open_product(path) as file:
            common = common or {name: plain(value) for name, value in file.attrs.items()}
            for name in SAME:
                _refuse_other(name, plain(file.attrs[name]), common[name], (path, paths[0]))
            limits.append(_limits(file))
    begins, ends = zip(*limits, strict=True)
    return common, Span(min(begins), max(ends))


def _refuse_other(name: str, value: Any, expected: Any, paths: tuple[Path, Path]) -> None:
    if value != expected:
        raise ValueError(
            f"{paths[0].name} has {name} = {value} and {paths[1].name} has {expected}; "
            "they cannot be averaged: make the spectrograms again with one setting"
        )


def _limits(file: Any) -> tuple[float, float]:
    begin = seconds(datetime.fromisoformat(plain(file.attrs["begin"])))
    return begin, begin + float(file.attrs["duration_seconds"])


def write(made: Average, common: dict[str, Any], path: Path, sources: int) -> None:
    """Write the average as NetCDF: levels in dB, NaN for gaps, with coverage and counts.

    The attribute `bin_seconds` is the width of the first bin; months differ.
    """
    reference = float(common["reference_value"])
    begins = {"units": SECONDS_1970, "standard_name": "time", "long_name": "begin of the bin, UTC"}
    with Store(path) as store:
        store.dimension("time", made.edges[:-1], calendar="standard", **begins)
        store.dimension("frequency", made.frequencies, units="Hz", standard_name="sound_frequency")
        decibel = {"units": "dB", "reference": common["reference"]}
        mean = "level of the mean power in the bin"
        store.variable(
            "level", ("time", "frequency"), to_level(made.mean(), reference), long_name=mean, **decibel
        )
        whole = "level of the mean power over all frames"
        store.variable(
            "psd_level", ("frequency",), to_level(made.whole(), reference), long_name=whole, **decibel
        )
        store.variable(
            "coverage", ("time",), made.coverage(), units="1", long_name="recorded share of the bin"
        )
        store.variable("frames", ("time",), made.frames, units="1", long_name="frames in the bin")
        kept = {name: common[name] for name in (*SAME, "Conventions", "noise_bandwidth_hz", "overlap")}
        store.describe(kept | {"bin_seconds": float(np.diff(made.edges)[0]), "recordings": sources})


def picture(made: Average, common: dict[str, Any], path: Path, settings: Settings, title: str) -> None:
    """Draw the average; several bins may share a column, each by the number of its frames."""
    drawn = made.grouped(settings.picture_width)
    top, spacing = float(common["sample_rate"]) / 2, float(made.frequencies[1])
    axis, power = Axis.of(settings.frequency_scale, spacing, top), drawn.mean()
    if settings.frequency_scale != "linear":
        power = axis.rows(power, settings.picture_height, spacing)
    level = to_level(power, float(common["reference_value"]))
    panel = Panel(
        levels=level[drawn.columns(settings.picture_width)].T,
        top=top,
        axis=axis,
        begin=moment(float(drawn.edges[0])),
        end=moment(float(drawn.edges[-1])),
        title=title,
        unit=f"dB re {common['reference']}",
    )
    draw(panel, path, colours=settings.colours, db_range=settings.db_range)
