"""Tables that are just as the last scan read them: the record has their units, so they need not be read again.

What a table says follows from its bytes and from the definition alone, so a digest of both tells whether it is the
same; its time and size would not. Only what was read without a problem is remembered: problems are told again.
"""

from __future__ import annotations

import hashlib
import sqlite3

from penstock import __version__
from penstock.campaign import Source, TableSource
from penstock.csvfile import open_bytes
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.ledger.units import Difference, count_living, count_same
from penstock.sources import ScanState


def contents(ledger: Ledger, source: Source) -> str | None:
    """Return what decides the units of a table, as a digest; None for other sources and for one that cannot be read."""
    if not isinstance(source, TableSource):
        return None
    try:
        with open_bytes(source.path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, DefinitionError):  # the scan tells of it
        return None
    return f"{__version__} {ledger.meta('definition')} {digest}"


def is_known(ledger: Ledger, source: Source, found: str | None) -> bool:
    """Whether the record holds the units of a table with these contents."""
    return bool(found) and ledger.meta(_name(source)) == found


def nothing_new(db: sqlite3.Connection, level: int) -> Difference:
    """Return the difference that a scan finds where nothing changed."""
    highest = db.execute("SELECT max(id) FROM unit").fetchone()[0]
    return Difference(count_living(db, level), 0, highest)


def remember(ledger: Ledger, source: Source, state: ScanState, present: int) -> None:
    """Note what a table contains, once it was read without a problem and its units are in the record; else forget it."""
    if not isinstance(source, TableSource):
        return
    db, level = ledger.db, source.level
    whole = (
        not state.problems
        and state.contents == contents(ledger, source)
        and present == count_living(db, level) == count_same(db, level)
    )
    ledger.set_meta(_name(source), state.contents if state.contents and whole else "")


def _name(source: Source) -> str:
    return f"table.{source.level}"
