"""Opening the record's file, and the folder that it is in."""

from __future__ import annotations

import os
import resource
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.errors import Corrupt, LedgerError

CLOSED = "-closed"  # see `closed`
REST = (
    "-wal",
    "-shm",
    "-journal",
    CLOSED,
)  # what is beside a record's file: SQLite's while it is open, and ours
REMEDY = "make it anew with `penstock ledger rebuild`, or restore a copy with `penstock ledger restore FILE`"
UNJOURNALED = "PRAGMA temp.journal_mode = OFF"  # what a scan stages is cleared, and never rolled back


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open the database with the settings that make it durable."""
    db = opened(path, f"mode={'ro' if readonly else 'rwc'}")
    if not readonly:
        with explained(path):
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(UNJOURNALED)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA wal_autocheckpoint = 0")  # see `generation`
    return db


def connect_copy(path: Path) -> sqlite3.Connection:
    """Open a database that nobody writes, without any lock: it may be on a network file system."""
    return opened(path, "mode=ro&immutable=1")


def opened(path: Path, options: str) -> sqlite3.Connection:
    """Open a database as SQLite's URI options say."""
    if "mode=rwc" in options:
        keep_private(path)
    with explained(path):
        db = sqlite3.connect(
            f"file:{uri(path)}?{options}", uri=True, isolation_level=None, timeout=30, cached_statements=512
        )
        db.row_factory = sqlite3.Row
    set_clock(db, time.time)
    return db


def set_clock(db: sqlite3.Connection, now: Callable[[], float]) -> None:
    """Let `clock()` be the time in what is written through a connection."""
    db.create_function("clock", 0, now)


def keep_private(path: Path) -> None:
    """Create the record readable for its owner only, before SQLite would make it readable for all; files beside it follow.

    An existing file is not opened: closing it would end the locks that SQLite has in this process (fcntl(2)).
    """
    with suppress(OSError):  # SQLite says what is wrong with the place
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        elif path.stat().st_mode & 0o077:
            path.chmod(0o600)


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
                f"{place}the ledger cannot be written ({error}): {room_needed()} and run the same command again"
            ) from error
        raise LedgerError(
            f"{place}the ledger cannot be used ({error}): can you write to its folder?"
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise Corrupt(f"{place}the ledger is damaged ({error}): {REMEDY}") from error


def room_needed() -> str:
    """Say what makes room for a file: a shell may have set a limit, of which SQLite knows nothing."""
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    limited = "raise this shell's limit on file sizes (`ulimit -f unlimited`), or "
    return f"{'' if soft == resource.RLIM_INFINITY else limited}free space on its disk"
