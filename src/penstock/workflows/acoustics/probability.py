"""How often each level occurs at each frequency: spectral probability density and percentiles.

(Merchant et al. 2013, J. Acoust. Soc. Am. 133, EL262.) Levels are counted as the matrix stores them,
so that counts of different files are of one grid and add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.stores.packing import FILL, Quantiser

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
LINES = 1024  # looked at together: with many lines, what is made on the way is larger than the counts
MOST_FRAMES = (1 << 32) - 1
GROWTH = 16  # bins that are made at once
SPAN = 256.0  # dB about the first median; what lies beyond is counted at the ends


@dataclass(frozen=True, slots=True)
class Counts:
    """`counts[line, bin]`; bin j is about the level `(first + j) · width + shift`."""

    first: int
    width: float
    shift: float
    counts: NDArray[Any]

    def levels(self) -> NDArray[np.float64]:
        """Give the centres of the bins, dB."""
        return (self.first + np.arange(self.counts.shape[1])) * self.width + self.shift

    def trimmed(self) -> Counts:
        """Leave out bins at the ends that nothing fell into."""
        used = np.flatnonzero(self.counts.any(axis=0))
        if not len(used):
            return Counts(self.first, self.width, self.shift, self.counts[:, :1])
        kept = self.counts[:, used[0] : used[-1] + 1]
        return Counts(self.first + int(used[0]), self.width, self.shift, kept)

    def __add__(self, other: Counts) -> Counts:
        if (self.width, self.shift) != (other.width, other.shift):
            raise ValueError(
                f"levels are counted in steps of {self.width:g} and {other.width:g} dB; "
                "redo the spectrograms with one step_db"
            )
        counts = self.reaching(other)
        counts.counts[:, other.first - counts.first :][:, : other.counts.shape[1]] += other.counts
        return counts

    def reaching(self, other: Counts) -> Counts:
        """Give the same with room for the levels and the number of another; it is this one if there is room."""
        first = min(self.first, other.first)
        last = max(each.first + each.counts.shape[1] for each in (self, other))
        kind = np.uint32 if self.frames() + other.frames() <= MOST_FRAMES else np.int64
        if (first, last) == (self.first, self.first + self.counts.shape[1]) and self.counts.dtype == kind:
            return self
        counts = np.zeros((len(self.counts), last - first), kind)
        counts[:, self.first - first :][:, : self.counts.shape[1]] = self.counts
        return Counts(first, self.width, self.shift, counts)

    def frames(self) -> int:
        """Give the number of frames, those of the line that has most."""
        return max(
            (int(part.counts.sum(axis=1, dtype=np.int64).max()) for _, part in self.parts()), default=0
        )

    def parts(self) -> Iterator[tuple[int, Counts]]:
        """Give some lines after the other, each part with the number of its first."""
        for i in range(0, len(self.counts), LINES):
            yield i, replace(self, counts=self.counts[i : i + LINES])

    def joined(self, edges: NDArray[np.int64]) -> Counts:
        """Join neighbouring lines, from each edge to the one after; as many as edges, but for one."""
        counts = [self.counts[a:b].sum(axis=0, dtype=np.int64) for a, b in pairwise(edges)]
        return Counts(self.first, self.width, self.shift, np.array(counts))

    def density(self) -> NDArray[np.float64]:
        """Give the probability per dB of each level at each frequency."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.counts / (self.counts.sum(axis=1, keepdims=True, dtype=np.int64) * self.width)

    def percentiles(self, wanted: Sequence[float] = PERCENTILES) -> NDArray[np.float64]:
        """Give the levels below which so many per cent of the frames lie: a row each, NaN without frames."""
        return np.concatenate([part._percentiles(part.counts, wanted) for _, part in self.parts()], axis=1)

    def _percentiles(self, counts: NDArray[Any], wanted: Sequence[float]) -> NDArray[np.float64]:
        upto = np.zeros((len(counts), counts.shape[1] + 1), np.int64)
        np.cumsum(counts, axis=1, out=upto[:, 1:])
        return np.array([self._percentile(upto, each) for each in wanted])

    def _percentile(self, upto: NDArray[np.int64], wanted: float) -> NDArray[np.float64]:
        """Find the bin that holds the rank; levels lie evenly in it."""
        lines, rank = np.arange(len(upto)), wanted / 100 * upto[:, -1]
        place = np.clip((upto >= rank[:, None]).argmax(axis=1), 1, upto.shape[1] - 1)
        before = upto[lines, place - 1]
        inside = (rank - before) / np.maximum(1, upto[lines, place] - before)
        levels = (self.first + place - 1.5 + inside) * self.width + self.shift
        return np.where(upto[:, -1] > 0, levels, np.nan)


