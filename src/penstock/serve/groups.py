"""The groups of a level beside the stages: ten thousand nights at a glance, from the counts that the record keeps."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

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
    cut: bool
    """Whether these are the last ones by name of more."""
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
    if len(counts) == 1:
        return next(iter(counts))
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
    units = db.execute(
        "SELECT id, key FROM unit WHERE level = ? ORDER BY key DESC LIMIT ?", (number, MOST)
    ).fetchall()
    among = json.dumps(sorted(unit["id"] for unit in units))
    counts = [counts_of(db, stage, number, among) for stage in stages]
    kept = [u for u in units if not only or any(c.get(u["id"], {}).get(only) for c in counts)]
    shown = kept[skipped : skipped + PAGE]
    rows = [Row(labels.label(u["key"]), [c.get(u["id"], {}) for c in counts]) for u in shown]
    across = min(LINE, max(len(units), 1))
    ordered = [unit["id"] for unit in reversed(units)]
    maps = [map_of(stage["name"], ordered, c, across) for stage, c in zip(stages, counts, strict=True)]
    return Grid(
        level, labels.levels, [stage["name"] for stage in stages], uncounted, len(units), len(units) == MOST, rows, skipped,
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


def counts_of(db: sqlite3.Connection, stage: sqlite3.Row, level: int, units: str) -> Mapping[int, Counts]:
    """Return how many tasks of a stage are in which state, for each of some groups (a list of ids, JSON)."""
    among = "FROM json_each(?2) j CROSS JOIN"
    if stage["level"] == level:
        sql = f"SELECT unit, state, 1 {among} task WHERE stage = ?1 AND unit = j.value"
    elif is_counted(db, stage["id"], level):
        sql = f"SELECT unit, state, n {among} tally WHERE stage = ?1 AND unit = j.value AND state <> 'stale' AND n > 0"
    else:
        sql = (
            f"SELECT u.g{level}, t.state, count(*) FROM task t JOIN unit u ON u.id = t.unit WHERE t.stage = ?1"
            " AND ?2 IS NOT NULL GROUP BY 1, 2"
        )
    found = dict[int, dict[str, int]]()
    for unit, state, n in db.execute(sql, (stage["id"], units)):
        found.setdefault(unit, {})[state] = n
    return found


def map_of(stage: str, units: Sequence[int], counts: Mapping[int, Counts], across: int) -> Map:
    """Draw a square for each group, by the state to be seen first of its tasks; neighbours that are alike in one stroke."""
    paths, totals = defaultdict[str, list[str]](list), Counter[str]()
    states = [worst_of(counts[unit]) if unit in counts else "" for unit in units]
    for y in range(0, len(states), across):
        x = 0
        for state, alike in groupby(states[y : y + across]):
            n = len(list(alike))
            totals[state] += n
            if state:
                paths[state].append(f"M{x} {y // across}h{n - 0.1}v.85h-{n - 0.1}z")
            x += n
    return Map(stage, [(state, totals[state], "".join(paths[state])) for state in STATES if state in paths])
