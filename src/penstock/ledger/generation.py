"""Which state of the record's file its `-wal` belongs to, so that a file copied over it by hand is recognised.

SQLite adds what is in the `-wal` to whatever file is beside it. So each time all of it was brought into the file, both
get a new number: the file in its header (`PRAGMA application_id`), the `-wal` in the table `meta`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from penstock.errors import Corrupt
from penstock.ledger.files import connect_copy

GENERATION = "generation"
PATIENCE_MS, USUAL_MS = 100, 30_000  # for readers
LOOKS = 4  # since the number may just be changing


def begin_generation(db: sqlite3.Connection) -> bool:
    """Bring all that was written into the record's file; False: a reader is in the way, and it is to be tried again."""
    new = str(int.from_bytes(os.urandom(4), "big") // 4 + 1)
    note(db, " ".join([*numbers(db), new]), new)
    db.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    db.execute(f"PRAGMA busy_timeout = {USUAL_MS}")
    if not busy:
        note(db, new, new)
    return not busy


def note(db: sqlite3.Connection, known: str, new: str) -> None:
    """Write the numbers that the file may have, and the one that it gets with the next checkpoint."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (GENERATION, known))
    db.execute(f"PRAGMA application_id = {new}")
    db.execute("COMMIT")


def numbers(db: sqlite3.Connection) -> list[str]:
    """Return the numbers that the file may have, as the `-wal` knows them."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (GENERATION,)).fetchone()
    return str(row[0]).split() if row else []


def check_generation(path: Path, db: sqlite3.Connection) -> None:
    """Raise Corrupt if the `-wal` belongs to another file than the one beside it."""
    for look in range(LOOKS):
        known = numbers(db)
        if not (known and pending(path)) or number_of(path) in known:
            return
        time.sleep(0.05 * look)
    raise Corrupt(
        f"{path} was replaced while {path.name}-wal of the previous file was beside it:"
        " restore a backup with `penstock ledger restore FILE`"
    )


def pending(path: Path) -> int:
    """Return how many bytes are written that are not in the record's file."""
    with suppress(FileNotFoundError):
        return Path(f"{path}-wal").stat().st_size
    return 0


def number_of(path: Path) -> str | None:
    """Return the number in the header of a record's file; None if it cannot be read.

    SQLite reads it: were the file opened and closed otherwise, this process would lose its locks (fcntl(2)). A disk that
    filled up under a checkpoint leaves a file shorter than its header says, to which SQLite objects but in this mode.
    """
    with suppress(sqlite3.Error), closing(connect_copy(path)) as file:
        file.execute("PRAGMA writable_schema = ON")
        return str(file.execute("PRAGMA application_id").fetchone()[0])
    return None
