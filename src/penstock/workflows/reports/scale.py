"""Where values stand along an axis: linear, logarithmic, or in straight parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

Form = str | Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Values at heights from 0 to 1, and straight lines or logarithms between."""

    heights: tuple[float, ...]
    values: tuple[float, ...]
    logarithmic: bool = False

    @classmethod
    def of(cls, form: Form, lowest: float, top: float) -> Self:
        """Make the scale up to `top`; a logarithmic one begins at `lowest`, the others at 0.

        `form` is "linear", "log" or points `[[height, value], …]` that straight parts join.

        >>> Scale.of([[0.5, 2000]], 50, 24000).place(2000)
        0.5
        """
        if form == "linear":
            return cls((0.0, 1.0), (0.0, top))
        if form == "log":
            return cls((0.0, 1.0), (lowest, top), logarithmic=True)
        if isinstance(form, str):
            raise ValueError(f"{form!r} is not a scale: choose linear, log, or points [[height, value], …]")
        points = sorted((float(h), float(v)) for h, v in form if 0 < h < 1 and v < top)
        heights, values = zip((0.0, 0.0), *points, (1.0, top), strict=True)
        if any(b <= a for a, b in pairwise(values)):
            raise ValueError("the points of a scale must rise: [[height, value], …], both growing")
        return cls(heights, values)

    @property
    def top(self) -> float:
        """The value at height 1."""
        return self.values[-1]

    def place(self, value: float) -> float:
        """Give the height of a value."""
        if self.logarithmic:
            low, top = self.values
            return math.log(max(value, low) / low) / math.log(top / low)
        return float(np.interp(value, self.values, self.heights))

    def edges(self, rows: int) -> NDArray[np.float64]:
        """Give the values that bound equal rows, lowest first."""
        shares = np.linspace(0, 1, rows + 1)
        if self.logarithmic:
            low, top = self.values
            return low * (top / low) ** shares
        return np.interp(shares, self.heights, self.values)

    def ticks(self) -> Iterator[float]:
        """Give round values that do not crowd."""
        if self.logarithmic:
            yield from _decades(*self.values)
            return
        last = -1.0
        for low, high in pairwise(self.values):
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
    """Give at most about `most` round values from low to high.

    >>> round_values(41, 83, 7)
    [50.0, 60.0, 70.0, 80.0]
    """
    least = (high - low) / most
    power = 10 ** math.floor(math.log10(least))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= least * (1 - 1e-9))
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
