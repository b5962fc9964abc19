"""Which tasks read what others make."""

from __future__ import annotations

import json
import sqlite3

from penstock.display import count
from penstock.graph import Edge, Graph
from penstock.ledger import tasks
from penstock.ledger.tasks import chunks
from penstock.ledger.units import ROOT

READ = "its files are still read where they were"  # how the reason begins of a step that waits for that
AWAITING = "awaiting readers"  # in `meta`: some step does
MOVED = (
    "SELECT s.name, p.unit, m.batch FROM moved m JOIN product p ON p.path = m.path JOIN stage s ON s.id = p.stage"
    " WHERE m.stage = ? AND m.unit = ?"
)


def dependents(db: sqlite3.Connection, graph: Graph, edge: Edge, units: set[int]) -> set[int]:
    """Return the units whose tasks downstream depend on these upstream units."""
    level_up, level_down = graph.stages[edge.up].level, graph.stages[edge.down].level
    if edge.kind == "same":
        return units
    if edge.kind == "finer" and level_down == 0:
        return {ROOT}
    found: set[int] = set()
    for piece in chunks(units):
        found.update(
            row[0]
            for row in db.execute(dependents_sql(graph, edge, level_up, level_down), (json.dumps(piece),))
        )
    return found


def dependents_sql(graph: Graph, edge: Edge, level_up: int, level_down: int) -> str:
    """Return the query for the units downstream of a list of units."""
    if edge.kind == "finer":
        return f"SELECT DISTINCT u.g{level_down} FROM json_each(?) j JOIN unit u ON u.id = j.value"
    if edge.kind == "keyed":
        up, down = graph.ids[edge.up], graph.ids[edge.down]
        return (
            "SELECT k.unit FROM json_each(?) j JOIN unit u ON u.id = j.value"
            f" JOIN link k ON k.upstream = {up} AND k.key = u.key AND k.stage = {down}"
        )
    under = f"u.g{level_up} = j.value" if level_up else "j.value = 1"
    return f"SELECT u.id FROM json_each(?) j JOIN unit u ON u.level = {level_down} AND {under}"


def read_now(db: sqlite3.Connection, graph: Graph, stage: str, unit: int) -> bool:
    """Whether a task that reads this one's products is queued or running."""
    for edge in graph.downstreams[stage]:
        for piece in chunks(dependents(db, graph, edge, {unit})):
            rows = tasks.states_of(db, graph.ids[edge.down], piece).values()
            if any(row["state"] in ("queued", "running") for row in rows):
                return True
    return False


def read_before(db: sqlite3.Connection, graph: Graph, step: str, unit: int) -> str | None:
    """Say which tasks read products of a group, that a step moved, where they were: those that were queued before."""
    groups: dict[str, set[int]] = {}
    newest = 0
    for stage, member, batch in db.execute(MOVED, (graph.ids[step], unit)):
        groups.setdefault(stage, set()).add(member)
        newest = max(newest, batch)
    for stage, members in groups.items():
        for edge in graph.downstreams.get(stage, ()):
            reading = [
                row
                for piece in chunks(dependents(db, graph, edge, members))
                for row in tasks.states_of(db, graph.ids[edge.down], piece).values()
                if row["state"] in ("queued", "running") and (row["batch"] or 0) <= newest
            ]
            if reading:
                return f"{READ}, by {count(len(reading), 'task')} of '{edge.down}'"
    return None


def note_awaiting(db: sqlite3.Connection) -> None:
    """Note that a step waits for readers, so that nobody looks for such steps where there is none."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, '')", (AWAITING,))


def awaiting_readers(db: sqlite3.Connection, graph: Graph) -> dict[str, list[int]]:
    """Return the steps, with their groups, that wait for tasks to end that read products where they were."""
    if not db.execute("SELECT 1 FROM meta WHERE name = ?", (AWAITING,)).fetchone():
        return {}
    sql = "SELECT unit FROM task WHERE stage = ? AND state = 'waiting' AND substr(why, 1, ?) = ?"
    clearing = [
        name for name, stage in graph.stages.items() if stage.closing and stage.closing.step == "clear"
    ]
    found = {
        name: [row[0] for row in db.execute(sql, (graph.ids[name], len(READ), READ))] for name in clearing
    }
    if not any(found.values()):
        db.execute("DELETE FROM meta WHERE name = ?", (AWAITING,))
    return found
