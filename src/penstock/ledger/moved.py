"""Products that a step of a closing moved: `product.path` is where one is, `moved.declared` where its task makes it.

All that reads a product asks `product.path`, so none of it has to know of moves. Only what is about the path by which a
task makes it looks here: whose a file there is, and what people call it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from penstock.disk import read_whole


class Moved(NamedTuple):
    """A product that lies at `path` now, and lay at `old`: with the same bytes."""

    path: str
    old: str
    bytes: int
    sha256: str


def read_moves(path: Path, sha256: str) -> list[Moved] | None:
    """Return what a step says that it moved; None if its document is no longer as it was written."""
    data = read_whole(path)
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        return None
    files: list[dict[str, Any]] = json.loads(data)["files"]
    return [Moved(one["path"], one["from"], one["bytes"], one["sha256"]) for one in files]


def note_moved(db: sqlite3.Connection, step: tuple[int, int], files: Iterable[Moved]) -> None:
    """Record where products are now, as a step (stage, unit) says; what was made again since is left alone."""
    newest = db.execute("SELECT coalesce(max(id), 0) FROM batch").fetchone()[0]
    for one in files:
        taken = db.execute(
            "UPDATE OR IGNORE product SET path = ? WHERE path = ? AND digest = ?",
            (one.path, one.old, one.sha256),
        )
        if taken.rowcount:
            before = db.execute("SELECT declared FROM moved WHERE path = ?", (one.old,)).fetchone()
            db.execute("DELETE FROM moved WHERE path = ?", (one.old,))
            row = (one.path, before[0] if before else one.old, *step, newest)
            db.execute("INSERT OR REPLACE INTO moved VALUES (?, ?, ?, ?, ?)", row)


def forget_unmoved(db: sqlite3.Connection) -> None:
    """Forget the moves of products that are not there any more, as they were made again since."""
    db.execute("DELETE FROM moved WHERE path NOT IN (SELECT path FROM product)")


def declared_paths(db: sqlite3.Connection, paths: Iterable[str]) -> dict[str, str]:
    """Return where the tasks of these products make them, of those that were moved."""
    sql = "SELECT m.path, m.declared FROM json_each(?) j CROSS JOIN moved m ON m.path = j.value"
    return dict(db.execute(sql, (json.dumps([*paths]),)).fetchall())


def present_paths(db: sqlite3.Connection, names: Iterable[str]) -> list[str]:
    """Return names of products, and where those of them are now that were moved since."""
    names = list(names)
    sql = "SELECT m.path FROM json_each(?) j CROSS JOIN moved m ON m.declared = j.value"
    return [*names, *(row[0] for row in db.execute(sql, (json.dumps(names),)))]
