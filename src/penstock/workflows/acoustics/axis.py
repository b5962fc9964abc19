"""The frequency axis of a picture: linear, logarithmic, or in straight parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.bands import band_power, cells

Scale = str | Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """Frequencies (Hz) at heights from 0 to 1, and straight lines or logarithms between."""

    heights: tuple[float, ...]
    frequencies: tuple[float, ...]
    logarithmic: bool = False

    @classmethod
    def of(cls, scale: Scale, lowest: float, top: float) -> Axis:
        """Make the axis up to `top`; a logarithmic one begins at `lowest`.

        `scale` is "linear", "log" or points `[[height, Hz], …]` that straight parts join.

        >>> Axis.of([[0.5, 2000]], 50, 24000).place(2000)
        0.5
        """
        if scale == "linear":
            return cls((0.0, 1.0), (0.0, top))
        if scale == "log":
            return cls((0.0, 1.0), (lowest, top), logarithmic=True)
        points = sorted((float(h), float(f)) for h, f in scale if 0 < h < 1 and f < top)  # type: ignore[misc]
        heights, frequencies = zip((0.0, 0.0), *points, (1.0, top), strict=True)
        if any(b <= a for a, b in pairwise(frequencies)):
            raise ValueError("the points of frequency_scale must rise: [[height, Hz], …], both growing")
        return cls(heights, frequencies)

    @property
    def top(self) -> float:
        return self.frequencies[-1]

    def place(self, frequency: float) -> float:
        """Give the height of a frequency."""
        if self.logarithmic:
            low, top = self.frequencies
            return math.log(max(frequency, low) / low) / math.log(top / low)
        return float(np.interp(frequency, self.frequencies, self.heights))

    def edges(self, rows: int) -> NDArray[np.float64]:
        """Give the frequencies that bound equal rows, lowest first."""
        shares = np.linspace(0, 1, rows + 1)
        if self.logarithmic:
            low, top = self.frequencies
            return low * (top / low) ** shares
        return np.interp(shares, self.heights, self.frequencies)

    def rows(self, power: NDArray[Any], rows: int, spacing: float) -> NDArray[np.float64]:
        """Average lines (last axis) over the rows: each by the share of its cell that lies in the row."""
        borders, edges = cells(power.shape[-1], spacing, self.top), self.edges(rows)
        shares = band_power(np.ones(power.shape[-1]), borders, edges[:-1], edges[1:])
        return band_power(power, borders, edges[:-1], edges[1:]) / shares

    def ticks(self) -> Iterator[float]:
        """Give round frequencies that do not crowd."""
        if self.logarithmic:
            yield from _decades(*self.frequencies)
            return
        last = -1.0
        for low, high in pairwise(self.frequencies):
            share = self.place(high) - self.place(low)
            for value in round_values(low, high, max(1, round(7 * share))):
                if self.place(value) - last > 0.04:
                    last = self.place(value)
                    yield value


def _decades(low: float, top: float) -> Iterator[float]:
    steps = (1, 2, 5) if top / low < 1000 else (1,)
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(top)) + 1):
        yield from (step * 10.0**power for step in steps if low <= step * 10.0**power <= top)


def round_values(low: float, high: float, most: int) -> Sequence[float]:
    """Give at most about `most` round values from low to high."""
    least = (high - low) / most
    power = 10 ** math.floor(math.log10(least))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= least * (1 - 1e-9))
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
