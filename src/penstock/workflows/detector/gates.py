"""The gate of each pixel: which of its values go into its mean and its rms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError

TRIMMED = 0.1  # of a pixel's values at each end say nothing about its spread
LEAST_STEP = 1 / math.sqrt(12)  # spread of a whole number that is rounded
TILE = 1 << 16  # values of a sample that are sorted at once


@dataclass(frozen=True)
class Gates:
    """The lowest and the highest value of each pixel that count, inclusive, in the type of the data."""

    low: NDArray[Any]  # (pixels)
    high: NDArray[Any]

    @classmethod
    def same(cls, dtype: np.dtype[Any], pixels: int, low: float, high: float) -> Self:
        """Give all pixels the same gate."""
        bounds = _up(np.array([low]), dtype), _down(np.array([high]), dtype)
        return cls(*(np.broadcast_to(each, (pixels,)) for each in bounds))

    @classmethod
    def around(cls, sample: NDArray[Any], low: float, high: float, *, spreads: float) -> Self:
        """Set gates by frames (frames × pixels): `spreads` spreads around the median of each pixel, in [low, high].

        The spread is that of the inner four fifths of a pixel's values, which a flash does not reach, but at least
        that of most pixels, and of rounding to whole numbers.
        """
        middle, spread = _middles(sample)
        least = LEAST_STEP if sample.dtype.kind in "iu" else 0.0
        reach = spreads * np.maximum(spread, max(float(np.median(spread)), least))
        bounds = (np.clip(each, low, high) for each in (middle - reach, middle + reach))
        lower, upper = (np.nan_to_num(each, nan=low) for each in bounds)
        return cls(_up(lower, sample.dtype), _down(upper, sample.dtype))


def _middles(sample: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the median and the spread of each pixel; a pixel without numbers has the spread 0."""
    frames, pixels = sample.shape
    cut = int(TRIMMED * frames)
    width = 2 * NormalDist().inv_cdf((frames - cut - 0.375) / (frames + 0.25)) or 1.0  # Blom, 1958
    middle, spread = np.empty(pixels), np.empty(pixels)
    kind = np.float32 if sample.itemsize < 4 else sample.dtype  # numpy sorts these faster than short integers
    step = max(1, TILE // frames)
    for start in range(0, pixels, step):
        some = slice(start, start + step)
        ranked = np.sort(np.ascontiguousarray(sample[:, some].T, dtype=kind), axis=1).astype(np.float64)
        middle[some] = (ranked[:, (frames - 1) // 2] + ranked[:, frames // 2]) / 2
        spread[some] = (ranked[:, frames - 1 - cut] - ranked[:, cut]) / width
    return middle, np.nan_to_num(spread, nan=0.0, posinf=0.0, neginf=0.0)


def _up(bounds: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give the least values of a type that are not below bounds."""
    if dtype.kind == "f":
        made = bounds.astype(dtype)
        return np.where(made < bounds, np.nextafter(made, np.array(np.inf, dtype)), made)
    if bounds.max() > np.iinfo(dtype).max:
        raise DefinitionError(f"no value of {dtype} reaches int_low = {bounds.max():g}; lower it")
    return _whole(np.ceil(bounds), dtype)


def _down(bounds: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        made = bounds.astype(dtype)
        return np.where(made > bounds, np.nextafter(made, np.array(-np.inf, dtype)), made)
    if bounds.min() < np.iinfo(dtype).min:
        raise DefinitionError(f"every value of {dtype} is above int_high = {bounds.min():g}; raise it")
    return _whole(np.floor(bounds), dtype)


def _whole(bounds: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give bounds in an integer type; those that it does not reach are its own ends."""
    limits = np.iinfo(dtype)
    inside = np.clip(bounds, float(limits.min), float(limits.max))
    top = inside >= float(limits.max)  # a float may round the largest integers up
    return np.where(top, limits.max, np.where(top, 0, inside).astype(dtype)).astype(dtype)
