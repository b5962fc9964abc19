"""Why a run cannot be processed: something is still to come, or never will.

Incomplete     wait: a file is being written, or is not there yet
Unreadable     for good: another try gives the same
Refused        for good: the map may not be deployed
"""

from __future__ import annotations

from datetime import UTC, datetime


class Incomplete(Exception):
    """A run is not whole yet: `awaited` names the files that are not there, `since` is when it last changed (s, 1970).

    A message is one sentence: the thing, the place, the remedy.
    """

    def __init__(self, why: str, *, since: float, awaited: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.why, self.since, self.awaited = why, since, awaited

    def overdue(self, now: float, patience: float) -> str | None:
        """Say what is wrong when it has not changed for `patience` seconds; None while one may wait.

        >>> Incomplete("r1.h5 is being written", since=0.0).overdue(now=60.0, patience=3600.0)
        """
        if now - self.since < patience:
            return None
        return f"{self.why}; nothing has changed since {say_time(self.since)}"


class Unreadable(Exception):
    """Frames will never be read as they are; the message says why, and what would help."""


class Refused(Exception):
    """A map may not be deployed; the message says why, and what would help."""


def say_time(seconds: float) -> str:
    """Write a time since 1970 as people read it.

    >>> say_time(0)
    '1970-01-01 00:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
