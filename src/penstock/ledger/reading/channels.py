"""What became of the notices of each channel."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from penstock.display import count, show_time

SHOWN_S = 86_400.0  # what was sent longer ago is no news


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel: what it was sent last, and what could not be sent."""

    name: str
    sent: int
    """How many notices of the last ninety days."""
    last_kind: str | None
    last_sent: float | None
    waiting: int
    """Notices that are still to be sent."""
    given_up: int
    """Notices that could not be sent for a day."""
    since: float | None
    """Since when the newest of those that were tried cannot be sent, why, and when it is tried again."""
    why: str | None
    due: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def notes(self, now: float) -> Iterator[str]:
        """Yield what a person should know of it."""
        if self.why and self.since is not None:
            then = f"; tried again at {show_time(self.due, now=now)} UTC" if self.due else ""
            what = count(self.waiting or self.given_up, "notice")
            since = show_time(self.since, now=now)
            yield f"! {what} cannot be sent by {self.name} since {since} UTC: {self.why}{then}"
        elif self.last_sent and now - self.last_sent < SHOWN_S:
            yield f"{self.name} was last told at {show_time(self.last_sent, now=now)} UTC: {self.last_kind}"


def channel_states(db: sqlite3.Connection) -> Iterator[ChannelState]:
    """Yield what became of the notices of each channel of the definition."""
    for (name,) in db.execute("SELECT DISTINCT channel FROM listener ORDER BY channel").fetchall():
        sent, waiting, given_up = db.execute(
            "SELECT count(sent), count(*) FILTER (WHERE message IS NULL OR due IS NOT NULL),"
            " count(*) FILTER (WHERE sealed IS NOT NULL AND due IS NULL AND sent IS NULL)"
            " FROM notice WHERE channel = ?",
            (name,),
        ).fetchone()
        kind, at = db.execute(
            "SELECT kind, sent FROM notice WHERE channel = ? AND sent IS NOT NULL"
            " UNION ALL SELECT NULL, NULL ORDER BY sent DESC",
            (name,),
        ).fetchone()
        since, why, due = db.execute(
            "SELECT sealed, why, due FROM notice WHERE channel = ? AND sent IS NULL AND tries > 0 AND sealed > ?"
            " UNION ALL SELECT NULL, NULL, NULL ORDER BY sealed DESC",
            (name, at or 0.0),
        ).fetchone()
        yield ChannelState(name, sent, kind, at, waiting, given_up, since, why, due)
