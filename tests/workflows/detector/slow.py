"""The pixel status written as the formulas say it, value by value, in exact fractions: nothing is shared with the source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any


def statistics(values: Sequence[Any], low: float, high: float) -> dict[str, Any]:
    """Give what the formulas need of one pixel's values in time."""
    numbers = [value for value in values if value == value]
    inside = [Fraction(value) for value in numbers if low <= value <= high]
    count = len(inside)
    mean = sum(inside, Fraction(0)) / count if count else Fraction(0)
    variance = sum(((each - mean) ** 2 for each in inside), Fraction(0)) / count if count else Fraction(0)
    return {
        "mean": float(mean),
        "rms": math.sqrt(variance),
        "above": sum(value > high for value in numbers) / len(values),
        "below": (sum(value < low for value in numbers) + len(values) - len(numbers)) / len(values),
        "max": max(numbers, default=math.nan),
        "min": min(numbers) if len(numbers) == len(values) else math.nan,
    }


def classic_status(found: Sequence[dict[str, Any]], chosen: Any) -> list[int]:
    """Give the status of every pixel from its statistics."""
    rms_min, rms_max = bounds(
        [p["rms"] for p in found], chosen.rms_n_neg, chosen.rms_n_pos, chosen.rms_low, chosen.rms_high
    )
    mean_min, mean_max = bounds(
        [p["mean"] for p in found], chosen.mean_n_neg, chosen.mean_n_pos, chosen.mean_low, chosen.mean_high
    )
    return [
        (1 if p["rms"] > rms_max else 0)
        + (2 if p["above"] > chosen.fraction_high else 0)
        + (4 if p["below"] > chosen.fraction_low else 0)
        + (8 if p["rms"] < rms_min else 0)
        + (16 if p["mean"] > mean_max else 0)
        + (32 if p["mean"] < mean_min else 0)
        + (64 if p["max"] > mean_max else 0)
        + (128 if not p["min"] >= mean_min else 0)
        for p in found
    ]


def bounds(
    values: Sequence[float], n_neg: float, n_pos: float, low: float, high: float
) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    lower = mean - n_neg * deviation if n_neg > 0 else low
    upper = mean + n_pos * deviation if n_pos > 0 else high
    return min(max(lower, low), high), min(max(upper, low), high)
