"""How many groups are closed, and what waits for a decision about them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from penstock.display import count
from penstock.ledger.closings import HELD, LATE
from penstock.ledger.units import ROOT

SEALS = (
    "SELECT s.name, coalesce(sum(y.n), 0), coalesce(sum(y.n * (y.state = 'done')), 0) FROM stage s LEFT JOIN tally y"
    " ON y.stage = s.id AND y.unit = 1 AND y.state <> 'stale'"
    " WHERE NOT s.removed AND s.name LIKE 'close.%.seal' GROUP BY s.id ORDER BY s.position"
)
REOPENED = (
    "SELECT count(*) FROM stage s CROSS JOIN task t ON t.stage = s.id AND t.state = 'waiting' AND substr(t.why, 1, ?) = ?"
    " WHERE s.name = ?"
)

STALE = "SELECT count(*) FROM task t JOIN unit u ON u.id = t.unit JOIN stage s ON s.id = t.stage"


@dataclass(frozen=True, slots=True)
class Closed:
    """Of the groups of a level that are closed when they are whole: how many are closed, and how many are not."""

    level: str
    closed: int
    open: int
    reopened: int
    """Of those that are open: by a person, who has to close them again."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def to_text(self) -> str:
        """Say it in a line."""
        again = f" ({self.reopened} reopened)" if self.reopened else ""
        return f"{self.level}: {self.closed:,} closed, {self.open:,} open{again}"


def closed_groups(db: sqlite3.Connection) -> Iterator[Closed]:
    """Yield what is known of each level that is closed, in the order of the definition."""
    for name, total, closed in db.execute(SEALS).fetchall():
        level = name.split(".")[1]
        words = (len(HELD), HELD, f"close.{level}.verify")
        yield Closed(level, closed, total - closed, db.execute(REOPENED, words).fetchone()[0])


def in_closed(db: sqlite3.Connection) -> str:
    """Return the SQL condition for a task (t) of a unit (u) and a stage (s) that belongs to a closed group."""
    sql = "SELECT id, level FROM stage WHERE NOT removed AND name LIKE 'close.%.seal'"
    parts = [
        f"(s.level >= {level} AND EXISTS (SELECT 1 FROM task c WHERE c.stage = {seal} AND c.state = 'done'"
        f" AND c.unit = {f'u.g{level}' if level else ROOT}))"
        for seal, level in db.execute(sql)
    ]
    return f"({' OR '.join(parts)})" if parts else "false"


def stale_in_closed(db: sqlite3.Connection) -> int:
    """Count the stale tasks of closed groups: they are redone when these are open again."""
    if (condition := in_closed(db)) == "false":
        return 0
    sql = f"{STALE} WHERE t.state = 'done' AND t.stale IS NOT NULL AND NOT s.removed AND {condition}"
    return int(db.execute(sql).fetchone()[0])


def is_in_closed(db: sqlite3.Connection, stage: int, unit: int) -> bool:
    """Whether a task belongs to a closed group."""
    sql = f"{STALE} WHERE t.stage = ? AND t.unit = ? AND {in_closed(db)}"
    return bool(db.execute(sql, (stage, unit)).fetchone()[0])


def late_tasks(db: sqlite3.Connection) -> int:
    """Count the tasks of what came into groups after these were closed."""
    sql = "SELECT coalesce(sum(n), 0) FROM tally WHERE unit = 1 AND state = 'blocked'"
    if not db.execute(sql).fetchone()[0]:
        return 0
    sql = "SELECT count(*) FROM task WHERE state = 'blocked' AND substr(why, 1, ?) = ?"
    return int(db.execute(sql, (len(LATE), LATE)).fetchone()[0])


def say_late(number: int) -> str:
    """Say how many tasks came late."""
    return f"{count(number, 'task')} of closed groups came late: penstock units --state blocked"
