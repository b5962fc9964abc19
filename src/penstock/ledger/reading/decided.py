"""What people decided about tasks and units besides vetoes: how many are marked, and which are archived."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from penstock.display import Labels, show_command


@dataclass(frozen=True, slots=True)
class Archived:
    """Who put a unit away, and why."""

    by: str
    why: str
    key: str

    def __str__(self) -> str:
        return f"archived by {self.by}: {self.why}"

    def undoing(self, labels: Labels) -> str:
        """Return the command that brings it back."""
        return show_command("unarchive", labels.label(self.key))


def archived_of(db: sqlite3.Connection, units: Iterable[int]) -> dict[int, Archived]:
    """Return who put away those of these units that are archived."""
    sql = (
        "SELECT u.id, c.by, c.why, u.key FROM json_each(?) j CROSS JOIN unit u ON u.id = j.value"
        " JOIN cause c ON c.id = u.archived"
    )
    return {row[0]: Archived(*row[1:]) for row in db.execute(sql, (json.dumps(list(units)),))}


def count_marked(db: sqlite3.Connection, stage_id: int) -> int:
    """Count the tasks of a stage that a person says are done."""
    sql = "SELECT count(*) FROM task INDEXED BY task_marked WHERE stage = ? AND marked IS NOT NULL"
    return int(db.execute(sql, (stage_id,)).fetchone()[0])


def count_archived(db: sqlite3.Connection) -> int:
    """Count the units that were put away."""
    sql = "SELECT count(*) FROM unit INDEXED BY unit_archived WHERE archived IS NOT NULL"
    return int(db.execute(sql).fetchone()[0])


def archived_units(db: sqlite3.Connection, among: str | None = None) -> Iterator[Archived]:
    """Yield the units that were put away, in the order of their keys; only those `among` some ids (JSON) if given."""
    listed = " AND u.id IN (SELECT value FROM json_each(:among))" if among else ""
    sql = f"SELECT c.by, c.why, u.key FROM unit u JOIN cause c ON c.id = u.archived WHERE u.archived IS NOT NULL{listed}"
    yield from (Archived(*row) for row in db.execute(f"{sql} ORDER BY u.key", {"among": among}))
