"""Tasks that wait for stale upstreams: made before these are redone, they would have to be made again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from penstock.graph import Edge, Graph
from penstock.ledger.closings import held_back
from penstock.ledger.inputs import members_of
from penstock.ledger.readers import dependents
from penstock.ledger.readiness import overruled, verdicts_of

AT_ONCE = 500


def awaiting(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int], which: str, among: str = "true"
) -> set[int]:
    """Return those of a stage's units with an upstream to be redone first: a done task for which `which` holds.

    Nothing waits for what will not be redone: `among` is the SQL condition of the tasks that may run.
    """
    held: set[int] = set()
    for edge in graph.upstreams[stage]:
        if edge.kind == "finer":
            held.update(
                unit for unit in units if unit not in held and any_under(db, graph, edge, unit, which, among)
            )
        else:
            up = json.dumps(sorted(members_of(db, graph, edge, units)))
            these = f"{which} AND unit IN (SELECT value FROM json_each('{up}'))"
            pending = {unit for piece in pieces(db, graph, edge.up, these, among) for unit in piece}
            held.update(dependents(db, graph, edge, pending).intersection(units) if pending else ())
    return held


def any_under(db: sqlite3.Connection, graph: Graph, edge: Edge, group: int, which: str, among: str) -> bool:
    """Whether a member of a group is to be redone."""
    up, level = graph.ids[edge.up], graph.stages[edge.down].level
    counted = db.execute(
        "SELECT 1 FROM tally WHERE stage = ? AND unit = ? AND state = 'stale' AND n > 0", (up, group)
    )
    if counted.fetchone() is None:
        return False
    under = f"unit IN (SELECT id FROM unit WHERE g{level} = {group})" if level else "true"
    return any(pieces(db, graph, edge.up, f"{which} AND {under}", among))


def pieces(db: sqlite3.Connection, graph: Graph, stage: str, which: str, among: str) -> Iterator[list[int]]:
    """Yield, piece by piece, the units whose task of a stage is to be redone and will be."""
    sql = (
        f"SELECT unit FROM task WHERE stage = ? AND state = 'done' AND unit > ? AND {which} AND {among}"
        f" ORDER BY unit LIMIT {AT_ONCE}"
    )
    last, going = 0, {"ready"} | ({"waiting"} if is_at_work_above(db, graph, stage, among) else set[str]())
    while units := [row[0] for row in db.execute(sql, (graph.ids[stage], last))]:
        last = units[-1]
        never = overruled(db, graph, stage, units) | held_back(db, graph, stage, units)
        verdicts = verdicts_of(db, graph, stage, units)
        if yielded := [unit for unit in units if unit not in never and verdicts[unit].state in going]:
            yield yielded


def is_at_work_above(db: sqlite3.Connection, graph: Graph, stage: str, among: str) -> bool:
    """Whether something is made, or about to be, for which the tasks of a stage may be waiting."""
    ids = json.dumps([graph.ids[name] for name in graph.needed_by(stage) - {stage}])
    tallied = (
        "SELECT y.stage FROM json_each(?) j CROSS JOIN tally y ON y.stage = j.value AND y.unit = 1 AND y.n > 0"
        " JOIN stage s ON s.id = y.stage WHERE y.state IN ('queued', 'running')"
        " OR (y.state = 'ready' AND s.paused IS NULL)"
    )
    active = "state IN ('ready', 'queued', 'running')"
    return any(
        among == "true"
        or db.execute(f"SELECT 1 FROM task WHERE stage = ? AND {active} AND {among} LIMIT 1", row).fetchone()
        for row in db.execute(tallied, (ids,)).fetchall()
    )
