"""The record of a campaign: SQLite on a local disk, one writer under a lease, readers that never wait."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from penstock.disk import make_private
from penstock.errors import Held, LedgerError, NothingYet
from penstock.ledger import migrations
from penstock.ledger.closed import CHANGED, REMEDY, WHY, is_changed, note_closed
from penstock.ledger.files import UNJOURNALED, connect, connect_copy, explained, set_clock
from penstock.ledger.generation import begin_generation, check_generation, pending
from penstock.ledger.hosts.handover import check_newest
from penstock.ledger.hosts.holder import holder
from penstock.ledger.hosts.location import FILE, FOLDER, Location, as_of, describe_copy, find_location
from penstock.machine import Machine

if TYPE_CHECKING:
    from penstock.ledger.hosts.publishing import Publisher

CHECK_IN_S, BUSY_S = 60.0, 5.0  # between two moves of what was written into the record's own file,
TURNED_S = 30.0
SCANNED = "scanned"  # in `meta`: when sources were last scanned
FEW_BYTES, MANY_BYTES = 1 << 17, 4 << 20  # of which so many may wait, or wait for a minute
DRAFT_KIB = 65_536  # of a draft kept in memory; what is larger goes to a temporary file

__all__ = ["FILE", "FOLDER", "Ledger"]


class Ledger:
    """An open ledger.

    `epoch` is the lease under which it is written (None: a private copy, or read only); each
    transaction checks that the lease still has it. `as_of` is when a published copy was made (None: it is the
    record itself), `publisher` makes such copies where the record is on this host and its campaign is not.
    """

    publisher: Publisher | None = None
    as_of: float | None = None
    note: str | None = None
    older: bool = False
    is_writer: bool = False
    changed: bool = False
    checked_in: float = -CHECK_IN_S

    def __init__(
        self, db: sqlite3.Connection, *, root: Path, path: Path | None = None, epoch: int | None = None
    ) -> None:
        self.db, self.root, self.epoch = db, root, epoch
        self.path = path or root / FOLDER / FILE

    @classmethod
    def open(
        cls, root: Path, *, create: bool = False, readonly: bool = False, machine: Machine | None = None
    ) -> Ledger:
        """Open the ledger of the campaign in `root`.

        Readers get the published copy where the record is on another host, and a `note` that says so.
        Raises LedgerError if there is none and `create` is False, Corrupt if the file is damaged, Held if it is
        to be written and on another host.
        """
        if create:
            make_private(root / FOLDER)
            return cls.at(root / FOLDER / FILE, root)
        location = find_location(root, machine or Machine.here())
        if location.copy and readonly:
            return cls.of_copy(location, root)
        if location.copy:
            raise Held(f"the record of {root} is not on this host: run this command there")
        if not readonly:
            return cls.at(location.path, root)
        return cls.of_record(location.path, root)

    @classmethod
    def at(cls, path: Path, root: Path) -> Ledger:
        """Open the record in `path` to write it, and bring it up to date first."""
        changed = path.exists() and look_first(path, root)
        db = connect(path, readonly=False)
        migrations.migrate(db, str(path))
        ledger = cls(db, root=root, path=path)
        ledger.is_writer, ledger.changed = True, changed
        if changed:
            ledger.set_meta(CHANGED, repr(time.time()))
        return ledger

    @classmethod
    def of_record(cls, path: Path, root: Path) -> Ledger:
        """Open the record in `path` for reading; one by an older penstock is brought up to date in memory.

        Raises Corrupt if what SQLite would add to it is that of another file.
        """
        db = connect(path, readonly=True)
        version = migrations.version_of(db, str(path))
        if version:
            with explained(path):
                check_generation(path, db)
        older = 0 < version < migrations.VERSION
        ledger = cls(updated(db, str(path)) if version != migrations.VERSION else db, root=root, path=path)
        ledger.older = older
        ledger.changed = version > 0 and (is_changed(path) or ledger.meta(CHANGED) is not None)
        ledger.note = f"{WHY}: {REMEDY}" if ledger.changed else None
        return ledger

    @classmethod
    def of_copy(cls, location: Location, root: Path) -> Ledger:
        """Open a published copy; one by an older penstock is brought up to date in memory."""
        db = connect_copy(location.path)
        if migrations.version_of(db, str(location.path)) != migrations.VERSION:
            db = updated(db, str(location.path))
        ledger = cls(db, root=root, path=location.path)
        if not location.whole:
            ledger.as_of = as_of(location.path)
            ledger.note = describe_copy(root, location, ledger.as_of, time.time())
        return ledger

    @classmethod
    def draft(cls, root: Path) -> Ledger:
        """Open a private temporary copy, to plan on: what is written there is discarded."""
        db = draft_database()
        try:
            current = Ledger.open(root, readonly=True)
        except NothingYet:
            current = None
        if current:
            with current:
                current.db.backup(db)
        migrations.migrate(db, "the draft")
        return cls(db, root=root)

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Write all or nothing; raises Held when another conductor took over the campaign meanwhile."""
        with explained(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                self.check_epoch()
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    def check_epoch(self) -> None:
        """Raise Held unless the lease is still ours."""
        if self.epoch is None:
            return
        if self.db.execute("PRAGMA user_version").fetchone()[0] > migrations.VERSION:
            raise LedgerError(
                f"the record of {self.root} was updated by a newer penstock: this conductor stops; continue with the newer one"
            )
        epoch, host, pid = self.db.execute("SELECT epoch, host, pid FROM lease").fetchone()
        if epoch != self.epoch:
            who = f"process {pid}" if pid else "a conductor"
            raise Held(f"the campaign in {self.root} was taken over by {who} on {host}: this conductor stops")

    def check_held(self) -> None:
        """Raise Held unless the campaign is still ours, also for other hosts; ask it before what cannot be undone."""
        self.check_epoch()
        if self.publisher:
            check_newest(self.root, self.publisher.claim)

    def note_turn(self, now: float, *, scanned: float | None) -> None:
        """Record that a turn has ended, and when sources were last scanned, but not more often than every half minute."""
        turned = self.db.execute("SELECT turned FROM lease").fetchone()[0]
        if turned is None or not turned <= now < turned + TURNED_S:
            with self.transaction() as db:
                db.execute("UPDATE lease SET turned = ?", (now,))
                if scanned is not None:
                    self.set_meta(SCANNED, repr(scanned))

    def publish_if_due(self, *, now: float, monotonic: float) -> None:
        """Publish what is new to other hosts, where they cannot see the record itself."""
        if not self.publisher:
            return
        try:
            self.publisher.turn(self.db, now=now, monotonic=monotonic)
            why = None
        except (OSError, sqlite3.Error) as error:
            why = f"cannot be written ({error}): other hosts do not see what is new"
        self.set_problem(str(self.publisher.copy), why, now)

    def check_in(self, monotonic: float) -> None:
        """Checkpoint the record's file, when much was written or some time has passed."""
        waiting, since = pending(self.path), monotonic - self.checked_in
        if (waiting > MANY_BYTES and since >= BUSY_S) or (waiting > FEW_BYTES and since >= CHECK_IN_S):
            begin_generation(self.db)
            self.checked_in = monotonic

    def meta(self, name: str) -> str | None:
        """Return a value of the `meta` table."""
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def set_meta(self, name: str, value: str) -> None:
        """Write a value of the `meta` table."""
        self.db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
            " WHERE value IS NOT excluded.value",
            (name, value),
        )

    def set_problem(self, subject: str, why: str | None, now: float) -> None:
        """Record what is wrong with one thing, in place of its earlier problem; None: nothing any more.

        Its time stays that of the first report.
        """
        old = self.db.execute("SELECT why, at FROM problem WHERE source = ?", (subject,)).fetchone()
        if (old and old[0]) == why:
            return
        with self.transaction() as db:
            db.execute("DELETE FROM problem WHERE source = ?", (subject,))
            if why:
                sql = "INSERT INTO problem (source, subject, why, at) VALUES (?, ?, ?, ?)"
                db.execute(sql, (subject, subject, why, old[1] if old else now))

    def close(self) -> None:
        """Close the file."""
        self.db.close()
        if self.is_writer:
            note_closed(self.path)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def look_first(path: Path, root: Path) -> bool:
    """Return whether a byte of the record changed since it was closed, before anything is written into it.

    Raises Held if an older penstock works with it, Corrupt if it is not the file that its `-wal` is of.
    """
    with Ledger.of_record(path, root) as ledger:
        other = ledger.older and holder(ledger.db)
    if other and other.alive(time.time()):
        raise Held(
            f"{root} is held by {other}, of an older penstock: end it with `penstock down`, then run this again"
        )
    return ledger.changed


def updated(old: sqlite3.Connection, name: str) -> sqlite3.Connection:
    """Return a copy in memory of an older record that is brought up to date; its own penstock may be at work on it."""
    db = draft_database()
    with closing(old):
        old.backup(db)
    migrations.migrate(db, name)
    return db


def draft_database() -> sqlite3.Connection:
    """Open a database that is discarded when it is closed."""
    db = sqlite3.connect("", isolation_level=None, cached_statements=512)
    db.row_factory = sqlite3.Row
    set_clock(db, time.time)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA journal_mode = MEMORY")
    db.execute(f"PRAGMA cache_size = -{DRAFT_KIB}")
    db.execute(UNJOURNALED)
    return db
