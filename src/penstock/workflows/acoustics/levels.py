"""Sums of power, kept while the frames go by: per time bin, per picture column, over all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.axis import Axis
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins


@dataclass(frozen=True, slots=True)
class BinSum:
    """The linear power of the frames whose centre lies in one bin: `total / frames` is their mean."""

    place: int
    total: NDArray[np.float64]
    frames: int


class BinSums:
    """Adds frames up per time bin; a bin is handed out once frames have gone past it.

    A frame belongs to the bin that holds its centre. `lead` is the time from the begin of the
    first bin to the first sample.
    """

    def __init__(self, transform: Transform, bins: Bins, lead: float) -> None:
        self.transform, self.bins, self.lead = transform, bins, lead
        lines = len(transform.frequencies())
        self.total, self.frames = np.zeros(lines), 0
        self._place, self._sum, self._count = 0, np.zeros(lines), 0

    def add(self, first: int, power: NDArray[Any]) -> Iterator[BinSum]:
        """Add frames, of which the first is frame number `first`; give the bins that are complete."""
        if not len(power):
            return
        centres = self.lead + self.transform.times(len(power), first)
        places = np.clip((centres / self.bins.width).astype(np.int64), 0, self.bins.count - 1)
        borders = np.flatnonzero(np.diff(places, prepend=-1))
        for start, stop in zip(borders, [*borders[1:], len(power)], strict=True):
            yield from self._move_to(int(places[start]))
            self._put(power[start:stop])

    def set_aside(self, power: NDArray[Any]) -> None:
        """Add frames to the mean over all, and to no bin."""
        kept = power[np.isfinite(power.sum(axis=1))]
        self.total += kept.sum(axis=0, dtype=np.float64)
        self.frames += len(kept)

    def close(self) -> Iterator[BinSum]:
        """Give the last bin."""
        yield from self._move_to(self._place + 1)

    def mean(self) -> NDArray[np.float64]:
        """Give the mean power over all frames; NaN if there is none."""
        return self.total / self.frames if self.frames else np.full_like(self.total, np.nan)

    def _put(self, power: NDArray[Any]) -> None:
        good = np.isfinite(power.sum(axis=1))
        kept = power if good.all() else power[good]
        self._sum += kept.sum(axis=0, dtype=np.float64)
        self._count += len(kept)

    def _move_to(self, place: int) -> Iterator[BinSum]:
        if place == self._place:
            return
        self.total += self._sum
        self.frames += self._count
        if self._count:
            yield BinSum(self._place, self._sum, self._count)
        self._place, self._sum, self._count = place, np.zeros_like(self._sum), 0


class Columns:
    """Adds frames up into the columns and rows of a picture, so that each frame and line counts.

    Column `frame · width // frames`, row `line · height // lines`; a narrow input keeps its own size.
    With an `axis`, rows are as it says, each the mean of its lines. `join` is "mean", or "max" for the
    highest power of the frames.
    """

    def __init__(
        self,
        frames: int,
        lines: int,
        width: int,
        height: int,
        *,
        join: str = "mean",
        axis: Axis | None = None,
        spacing: float = 1.0,
    ) -> None:
        self.frames, self.axis, self.spacing = frames, axis, spacing
        self.join = np.add if join == "mean" else np.maximum
        self.width, self.height = min(width, frames), min(height, lines) if lines > height * 1.5 else lines
        self._rows = np.searchsorted(np.arange(lines) * self.height // lines, np.arange(self.height))
        self._row_sizes = np.diff(self._rows, append=lines).astype(np.float32)
        self.height = height if axis else self.height
        self._sums = np.zeros((self.width, self.height))
        self._counts = np.zeros(self.width)

    def add(self, first: int, power: NDArray[Any]) -> None:
        good = np.isfinite(power.sum(axis=1))
        numbers = np.arange(first, first + len(power))
        if not good.all():
            power, numbers = power[good], numbers[good]
        if not len(power):
            return
        places = numbers * self.width // self.frames
        borders = np.flatnonzero(np.diff(places, prepend=-1))
        if self.axis is None and self.height < power.shape[1]:
            power = self._in_rows(power)
        joined = power if len(borders) == len(power) else self.join.reduceat(power, borders, axis=0)
        if self.axis:
            joined = self.axis.rows(joined, self.height, self.spacing)
        filled = places[borders]
        if filled[-1] - filled[0] == len(filled) - 1:  # no frame is missing: slices are faster
            filled = slice(filled[0], filled[-1] + 1)
        self._sums[filled] = self.join(self._sums[filled], joined)
        self._counts[filled] += np.diff(borders, append=len(places))

    def _in_rows(self, power: NDArray[Any]) -> NDArray[Any]:
        if self.join is np.maximum:
            return np.maximum.reduceat(power, self._rows, axis=1)
        return np.add.reduceat(power, self._rows, axis=1) / self._row_sizes

    def mean(self) -> NDArray[np.float32]:
        """Give the power, a row a picture row (lowest frequency first); NaN where no frame is."""
        divisor = self._counts if self.join is np.add else np.where(self._counts > 0, 1.0, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.divide(self._sums, divisor[:, None], dtype=np.float32, casting="same_kind").T
