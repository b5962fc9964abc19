"""Groups that missed a deadline and are not done yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from penstock.display import Labels, show_time

LATE = (
    "SELECT s.name, u.key, m.due, m.at FROM missed m JOIN stage s ON s.id = m.stage JOIN unit u ON u.id = m.unit"
    " WHERE m.over IS NULL AND NOT s.removed"
)


@dataclass(frozen=True, slots=True)
class Late:
    """One group that was not done in time."""

    stage: str
    group: str
    due: float
    noticed: float

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def to_text(self, now: float) -> str:
        """Say what was to be done, and by when."""
        return f"{self.stage} {self.group} was to be done by {show_time(self.due, now=now)} UTC"


def late_groups(db: sqlite3.Connection, labels: Labels, *, since: float = 0.0) -> list[Late]:
    """Return those that were noticed after `since`, the newest deadline first."""
    rows = db.execute(f"{LATE} AND m.at > ? ORDER BY m.due DESC, s.position, m.unit", (since,))
    return [Late(row[0], labels.label(row[1]), row[2], row[3]) for row in rows]


def late_of(db: sqlite3.Connection, labels: Labels, stage: int, unit: int) -> Iterator[Late]:
    """Yield those that a task belongs to."""
    rows = db.execute(
        f"{LATE} AND m.stage = ? AND EXISTS (SELECT 1 FROM unit x WHERE x.id = ? AND m.unit IN"
        " (x.g1, x.g2, x.g3, x.g4, x.g5))",
        (stage, unit),
    )
    for row in rows:
        yield Late(row[0], labels.label(row[1]), row[2], row[3])
