"""The groups of a level beside the stages: ten thousand nights at a glance, from the counts that the record keeps."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.display import Labels
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.serve.views import Asked, Head, number_in
from penstock.status import STATES

PAGE = 100  # groups that are listed at once
MOST = 10_000  # groups that are drawn
FEW = 200_000  # tasks of a stage that are counted where the record keeps no count
LINE, MAPPED = 120, 25  # groups in a line of the map, and from how many on there is one
ALIKE = re.compile(r"(\S)\1*")
TROUBLE = ("failed", "blocked", "running", "queued", "ready", "waiting", "vetoed", "gone", "done")

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One group: how many of its tasks of each stage are in which state."""

    name: str
    counts: Sequence[Counts]


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
    sources = [counts_of(db, stage, number) for stage in stages]
    known = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM unit WHERE level = ? LIMIT ?)", (number, MOST + 1)
    ).fetchone()[0]
    total = min(known, MOST)
    order = order_of(db, number)
    units = units_with(db, number, order, sources, only, skipped)
    counts = [read_counts(db, source, [unit["id"] for unit in units[:PAGE]]) for source in sources]
    across = min(LINE, max(total, 1))
    firsts = [read_first(db, source, number, order) for source in sources] if total >= MAPPED else []
    return Grid(
        level, labels.levels, [stage["name"] for stage in stages], uncounted, total, known > MOST,
        [Row(labels.label(unit["key"]), [c.get(unit["id"], {}) for c in counts]) for unit in units[:PAGE]], skipped,
        len(units) > PAGE, only, [map_of(stage["name"], first, across) for stage, first in zip(stages, firsts, strict=False)],
        (across, -(-total // across)),
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


def counts_of(db: sqlite3.Connection, stage: sqlite3.Row, level: int) -> str:
    """Return the SQL of how many tasks (n) of a stage each group of a level (unit) has in which state."""
    number = int(stage["id"])
    if stage["level"] == level:
        return f"SELECT unit, state, 1 AS n FROM task WHERE stage = {number}"
    if is_counted(db, number, level):
        return f"SELECT unit, state, n FROM tally WHERE stage = {number} AND state <> 'stale' AND n > 0"
    return (
        f"SELECT u.g{level} AS unit, t.state AS state, count(*) AS n FROM task t JOIN unit u ON u.id = t.unit"
        f" WHERE t.stage = {number} GROUP BY 1, 2"
    )


def order_of(db: sqlite3.Connection, level: int) -> str:
    """Return the SQL that sorts the groups of a level, the last one first: numbers as numbers, texts by the index."""
    row = db.execute("SELECT key FROM unit WHERE level = ? LIMIT 1", (level,)).fetchone()
    values: list[Any] = json.loads(row["key"]) if row else []
    if all(type(value) is str for value in values):
        return "key DESC"
    return ", ".join(f"json_extract(key, '$[{place}]') DESC" for place in range(len(values)))


def listed(order: str) -> str:
    """Return the SQL of the groups of a level that are shown."""
    return f"listed AS (SELECT id, key FROM unit WHERE level = :level ORDER BY {order} LIMIT {MOST})"


def units_with(
    db: sqlite3.Connection, level: int, order: str, sources: Sequence[str], only: str, skipped: int
) -> Sequence[sqlite3.Row]:
    """Return the groups of a page and one more: all, or those with tasks in the state `only`."""
    among = [f"id IN (SELECT unit FROM ({source}) WHERE state = :only)" for source in sources]
    sql = (
        f"WITH {listed(order)} SELECT id, key FROM listed WHERE :only = '' OR {' OR '.join(among) or 'false'}"
        f" ORDER BY {order} LIMIT {PAGE + 1} OFFSET :skipped"
    )
    return db.execute(sql, {"level": level, "only": only, "skipped": skipped}).fetchall()


def read_counts(db: sqlite3.Connection, source: str, units: Sequence[int]) -> Mapping[int, Counts]:
    """Return for some groups how many tasks of a stage they have in which state."""
    found = dict[int, dict[str, int]]()
    sql = f"SELECT unit, state, n FROM json_each(?) j CROSS JOIN ({source}) c ON c.unit = j.value"
    for unit, state, n in db.execute(sql, (json.dumps(units),)):
        found.setdefault(unit, {})[state] = n
    return found


def read_first(db: sqlite3.Connection, source: str, level: int, order: str) -> str:
    """Return for each group, in the order of their names, which of `TROUBLE` its tasks are in first: its place, or a space."""
    places = " ".join(f"WHEN '{state}' THEN '{place}'" for place, state in enumerate(TROUBLE))
    sql = (
        f"WITH counted AS ({source}), {listed(order)} SELECT group_concat(coalesce((SELECT min(CASE state {places} END)"
        " FROM counted WHERE counted.unit = listed.id), ' '), '') FROM listed"
    )
    return (db.execute(sql, {"level": level}).fetchone()[0] or "")[::-1]


def map_of(stage: str, first: str, across: int) -> Map:
    """Draw a square for each group, by the state to be seen first of its tasks; neighbours that are alike in one stroke."""
    paths = defaultdict[str, list[str]](list)
    for y, start in enumerate(range(0, len(first), across)):
        for alike in ALIKE.finditer(first[start : start + across]):
            width = alike.end() - alike.start() - 0.1
            paths[alike[1]].append(f"M{alike.start()} {y}h{width}v.85h-{width}z")
    places = sorted((STATES.index(TROUBLE[int(place)]), place) for place in paths)
    return Map(stage, [(STATES[n], first.count(place), "".join(paths[place])) for n, place in places])