class LevelCounter:
    """Counts stored levels as they are written, in bins of a whole number of their steps (about 1 dB).

    There are as many bins as are needed, within SPAN about the first median.
    """

    def __init__(self, lines: int, quantiser: Quantiser) -> None:
        self.steps = max(1, round(1 / quantiser.step))
        self.width = self.steps * quantiser.step
        size = max(2, round(SPAN / self.width))
        self._origin = round(quantiser.offset / quantiser.step)
        middle = (self._origin + 128) // self.steps
        self._limits = middle - size // 2, middle - size // 2 + size
        self.shift = (self.steps - 1) / 2 * quantiser.step
        self.first, self.counts, self._frames = middle, np.zeros((lines, 0), np.uint16), 0

    def add(self, stored: NDArray[np.int16]) -> None:
        """Count frames (rows) of stored levels; a frame without data counts nowhere."""
        missing = stored[:, 0] == FILL
        if missing.any():
            stored = stored[~missing]
        if not stored.size:
            return
        low, high = (min(max((int(each) + self._origin) // self.steps, self._limits[0]), self._limits[1] - 1)
                     for each in (stored.min(), stored.max()))  # fmt: skip
        self._reach(low, high, len(stored))
        place = stored.astype(np.int32) if self.steps > 1 else stored
        place = place + np.int32(self._origin - (self.first if self.steps == 1 else 0))
        if self.steps > 1:
            np.floor_divide(place, self.steps, out=place)
            place -= self.first
        np.clip(place, 0, self.counts.shape[1] - 1, out=place)
        self._count(place)

    def _reach(self, low: int, high: int, frames: int) -> None:
        """Make room for bins from `low` to `high` and for so many more frames."""
        self._frames += frames
        kind = np.uint16 if self._frames < 1 << 16 else np.uint32
        first, last = self.first, self.first + self.counts.shape[1]
        if not self.counts.shape[1] or low < first or high >= last or self.counts.dtype != kind:
            wanted = min(low, first), max(high + 1, last)
            below = max(self._limits[0], wanted[0] - wanted[0] % GROWTH)
            above = min(self._limits[1], wanted[1] + -wanted[1] % GROWTH)
            counts = np.zeros((len(self.counts), above - below), kind)
            counts[:, first - below : last - below] = self.counts
            self.first, self.counts = below, counts

    def _count(self, place: NDArray[np.int32]) -> None:
        size = self.counts.shape[1]
        starts = np.arange(min(LINES, place.shape[1]), dtype=np.intp) * size
        for first in range(0, place.shape[1], LINES):
            some = place[:, first : first + LINES]
            count = some.shape[1]
            found = np.bincount((some + starts[:count]).reshape(-1), minlength=count * size)
            self.counts[first : first + LINES] += found.reshape(-1, size).astype(self.counts.dtype)

    def found(self) -> Counts:
        """Give the counts; of no frames, a bin of zeros."""
        if not self.counts.shape[1]:
            self._reach(self.first, self.first, 0)
        return Counts(self.first, self.width, self.shift, self.counts)


def read_counts(file: Any) -> Counts | None:
    """Read the counts of one product, an open HDF5 file."""
    if "level_count" not in file:
        return None
    made = file["level_count"]
    attributes = (made.attrs[name] for name in ("first_bin", "bin_width", "bin_shift"))
    first, width, shift = attributes
    return Counts(int(first), float(width), float(shift), made[:].T)
