"""Which tasks are behind a task, and which were made from it: the graph of stages, walked once in its order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from penstock.graph import Graph
from penstock.ledger.inputs import members_of
from penstock.ledger.readers import dependents

Tasks = dict[str, set[int]]
"""Units by stage."""


DONE = "SELECT t.unit FROM json_each(?1) j CROSS JOIN task t ON t.stage = ?2 AND t.unit = j.value WHERE t.state = 'done'"
TRIED = f"{DONE} OR EXISTS (SELECT 1 FROM attempt a WHERE a.stage = t.stage AND a.unit = t.unit)"


def done(db: sqlite3.Connection, stage: int, units: Iterable[int]) -> set[int]:
    """Return those units of which a stage's task is done."""
    return {row[0] for row in db.execute(DONE, (json.dumps(list(units)), stage))}


def tried(db: sqlite3.Connection, stage: int, units: Iterable[int]) -> set[int]:
    """Return those units of which a stage's task is done or was tried."""
    return {row[0] for row in db.execute(TRIED, (json.dumps(list(units)), stage))}


def under(db: sqlite3.Connection, graph: Graph, unit: int) -> Tasks:
    """Return the tasks of a unit or group and of all that is in it, as far as they were tried."""
    level = int(db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone()[0])
    found: Tasks = {}
    for name, stage in graph.stages.items():
        if stage.level >= level:
            within = f"level = {stage.level} AND " + (f"g{level} = {unit}" if level else "true")
            units = (row[0] for row in db.execute(f"SELECT id FROM unit WHERE {within}"))
            if some := tried(db, graph.ids[name], units):
                found[name] = some
    return found


def behind(db: sqlite3.Connection, graph: Graph, start: Mapping[str, set[int]]) -> Tasks:
    """Return these tasks and all that they were made from, directly or not."""
    found: Tasks = {name: set(units) for name, units in start.items()}
    for name in reversed([*graph.stages]):
        for edge in graph.upstreams[name] if name in found else ():
            if not edge.expander:
                members = done(db, graph.ids[edge.up], members_of(db, graph, edge, found[name]))
                if members:
                    found.setdefault(edge.up, set()).update(members)
    return found


def ahead(db: sqlite3.Connection, graph: Graph, start: Mapping[str, set[int]]) -> Tasks:
    """Return all tasks that were made from these, directly or not; of these only those that were made from others."""
    found: Tasks = {}
    for name in graph.stages:
        units = start.get(name, set[int]()) | found.get(name, set[int]())
        for edge in graph.downstreams[name] if units else ():
            if not edge.expander:
                readers = done(db, graph.ids[edge.down], dependents(db, graph, edge, set(units)))
                if readers:
                    found.setdefault(edge.down, set()).update(readers)
    return found
