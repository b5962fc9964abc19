"""The record of a campaign: SQLite beside it, one writer under a lease, readers that never wait."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from penstock.errors import Corrupt, Held, LedgerError
from penstock.ledger import migrations

FOLDER = ".penstock"
FILE = "ledger.sqlite"
DRAFT_KIB = 65_536  # of a draft kept in memory; what is larger goes to a temporary file
UNJOURNALED = "PRAGMA temp.journal_mode = OFF"  # what a scan stages is cleared, and never rolled back

__all__ = ["FILE", "FOLDER", "Ledger"]


class Ledger:
    """An open ledger.

    `epoch` is the lease under which it is written (None: a private copy, or read only); each
    transaction checks that the lease still has it.
    """

    def __init__(self, db: sqlite3.Connection, *, root: Path, epoch: int | None = None) -> None:
        self.db, self.root, self.epoch = db, root, epoch

    @classmethod
    def open(cls, root: Path, *, create: bool = False, readonly: bool = False) -> Ledger:
        """Open the ledger of the campaign in `root`.

        Raises LedgerError if there is none and `create` is False, Corrupt if the file is damaged.
        """
        path = root / FOLDER / FILE
        if not create and not path.exists():
            raise LedgerError(f"nothing has been run in {root} yet: start with `penstock run`")
        if create:
            make_private(path.parent)
        db = connect(path, readonly=readonly)
        if not readonly:
            migrations.migrate(db, str(path))
        elif migrations.version_of(db, str(path)) != migrations.VERSION:
            connect_and_migrate(path)
        return cls(db, root=root)

    @classmethod
    def draft(cls, root: Path) -> Ledger:
        """Open a private temporary copy, to plan on: what is written there is forgotten."""
        db = sqlite3.connect("", isolation_level=None, cached_statements=512)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute(f"PRAGMA cache_size = -{DRAFT_KIB}")
        db.execute(UNJOURNALED)
        if (root / FOLDER / FILE).exists():
            with Ledger.open(root, readonly=True) as current:
                current.db.backup(db)
        migrations.migrate(db, "the draft")
        return cls(db, root=root)

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Write all or nothing; raises Held when another conductor took the campaign over meanwhile."""
        with explained(self.root / FOLDER / FILE):
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
        epoch, host, pid = self.db.execute("SELECT epoch, host, pid FROM lease").fetchone()
        if epoch != self.epoch:
            raise Held(
                f"the campaign in {self.root} was taken over by process {pid} on {host}: this conductor ends"
            )

    def meta(self, name: str) -> str | None:
        """Return a value of the `meta` table."""
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def set_meta(self, name: str, value: str) -> None:
        """Write a value of the `meta` table."""
        self.db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value)
        )

    def set_problem(self, subject: str, why: str | None, now: float) -> None:
        """Let people see what is wrong with one thing, in place of what was said of it before; None: nothing any more.

        Its time stays that of the first word.
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

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open the database with the settings that make it durable."""
    mode = "ro" if readonly else "rwc"
    with explained(path):
        db = sqlite3.connect(
            f"file:{uri(path)}?mode={mode}", uri=True, isolation_level=None, timeout=30, cached_statements=512
        )
        db.row_factory = sqlite3.Row
        if not readonly:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(UNJOURNALED)
            db.execute("PRAGMA synchronous = FULL")
    return db


def connect_and_migrate(path: Path) -> None:
    """Bring an old file up to date for somebody who only reads."""
    db = connect(path, readonly=False)
    migrations.migrate(db, str(path))
    db.close()


def uri(path: Path) -> str:
    """Return the path as SQLite's URI wants it."""
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


@contextmanager
def explained(path: Path | None = None) -> Generator[None]:
    """Turn SQLite's errors into one sentence with the remedy."""
    place = f"{path}: " if path else ""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise LedgerError(
                f"{place}the ledger cannot be written ({error}): free space on its disk and run the same command again"
            ) from error
        raise LedgerError(
            f"{place}the ledger cannot be used ({error}): is its folder yours to write?"
        ) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise Corrupt(f"{place}the ledger is damaged ({error}): restore it from a copy") from error


def make_private(folder: Path) -> None:
    """Make the campaign's own folder, for its owner alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"{folder} cannot be made ({error.strerror}): penstock needs to write beside the campaign"
        ) from error
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise LedgerError(
            f"{folder} belongs to another user (uid {found.st_uid}): work in a folder of your own, or ask its owner to run it"
        )
    if found.st_mode & 0o022:
        raise LedgerError(f"{folder} can be written by others: make it private with `chmod 700 {folder}`")
