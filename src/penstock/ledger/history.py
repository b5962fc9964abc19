"""What happens to units and is in no other table: the history, which only grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """Something that happened to a unit, or to its task of one stage."""

    unit: int
    what: str
    old: str | None = None
    new: str | None = None
    stage: int | None = None
    cause: int | None = None


INSERT = (
    "INSERT INTO history (unit, n, at, stage, what, old, new, cause)"
    " SELECT :unit, coalesce(max(n), 0) + 1, :at, :stage, :what, :old, :new, :cause FROM history WHERE unit = :unit"
)


def append(db: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add to the history what happened just now."""
    rows = [one._asdict() for one in entries]
    if rows:
        at = db.execute("SELECT clock()").fetchone()[0]
        db.executemany(INSERT, ({**row, "at": at} for row in rows))


def append_with(
    db: sqlite3.Connection, what: str, whys: Mapping[int, str], *, stage: int | None = None, by: str = ""
) -> None:
    """Add one and the same for units, each with its reason."""
    causes = {why: cause_of(db, by, why) for why in {*whys.values()}}
    append(db, (Entry(unit, what, stage=stage, cause=causes[why]) for unit, why in whys.items()))


def cause_of(db: sqlite3.Connection, by: str, why: str) -> int:
    """Return the number of who wanted something and why, which is the same each time."""
    row = db.execute("SELECT id FROM cause WHERE by = ? AND why = ?", (by, why)).fetchone()
    return (
        row[0]
        if row
        else int(db.execute("INSERT INTO cause (by, why) VALUES (?, ?)", (by, why)).lastrowid or 0)
    )
