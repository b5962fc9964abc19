"""The clock, passed to whoever needs the time, so that tests can set it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the engine needs from a clock."""

    def now(self) -> float:
        """UTC seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


def is_ahead(at: float | None, now: float, within: float) -> bool:
    """Whether a wall-clock time is still to come; one that is further ahead than it can be was written by another clock.

    >>> [is_ahead(at, 100.0, within=60.0) for at in (90.0, 150.0, 7300.0)]
    [False, True, False]
    """
    return at is not None and now < at <= now + within


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
