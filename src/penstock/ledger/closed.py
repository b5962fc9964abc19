"""What the record's file was when it was last closed: a byte that changes on the disk afterwards is told.

SQLite notices damage in the structure of its file, not within a value. A digest is only compared while the file has the
time that was given to it when it was closed, which no write gives it: so whatever a program writes is never taken for damage.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from penstock.disk import read_whole
from penstock.ledger.files import CLOSED, connect_copy
from penstock.ledger.generation import pending
from penstock.runner.sealed import seal, unseal

MOST_BYTES = 32 << 20  # of a file that is read whole whenever it is opened or closed
CHANGED = "changed"  # in `meta`: that a byte changed, until a person has decided
WHY = "a byte of the record changed on its disk while nobody had it open"
REMEDY = "`penstock ledger rebuild` makes it anew from the archives of jobs, after `penstock ledger accept` it counts as it is"


def note_closed(path: Path) -> None:
    """Note the digest of a file that was just closed, unless somebody else is writing it or it is large."""
    at = time.time_ns() - secrets.randbelow(1_000_000)
    with suppress(OSError, sqlite3.Error):
        if pending(path) or path.stat().st_size > MOST_BYTES:
            return
        os.utime(path, ns=(at, at))
        line = json.dumps({"at": at, "sha256": digest_of(path)})
        if path.stat().st_mtime_ns == at and not pending(path):
            noted = Path(f"{path}{CLOSED}")
            noted.touch(mode=0o600)
            noted.write_bytes(seal(line.encode()))


def is_changed(path: Path) -> bool:
    """Whether a file is not what it was when it was closed, although nobody wrote it since."""
    noted = unseal(read_whole(Path(f"{path}{CLOSED}")) or b"")
    if not noted or path.stat().st_mtime_ns != noted["at"]:
        return False
    with suppress(sqlite3.Error):  # what SQLite itself notices it tells
        return digest_of(path) != noted["sha256"] and path.stat().st_mtime_ns == noted["at"]
    return False


def digest_of(path: Path) -> str:
    """Return the digest of a record's file. SQLite reads it: closing it otherwise would end the locks of this process."""
    with closing(connect_copy(path)) as db:
        return hashlib.sha256(db.serialize()).hexdigest()
