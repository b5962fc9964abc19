"""How often each level occurs at each frequency: spectral probability density and percentiles.

(Merchant et al. 2013, J. Acoust. Soc. Am. 133, EL262.) Levels are counted as the matrix stores them,
so that counts of different files are of one grid and add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.matrix import FILL, Quantiser

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
LINES = 1024  # looked at together: with many lines, what is made on the way is larger than the counts
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
                "make the spectrograms again with one step_db"
            )
        first = min(self.first, other.first)
        last = max(each.first + each.counts.shape[1] for each in (self, other))
        counts = np.zeros((len(self.counts), last - first), np.int64)
        for each in (self, other):
            counts[:, each.first - first :][:, : each.counts.shape[1]] += each.counts
        return Counts(first, self.width, self.shift, counts)

    def density(self) -> NDArray[np.float64]:
        """Give the probability per dB of each level at each frequency."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.counts / (self.counts.sum(axis=1, keepdims=True) * self.width)

    def percentiles(self, wanted: Sequence[float] = PERCENTILES) -> NDArray[np.float64]:
        """Give the levels below which so many per cent of the frames lie: a row each, NaN without frames."""
        parts = [
            self._percentiles(self.counts[i : i + LINES], wanted) for i in range(0, len(self.counts), LINES)
        ]
        return np.concatenate(parts, axis=1)

    def _percentiles(self, counts: NDArray[Any], wanted: Sequence[float]) -> NDArray[np.float64]:
        upto = np.zeros((len(counts), counts.shape[1] + 1), np.int64)
        np.cumsum(counts, axis=1, out=upto[:, 1:])
        return np.array([self._percentile(upto, each) for each in wanted])

    def _percentile(self, upto: NDArray[np.int64], wanted: float) -> NDArray[np.float64]:
        """Find the bin that holds the rank; levels lie evenly in it."""
        lines, rank = np.arange(len(upto)), wanted / 100 * upto[:, -1]
        place = np.clip((upto < rank[:, None]).sum(axis=1), 1, upto.shape[1] - 1)
        before = upto[lines, place - 1]
        inside = (rank - before) / np.maximum(1, upto[lines, place] - before)
        levels = (self.first + place - 1.5 + inside) * self.width + self.shift
        return np.where(upto[:, -1] > 0, levels, np.nan)


class LevelCounter:
    """Counts stored levels as they are written, in bins of a whole number of their steps (about 1 dB)."""

    def __init__(self, lines: int, quantiser: Quantiser) -> None:
        self.steps = max(1, round(1 / quantiser.step))
        self.width = self.steps * quantiser.step
        self.size = max(2, round(SPAN / self.width))
        self._origin = round(quantiser.offset / quantiser.step)
        self.first = (self._origin + 128) // self.steps - self.size // 2
        self.shift = (self.steps - 1) / 2 * quantiser.step
        self.counts = np.zeros((lines, self.size), np.uint32)
        self._starts = np.arange(LINES, dtype=np.intp) * self.size

    def add(self, stored: NDArray[np.int16]) -> None:
        """Count frames (rows) of stored levels; a frame without data counts nowhere."""
        missing = stored[:, 0] == FILL
        if missing.any():
            stored = stored[~missing]
        place = stored + (self._origin if self.steps > 1 else self._origin - self.first)
        if self.steps > 1:
            np.floor_divide(place, self.steps, out=place)
            place -= self.first
        if place.size and (place.min() < 0 or place.max() >= self.size):
            np.clip(place, 0, self.size - 1, out=place)
        for first in range(0, place.shape[1], LINES):
            some = place[:, first : first + LINES]
            found = np.bincount(
                (some + self._starts[: some.shape[1]]).reshape(-1), minlength=some.shape[1] * self.size
            )
            self.counts[first : first + LINES] += found.reshape(-1, self.size).astype(np.uint32)

    def found(self) -> Counts:
        return Counts(self.first, self.width, self.shift, self.counts)


def read_counts(file: Any) -> Counts | None:
    """Read the counts of one product, an open HDF5 file."""
    if "level_count" not in file:
        return None
    made = file["level_count"]
    attributes = (made.attrs[name] for name in ("first_bin", "bin_width", "bin_shift"))
    first, width, shift = attributes
    return Counts(int(first), float(width), float(shift), made[:].T)
