"""What is kept of each pixel while frames pass: exact, so that parts of a run merge to what one pass gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.detector.gates import Gates
from penstock.workflows.detector.grid import FRAMES, Grid, Totals

TILE = 1 << 17  # values that are worked on at once: they fit into a core's cache, as float64 too


@dataclass(slots=True)
class Sums:
    """Sums over frames, per pixel; pixels are in one axis, `shape` is the detector's.

    `add` frames in any order and any parts, and `merge` parts: the result is the same, bit for bit, since all is
    counts, extremes and whole numbers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    grid: Grid
    gates: Gates
    frames: int
    below: NDArray[np.int64]  # events below the gate, or no number
    above: NDArray[np.int64]
    least: NDArray[Any]  # of all events, no number if one was none
    most: NDArray[Any]  # of all numbers
    totals: Totals

    @classmethod
    def empty(
        cls, shape: tuple[int, ...], dtype: np.dtype[Any], gates: Gates, *, low: float, high: float
    ) -> Self:
        """Begin with no frames; values from `low` to `high` may be in a gate."""
        grid, pixels = Grid.over(dtype, low, high), len(gates.low)
        ends = (np.inf, np.nan) if dtype.kind == "f" else (np.iinfo(dtype).max, np.iinfo(dtype).min)
        least, most = (np.full(pixels, end, dtype) for end in ends)
        below, above = np.zeros(pixels, np.int64), np.zeros(pixels, np.int64)
        totals = np.zeros((grid.rows, pixels), np.int64)
        return cls(shape, dtype, grid, gates, 0, below, above, least, most, totals)

    def add(self, frames: NDArray[Any]) -> None:
        """Add frames (frames × the detector's shape)."""
        rows = frames.reshape(len(frames), -1)
        self._hold(len(rows))
        together = min(len(rows), 1 << 12)
        width = max(64, TILE // max(1, together))
        for first in range(0, len(rows), together or 1):
            for start in range(0, rows.shape[1], width):
                self._add_tile(rows[first : first + together, start : start + width], start)

    def _hold(self, more: int) -> None:
        self.frames += more
        if self.frames > FRAMES[self.grid.wide]:
            raise DefinitionError(
                f"more than {FRAMES[self.grid.wide]} frames of {self.dtype} cannot be summed"
            )

    def _add_tile(self, tile: NDArray[Any], start: int) -> None:
        some = slice(start, start + tile.shape[1])
        low, high = self.gates.low[some], self.gates.high[some]
        least, most = tile.min(axis=0), np.fmax.reduce(tile, axis=0)
        np.minimum(self.least[some], least, out=self.least[some])
        np.fmax(self.most[some], most, out=self.most[some])
        numbers = self.grid.numbers(tile)
        odd = np.flatnonzero(~((least >= low) & (most <= high)))
        if len(odd):
            self._leave_out(tile, numbers, odd, start)
        self.totals[:, some] += self.grid.sums(numbers)

    def _leave_out(self, tile: NDArray[Any], numbers: NDArray[Any], odd: NDArray[Any], start: int) -> None:
        """Count what is outside of the gates of odd pixels, and make it 0 among the numbers."""
        values, where = tile[:, odd], odd + start
        below, above = ~(values >= self.gates.low[where]), values > self.gates.high[where]
        self.below[where] += np.count_nonzero(below, axis=0)
        self.above[where] += np.count_nonzero(above, axis=0)
        numbers[:, odd] = np.where(below | above, 0.0, numbers[:, odd])

    def merge(self, other: Sums) -> None:
        """Add all that another part holds. Raises DefinitionError if it is of another detector or other gates."""
        for what, mine, theirs in self._unlike(other):
            raise DefinitionError(f"parts of unlike {what} cannot be merged: {mine} and {theirs}")
        self._hold(other.frames)
        self.below += other.below
        self.above += other.above
        np.minimum(self.least, other.least, out=self.least)
        np.fmax(self.most, other.most, out=self.most)
        self.totals += other.totals

    def _unlike(self, other: Sums) -> list[tuple[str, Any, Any]]:
        pairs = [(what, getattr(self, what), getattr(other, what)) for what in ("shape", "dtype", "grid")]
        found = [each for each in pairs if each[1] != each[2]]
        for end in ("low", "high"):
            mine, theirs = getattr(self.gates, end), getattr(other.gates, end)
            if not found and not np.array_equal(mine, theirs):
                at = int(np.flatnonzero(mine != theirs)[0])
                found.append((f"gates ({end} of pixel {at})", mine[at], theirs[at]))
        return found

    @property
    def inside(self) -> NDArray[np.int64]:
        """Events within the gate."""
        return self.frames - self.below - self.above

    def mean_and_rms(self) -> tuple[NDArray[np.float64], ...]:
        """Give mean and rms of the events within the gate; both 0 where there are none."""
        return self.grid.mean_and_rms(self.totals, self.inside)
