"""How many tasks of a stage are in which state, for every group where they are counted."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from penstock.graph import Graph
from penstock.ledger.units import ROOT

TALLY = (
    "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT (stage, unit, state) DO UPDATE SET n = n + excluded.n"
)


def count_created(
    db: sqlite3.Connection, graph: Graph, stage: str, state: str, made: int, after: int
) -> None:
    """Count new tasks: only them when they belong to new units, else the whole stage again."""
    number = graph.ids[stage]
    if not after:
        recount(db, graph, stage)
        return
    db.execute(TALLY, (number, ROOT, state, made))
    for level in graph.counted[stage][1:]:
        groups = db.execute(
            f"SELECT ?, u.g{level}, ?, count(*) FROM unit u JOIN task t ON t.stage = ? AND t.unit = u.id"
            f" WHERE u.id > ? GROUP BY u.g{level}",
            (number, state, number, after),
        ).fetchall()
        db.executemany(TALLY, groups)


def recount(db: sqlite3.Connection, graph: Graph, stage: str) -> None:
    """Recount the tasks of `stage`, for every group where they are counted."""
    number = graph.ids[stage]
    db.execute("DELETE FROM tally WHERE stage = ?", (number,))
    for level in graph.counted[stage]:
        db.execute(*counting(number, level))


def counting(stage_id: int, level: int) -> tuple[str, tuple[int, ...]]:
    """Return the statement that fills the tally of one stage for the groups of one level."""
    if level == 0:
        source = "SELECT stage, 1, {} , count(*) FROM task WHERE stage = ? {} GROUP BY 3"
    else:
        joined = "FROM task t JOIN unit u ON u.id = t.unit WHERE t.stage = ? {} GROUP BY 2, 3"
        source = f"SELECT t.stage, u.g{level}, {{}}, count(*) {joined}"
    states = source.format("state", "")
    stale = source.format("'stale'", "AND stale IS NOT NULL")
    return f"INSERT INTO tally {states} UNION ALL {stale}", (stage_id, stage_id)


def add_to_tally(
    db: sqlite3.Connection, graph: Graph, stage: str, moves: Iterable[tuple[int, str, int]]
) -> None:
    """Add (unit, state, ±n) of one stage to the counts of all its groups."""
    deltas: Counter[tuple[int, str]] = Counter()
    by_unit: dict[int, list[tuple[str, int]]] = {}
    levels = graph.counted[stage][1:]
    for unit, state, n in moves:
        deltas[ROOT, state] += n
        if levels:
            by_unit.setdefault(unit, []).append((state, n))
    if levels:
        for row in groups_of(db, by_unit, levels):
            for state, n in by_unit[row[0]]:
                for group in row[1:]:
                    deltas[group, state] += n
    number = graph.ids[stage]
    db.executemany(TALLY, [(number, group, state, n) for (group, state), n in deltas.items() if n])


def groups_of(db: sqlite3.Connection, units: Iterable[int], levels: Sequence[int]) -> list[tuple[int, ...]]:
    """Return (unit, its group at each of `levels`) for each unit."""
    columns = ", ".join(f"u.g{level}" for level in levels)
    sql = f"SELECT u.id, {columns} FROM json_each(?) j JOIN unit u ON u.id = j.value"
    return [tuple(row) for row in db.execute(sql, (json.dumps(list(units)),))]
