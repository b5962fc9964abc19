"""Who works on a campaign."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.host import Process, hostname


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lease."""

    process: Process
    command: str
    since: float
    expires: float

    @property
    def host(self) -> str:
        return self.process.host

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self, now: float) -> bool:
        """Whether it still counts: dead on this host ends it at once, else its expiry."""
        return not self.process.dead and now < self.expires

    def counts_beside_claims(self, now: float) -> bool:
        """Whether it still counts where the claim has been released: for a process that we cannot see, that decides."""
        return self.alive(now) and self.process.seen_from(hostname())

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"`penstock {self.command}`, process {self.pid} on {self.host}, since {since:%Y-%m-%d %H:%M:%S} UTC"


def last_turn(db: sqlite3.Connection) -> float | None:
    """Return when the last turn ended, to half a minute; None before the first one."""
    return db.execute("SELECT turned FROM lease").fetchone()[0]


def holder(db: sqlite3.Connection) -> Holder | None:
    """Return who has the lease, running or not; None when it was released."""
    row = db.execute("SELECT * FROM lease").fetchone()
    if row is None or row["pid"] is None:
        return None
    space = row["space"] if "space" in row.keys() else None  # noqa: SIM118 - a row has its values, not its names
    process = Process(row["host"], row["boot"], row["pid"], row["start"], space)
    return Holder(process, row["command"], row["since"], row["expires"])
