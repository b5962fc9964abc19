"""Values as whole numbers, so that sums of them are exact: in whatever order, in however many parts.

An integer is counted from the middle of the range. A float is rounded to a step of 2⁻⁴⁰ of half the range, which for
float32 from 1 to 16000 is no rounding at all, and of other values is far below what a detector resolves. Squares of
large numbers are kept by halves of 20 bits. All sums are of whole numbers below 2⁵³ in a tile, below 2⁶³ in all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError

Totals = NDArray[np.int64]  # a row a sum, a column a pixel: Σy, Σy²; wide: Σh, Σl, Σh², Σhl, Σl²
HALF = 1 << 20  # y = h · HALF + l
NARROW, WIDE = 16, 40  # bits of |y|
FRAMES = {False: 1 << 30, True: 1 << 22}  # that sums can hold, narrow and wide


@dataclass(frozen=True, slots=True)
class Grid:
    """Whole numbers y for values x: `x = centre + y · step`; `wide` ones do not square within 32 bits."""

    centre: float
    step: float
    wide: bool

    @classmethod
    def over(cls, dtype: np.dtype[Any], low: float, high: float) -> Self:
        """Lay it over the range of values from `low` to `high`. Raises DefinitionError if it is too wide."""
        centre = float(math.floor((low + high) / 2))
        reach = max(high - centre, centre - low, 1e-300)
        bits = math.ceil(math.log2(reach))
        if dtype.kind == "f":
            return cls(centre, 2.0 ** (bits - WIDE), wide=True)
        if bits > WIDE:
            raise DefinitionError(
                f"the range from {low:g} to {high:g} is wider than 2^{WIDE + 1}; narrow int_low … int_high"
            )
        return cls(centre, 1.0, wide=bits > NARROW)

    @property
    def rows(self) -> int:
        """How many sums each pixel has."""
        return 5 if self.wide else 2

    def numbers(self, tile: NDArray[Any]) -> NDArray[np.float64]:
        """Give the whole numbers of a tile, as float64."""
        numbers = np.subtract(tile, self.centre, dtype=np.float64)
        if self.step != 1:
            numbers *= 1 / self.step
            np.rint(numbers, out=numbers)
        return numbers

    def sums(self, numbers: NDArray[np.float64]) -> Totals:
        """Sum whole numbers, and their squares, over the first axis. `numbers` is overwritten."""
        if not self.wide:
            first = numbers.sum(axis=0)
            return np.stack([first, _dots(numbers, numbers)]).astype(np.int64)
        high = np.rint(numbers * (1 / HALF))
        numbers -= high * HALF
        pairs = (high, high), (high, numbers), (numbers, numbers)
        made = [high.sum(axis=0), numbers.sum(axis=0), *(_dots(*pair) for pair in pairs)]
        return np.stack(made).astype(np.int64)

    def mean_and_rms(self, totals: Totals, count: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
        """Give mean and rms about it of `count` values a pixel, both 0 where there are none.

        Sums are moved to whole numbers near the mean first, which is exact; so a constant has the rms 0, whatever it
        is, and the rounding of the rest is relative to the rms, not to the mean (the shifted two-pass algorithm of
        Chan, Golub and LeVeque, 1983, in one pass).
        """
        n = np.maximum(count, 1)
        if self.wide:
            shift, rest, about = _moved_wide(totals, n)
        else:
            shift, rest, about = _moved(totals[0], totals[1], n)
        variance = np.maximum(about - rest * rest / n, 0) / n
        mean = np.where(count > 0, (self.centre + shift * self.step) + rest / n * self.step, 0.0)
        return mean, np.sqrt(variance) * self.step


def _dots(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("ij,ij->j", a, b)


def _moved(first: Any, second: Any, n: Any) -> tuple[NDArray[np.float64], ...]:
    """Give a whole number m near the mean, Σ(y − m), and Σ(y − m)²."""
    m = np.rint(first / n).astype(np.int64)
    rest = first - n * m
    return m.astype(np.float64), rest.astype(np.float64), (second - m * (first + rest)).astype(np.float64)


def _moved_wide(totals: Totals, n: Any) -> tuple[NDArray[np.float64], ...]:
    high, low, high2, both, low2 = totals
    (m, rest, about), (m_low, rest_low, about_low) = _moved(high, high2, n), _moved(low, low2, n)
    cross = both - m.astype(np.int64) * low - m_low.astype(np.int64) * rest.astype(np.int64)
    return (
        m * HALF + m_low,
        rest * HALF + rest_low,
        about * float(HALF) ** 2 + 2.0 * HALF * cross + about_low,
    )
