"""The groups of a level beside the stages: ten thousand nights at a glance, from the counts that the record keeps."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.display import Labels
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.serve.views import Asked, Head, number_in
from penstock.status import STATES

PAGE = 250  # groups that are listed at once
MOST = 10_000  # groups that are drawn
FEW = 200_000  # tasks of a stage that are counted where the record keeps no count
LINE, MAPPED = 120, 25  # groups in a line of the map, and from how many on there is one
TROUBLE = ("failed", "blocked", "running", "queued", "ready", "waiting", "vetoed", "gone", "done")

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One group: how many of its tasks of each stage are in which state."""

    name: str
    counts: Sequence[Counts]

    @property
    def worst(self) -> Sequence[str]:
        """For each stage, the state that a person should see first; empty without tasks."""
        return [worst_of(counts) for counts in self.counts]


@dataclass(frozen=True, slots=True)
class Map:
    """All groups of one stage, in the order of their names: squares of each state, as a path of SVG."""

    stage: str
    paths: Sequence[tuple[str, int, str]]
    """State, how many groups, and their squares."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The groups of a level."""

    level: str
    levels: Sequence[str]
    stages: Sequence[str]
    uncounted: Sequence[str]
    """Stages that are left out: the record does not count them for this level, and has too many tasks of them."""
    total: int
    rows: Sequence[Row]
    skipped: int
    more: bool
    only: str
    """The state that is asked for; empty: all."""
    maps: Sequence[Map]
    size: tuple[int, int]
    """Of a map, in squares."""


def worst_of(counts: Counts) -> str:
    """Return the state to be seen first of some tasks."""
    return next((state for state in TROUBLE if counts.get(state)), "")


def read_grid(ledger: Ledger, head: Head, asked: Asked) -> Grid:
    """Read the groups of a `level` after `skip`, or only those with tasks `only` in some state."""
    db, labels = ledger.db, Labels.read(ledger.db)
    level, only = asked.get("level") or (labels.levels or ("campaign",))[0], asked.get("only") or ""
    if level not in labels.levels:
        raise DefinitionError(f"there is no level {level!r}: choose one of {', '.join(labels.levels)}")
    if only and only not in STATES:
        raise DefinitionError(f"there is no state {only!r}: choose one of {', '.join(STATES)}")
    number, skipped = labels.levels.index(level) + 1, number_in(asked, "skip")
    stages, uncounted = stages_at(db, number)
    counts = [counts_of(db, stage, number) for stage in stages]
    total = db.execute("SELECT count(*) FROM unit WHERE level = ?", (number,)).fetchone()[0]
    units = db.execute(
        "SELECT id, key FROM unit WHERE level = ? ORDER BY key DESC LIMIT ?", (number, MOST)
    ).fetchall()
    kept = [u for u in units if not only or any(c.get(u["id"], {}).get(only) for c in counts)]
    shown = kept[skipped : skipped + PAGE]
    rows = [Row(labels.label(u["key"]), [c.get(u["id"], {}) for c in counts]) for u in shown]
    across = min(LINE, max(len(units), 1))
    ordered = [unit["id"] for unit in reversed(units)]
    maps = [map_of(stage["name"], ordered, c, across) for stage, c in zip(stages, counts, strict=True)]
    return Grid(
        level, labels.levels, [stage["name"] for stage in stages], uncounted, total, rows, skipped,
        len(kept) > skipped + PAGE, only, maps if len(units) >= MAPPED else (), (across, -(-len(units) // across)),
    )  # fmt: skip


def stages_at(db: sqlite3.Connection, level: int) -> tuple[list[sqlite3.Row], list[str]]:
    """Return the stages that can be counted for groups of a level, and the names of the others."""
    rows = db.execute(
        "SELECT id, name, level, (SELECT coalesce(sum(n), 0) FROM tally WHERE stage = stage.id AND unit = 1"
        " AND state <> 'stale') AS tasks FROM stage WHERE NOT removed AND level >= ? ORDER BY position",
        (level,),
    ).fetchall()
    fit = [
        row
        for row in rows
        if row["level"] == level or row["tasks"] <= FEW or is_counted(db, row["id"], level)
    ]
    return fit, [row["name"] for row in rows if row not in fit]


def is_counted(db: sqlite3.Connection, stage: int, level: int) -> bool:
    """Whether the record counts the tasks of a stage for each group of a level."""
    sql = "SELECT 1 FROM tally y JOIN unit u ON u.id = y.unit WHERE y.stage = ? AND u.level = ? LIMIT 1"
    return db.execute(sql, (stage, level)).fetchone() is not None


def counts_of(db: sqlite3.Connection, stage: sqlite3.Row, level: int) -> Mapping[int, Counts]:
    """Return how many tasks of a stage are in which state, by group."""
    if stage["level"] == level:
        sql = "SELECT unit, state, 1 FROM task WHERE stage = ?1"
    elif is_counted(db, stage["id"], level):
        sql = "SELECT y.unit, y.state, y.n FROM tally y JOIN unit u ON u.id = y.unit WHERE y.stage = ?1 AND u.level = ?2"
    else:
        group = f"u.g{level}"
        sql = f"SELECT {group}, t.state, count(*) FROM task t JOIN unit u ON u.id = t.unit WHERE t.stage = ?1 GROUP BY 1, 2"
    found = defaultdict[int, dict[str, int]](dict)
    for unit, state, n in db.execute(sql, (stage["id"], level)[: 2 if "?2" in sql else 1]):
        if n and state != "stale":
            found[unit][state] = n
    return found


def map_of(stage: str, units: Sequence[int], counts: Mapping[int, Counts], across: int) -> Map:
    """Draw a square for each group, by the state to be seen first of its tasks."""
    paths, numbers = defaultdict[str, list[str]](list), range(len(units))
    for number, unit in zip(numbers, units, strict=True):
        if state := worst_of(counts.get(unit, {})):
            paths[state].append(f"M{number % across} {number // across}h.85v.85h-.85z")
    return Map(
        stage, [(state, len(paths[state]), "".join(paths[state])) for state in STATES if state in paths]
    )
