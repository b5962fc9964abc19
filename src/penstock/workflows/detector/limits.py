"""Limits of what a pixel's mean and rms may be, from those of all pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

NORMAL = 1.482602218505602  # of a normal distribution, standard deviation / median absolute deviation


def limits(a: NDArray[Any], n_neg: float, n_pos: float, low: float, high: float) -> tuple[float, float]:
    """Give limits from mean m and standard deviation s of all pixels: m − n_neg·s, m + n_pos·s, kept in [low, high].

    A number of deviations that is 0 asks for no limit but `low`, or `high` (the rule of the LCLS tool
    `det_ndarr_data_status`).

    >>> limits(np.array([9.0, 11.0]), 0, 5, 1, 16000)
    (1.0, 15.0)
    """
    m, s = (float(a.mean()), float(a.std())) if a.size else (math.nan, 0.0)
    return _within(m - n_neg * s if n_neg > 0 else low, m + n_pos * s if n_pos > 0 else high, low, high)


def robust_limits(
    a: NDArray[Any], spreads: float, low: float, high: float, *, least: float = 0.0
) -> tuple[float, float]:
    """Give limits `spreads` spreads around the median of all pixels, kept in [low, high].

    The spread is 1.4826 times the median absolute deviation, and at least `least`: what chance alone makes of pixels
    that are all alike.

    >>> robust_limits(np.array([9.0, 10.0, 11.0, 900.0]), 8, 1, 16000, least=1)
    (1.0, 22.3608177480448)
    """
    if not a.size:
        return _within(low, high, low, high)
    middle = float(np.median(a))
    reach = spreads * max(NORMAL * float(np.median(np.abs(a - middle))), least)
    return _within(middle - reach, middle + reach, low, high)


def _within(lower: float, upper: float, low: float, high: float) -> tuple[float, float]:
    return float(min(max(lower, low), high)), float(min(max(upper, low), high))
