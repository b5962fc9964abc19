"""Who drives the campaign: one conductor at a time, and no unlocking by hand."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from penstock.clock import Clock
from penstock.errors import Held, LedgerError
from penstock.host import Process, this_process
from penstock.ledger import FILE, FOLDER, Ledger, connect, explained

LASTS_S = 120.0


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

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"`penstock {self.command}`, process {self.pid} on {self.host}, since {since:%Y-%m-%d %H:%M:%S} UTC"


def holder(db: sqlite3.Connection) -> Holder | None:
    """Return who has the lease, living or not; None when it was given back."""
    row = db.execute("SELECT host, boot, pid, start, command, since, expires FROM lease").fetchone()
    if row is None or row["pid"] is None:
        return None
    process = Process(row["host"], row["boot"], row["pid"], row["start"])
    return Holder(process, row["command"], row["since"], row["expires"])


def acquire(ledger: Ledger, *, command: str, clock: Clock) -> int:
    """Take the lease and return its epoch; raises Held if a living conductor has it."""
    me, now = this_process(), clock.now()
    with ledger.transaction() as db:
        other = holder(db)
        if other and other.alive(now):
            raise Held(f"{ledger.root} is held by {other}: wait for it, or end it with `penstock down`")
        db.execute(
            "UPDATE lease SET epoch = epoch + 1, host = ?, boot = ?, pid = ?, start = ?, command = ?, since = ?, expires = ?",
            (me.host, me.boot, me.pid, me.start, command, now, now + LASTS_S),
        )
        return int(db.execute("SELECT epoch FROM lease").fetchone()[0])


def renew(db: sqlite3.Connection, epoch: int, now: float) -> None:
    """Make the lease last longer, if it is still ours."""
    db.execute("UPDATE lease SET expires = ? WHERE epoch = ?", (now + LASTS_S, epoch))


def release(db: sqlite3.Connection, epoch: int) -> None:
    """Give the lease back, if it is still ours."""
    db.execute("UPDATE lease SET pid = NULL, expires = 0 WHERE epoch = ?", (epoch,))


@contextmanager
def held(root: Path, *, command: str, clock: Clock) -> Generator[Ledger]:
    """Open the ledger of `root` for writing, under a lease that a thread renews."""
    with Ledger.open(root, create=True) as ledger:
        ledger.epoch = acquire(ledger, command=command, clock=clock)
        over = threading.Event()
        thread = threading.Thread(target=keep, args=(root, ledger.epoch, clock, over), daemon=True)
        thread.start()
        try:
            with explained(root / FOLDER / FILE):
                yield ledger
        finally:
            over.set()
            thread.join()
            with suppress(sqlite3.Error):  # no room: the lease of a process that ended counts for nothing
                release(ledger.db, ledger.epoch)


def keep(root: Path, epoch: int, clock: Clock, over: threading.Event) -> None:
    """Renew the lease until `over`; a renewal that fails is tried again long before the lease ends."""
    while not over.wait(LASTS_S / 4):
        try:
            db = connect(root / FOLDER / FILE, readonly=False)
            renew(db, epoch, clock.now())
            db.close()
        except (sqlite3.Error, LedgerError):
            continue
