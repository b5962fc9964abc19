"""Ticks of an axis: where they stand, and what is written there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from penstock.workflows.reports.scale import Scale, round_values

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STEPS = (  # seconds between ticks of time, and how a tick is written
    *((each, "%H:%M:%S") for each in (1, 2, 5, 10, 15, 30)),
    *((each * 60, "%H:%M") for each in (1, 2, 5, 10, 15, 30)),
    *((each * 3600, "%H:%M") for each in (1, 2, 3, 6)),
    (43200, "%d %b %H:%M"),
    *((each * 86400, "%d %b") for each in (1, 2, 5, 10, 20, 30)),
    *((each * 86400, "%b %Y") for each in (61, 91, 183, 365)),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at a place from 0 to 1 along its axis."""

    place: float
    text: str


def ticks_of(scale: Scale, unit: float = 1.0) -> Iterator[Tick]:
    """Give ticks at round values of a scale, told in so large a unit."""
    for value in scale.ticks():
        yield Tick(scale.place(value), f"{value / unit:g}")


def ticks_between(low: float, high: float, most: int = 7) -> Iterator[Tick]:
    """Give ticks at round values from low to high."""
    for value in round_values(low, high, most):
        yield Tick((value - low) / (high - low), f"{value:g}")


def time_ticks(begin: datetime, end: datetime, most: int = 9) -> Iterator[Tick]:
    """Give ticks at round times of UTC."""
    length = (end - begin).total_seconds()
    step, form = next((each for each in STEPS if length / each[0] <= most), STEPS[-1])
    since = (begin - EPOCH).total_seconds()
    for i in range(math.ceil(since / step), math.floor((since + length) / step) + 1):
        at = EPOCH + timedelta(seconds=i * step)
        yield Tick((i * step - since) / length, f"{at:{form}}" if length >= 1 else f"{at:%H:%M:%S}")


def say_days(begin: datetime, end: datetime) -> str:
    """Say which days (UTC) an axis of time spans.

    >>> say_days(EPOCH, EPOCH + timedelta(days=2))
    '1970-01-01 to 1970-01-03 UTC'
    """
    first, last = (f"{day:%Y-%m-%d}" for day in (begin.astimezone(UTC), end.astimezone(UTC)))
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"
