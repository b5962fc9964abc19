"""Units whose input is no longer there, and when that is to be believed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

MOST_LOST = 0.2  # more than this share gone at once is a broken mount rather than a clean-up
FEW_LOST = 3  # so many of any number are removed by hand
LAST = "\U0010ffff"  # a character that sorts after all others


def find_gone(
    db: sqlite3.Connection, level: int, within: Collection[int] | None, *, accept_gone: bool
) -> tuple[list[int], int]:
    """Return the units, `within` some or all, whose input was removed, or how many when they are too many to believe."""
    among = "true" if within is None else "id IN (SELECT value FROM json_each(?))"
    rows = db.execute(
        "SELECT id FROM unit WHERE +level = ? AND origin = 'source' AND gone IS NULL"
        f" AND key NOT IN (SELECT key FROM found{level}) AND {among}",
        (level,) if within is None else (level, json.dumps(sorted(within))),
    )
    gone = [row[0] for row in rows]
    if gone and not accept_gone and too_many_lost(len(gone), count_living(db, level)):
        return [], len(gone)
    return gone, 0


def living_in(db: sqlite3.Connection, level: int, folders: Collection[str]) -> set[int]:
    """Return the units whose input existed in one of these folders, each with its slash, at the last scan."""
    path = "json_extract(fields, '$.path')"
    rows = db.execute(
        f"SELECT id, {path} FROM unit WHERE +level = ? AND origin = 'source' AND gone IS NULL"
        f" AND {path} >= ? AND {path} < ?",
        (level, min(folders), max(folders) + LAST),
    )
    return {unit for unit, path in rows if path[: path.rfind("/") + 1] in folders}


def count_living(db: sqlite3.Connection, level: int) -> int:
    """Count the units whose input existed at the last scan."""
    sql = "SELECT count(*) FROM unit WHERE +level = ? AND origin = 'source' AND gone IS NULL"
    return db.execute(sql, (level,)).fetchone()[0]


def too_many_lost(lost: int, all_of_them: int) -> bool:
    """Whether so many are gone at once that a disk is probably not mounted."""
    return lost > max(FEW_LOST, MOST_LOST * all_of_them) or 1 < lost == all_of_them
