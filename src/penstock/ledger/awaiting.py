"""Stale tasks that wait for stale upstreams: redone before these, they would have to be redone again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from penstock.graph import Edge, Graph
from penstock.ledger.inputs import members_of
from penstock.ledger.readiness import dependents, overruled, verdicts_of

AT_ONCE = 500


def awaiting(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int], which: str) -> set[int]:
    """Return those of a stage's units with an upstream to be redone first: a done task for which `which` holds."""
    held: set[int] = set()
    for edge in graph.upstreams[stage]:
        if edge.kind == "finer":
            held.update(
                unit for unit in units if unit not in held and any_under(db, graph, edge, unit, which)
            )
        else:
            up = json.dumps(sorted(members_of(db, graph, edge, units)))
            among = f"{which} AND unit IN (SELECT value FROM json_each('{up}'))"
            pending = {unit for piece in pieces(db, graph, edge.up, among) for unit in piece}
            held.update(dependents(db, graph, edge, pending).intersection(units) if pending else ())
    return held


def any_under(db: sqlite3.Connection, graph: Graph, edge: Edge, group: int, which: str) -> bool:
    """Whether a member of a group is to be redone."""
    up, level = graph.ids[edge.up], graph.stages[edge.down].level
    counted = db.execute(
        "SELECT 1 FROM tally WHERE stage = ? AND unit = ? AND state = 'stale' AND n > 0", (up, group)
    )
    if counted.fetchone() is None:
        return False
    under = f"unit IN (SELECT id FROM unit WHERE g{level} = {group})" if level else "true"
    return any(pieces(db, graph, edge.up, f"{which} AND {under}"))


def pieces(db: sqlite3.Connection, graph: Graph, stage: str, which: str) -> Iterator[list[int]]:
    """Yield, piece by piece, the units whose task of a stage is to be redone and can be."""
    sql = f"SELECT unit FROM task WHERE stage = ? AND state = 'done' AND unit > ? AND {which} ORDER BY unit LIMIT {AT_ONCE}"
    last = 0
    while units := [row[0] for row in db.execute(sql, (graph.ids[stage], last))]:
        last = units[-1]
        never = overruled(db, graph, stage, units)
        verdicts = verdicts_of(db, graph, stage, units)
        yield [unit for unit in units if unit not in never and verdicts[unit].state != "blocked"]
