"""A clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable


class ManualClock:
    """A clock that stands still until it is slept on or set.

    `stride` is the least number of seconds that a sleep takes: a conductor that looks a hundred times a second
    gets through hours of pretended work quickly with a stride of 60. `watchers` are called whenever time has passed.

    >>> clock = ManualClock(now=1000.0)
    >>> clock.sleep(2.5)
    >>> clock.now(), clock.monotonic(), clock.slept
    (1002.5, 2.5, [2.5])
    """

    def __init__(self, now: float = 1_600_000_000.0, *, stride: float = 0.0) -> None:
        self.wall, self.since_start, self.stride = now, 0.0, stride
        self.slept: list[float] = []
        self.watchers: list[Callable[[], None]] = []

    def now(self) -> float:
        """UTC seconds since 1970."""
        return self.wall

    def monotonic(self) -> float:
        """Seconds since the clock was made; `turn` and `sleep` move them, `set` does not."""
        return self.since_start

    def sleep(self, seconds: float) -> None:
        """Go on at once, so many seconds later."""
        self.slept.append(seconds)
        self.turn(max(seconds, self.stride))

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.since_start += seconds
        for watcher in self.watchers:
            watcher()

    def set(self, now: float) -> None:
        """Set the wall clock, as an administrator may; it can go back."""
        self.wall = now
