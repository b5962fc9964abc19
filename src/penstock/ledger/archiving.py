"""Units whose data were put away on purpose: never processed, never missed, and what was made of them stays."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.display import count
from penstock.graph import Graph
from penstock.ledger import tasks
from penstock.ledger.history import append_with, cause_of
from penstock.ledger.readers import dependents
from penstock.ledger.readiness import RESTING, Touched
from penstock.ledger.unitchanges import add_tasks, touch_groups
from penstock.ledger.units import Values, under

Dropped = dict[str, list[int]]  # stage → units


def members_meant(db: sqlite3.Connection, graph: Graph, target: Mapping[str, Any]) -> list[sqlite3.Row]:
    """Return the units that a target names, and those in the groups that it names; no groups."""
    levels = range(1, len(graph.levels) + 1)
    return [row for level in levels for row in under(db, target["units"], level) if row["origin"] != "group"]


def archive(
    db: sqlite3.Connection, graph: Graph, target: Mapping[str, Any], by: str, touched: Touched
) -> str:
    """Put units away: what was never done of them has no task any more."""
    rows = [row for row in members_meant(db, graph, target) if row["archived"] is None]
    units, cause = [row["id"] for row in rows], cause_of(db, by, target["why"])
    sql = "UPDATE unit SET archived = ?, gone = coalesce(gone, clock()) WHERE id = ?"
    db.executemany(sql, [(cause, unit) for unit in units])
    append_with(db, "archived", dict.fromkeys(units, str(target["why"])), by=by)
    kept = active = 0
    away = [*units, *emptied(db, graph, rows)]
    for stage, number in graph.ids.items():
        states = tasks.states_of(db, number, away).values()
        drop_resting(db, graph, stage, [row for row in states if row["state"] in RESTING], touched)
        touch_groups(db, graph, stage, at_level(rows, graph.stages[stage].level), touched)
        kept += sum(row["state"] == "done" for row in states)
        active += sum(row["state"] in ("queued", "running") for row in states)
    made = f"; what was made of them stays ({count(kept, 'task')})" if kept else ""
    busy = f"; {count(active, 'task')} queued or running end first" if active else ""
    return f"{count(len(units), 'unit')} archived{made}{busy}"


def at_level(rows: Sequence[sqlite3.Row], level: int) -> set[int]:
    """Return those of these units that are at a level."""
    return {row["id"] for row in rows if row["level"] == level}


def emptied(db: sqlite3.Connection, graph: Graph, rows: Sequence[sqlite3.Row]) -> list[int]:
    """Return the groups above these units of which no unit is left."""
    found = list[int]()
    for level in range(1, len(graph.levels)):
        groups = json.dumps(list({row[f"g{level}"] for row in rows if row["level"] > level}))
        left = (
            f"SELECT 1 FROM unit u WHERE u.g{level} = j.value AND u.level > {level} AND u.origin <> 'group'"
        )
        sql = f"SELECT j.value FROM json_each(?) j WHERE NOT EXISTS ({left} AND u.archived IS NULL)"
        found += [row[0] for row in db.execute(sql, (groups,))]
    return found


def drop_resting(
    db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row], touched: Touched
) -> None:
    """Remove tasks that were never done, and touch what depends on them."""
    tasks.drop(db, graph, stage, rows)
    for edge in graph.downstreams[stage] if rows else ():
        touched.add(edge.down, dependents(db, graph, edge, {row["unit"] for row in rows}))


def unarchive(
    db: sqlite3.Connection, graph: Graph, values: Values, target: Mapping[str, Any], by: str, touched: Touched
) -> str:
    """Bring units back: they are gone until the next scan finds them."""
    rows = [row for row in members_meant(db, graph, target) if row["archived"] is not None]
    units = [row["id"] for row in rows]
    db.executemany("UPDATE unit SET archived = NULL, gone = NULL WHERE id = ?", ((unit,) for unit in units))
    for stage in graph.stages:
        add_tasks(db, graph, values, stage, 0, touched)
        touched.add(stage, units)
        touch_groups(db, graph, stage, at_level(rows, graph.stages[stage].level), touched)
    db.executemany("UPDATE unit SET gone = clock() WHERE id = ?", ((unit,) for unit in units))
    append_with(db, "unarchived", dict.fromkeys(units, str(target.get("why", ""))), by=by)
    db.execute("DELETE FROM meta WHERE name GLOB 'source.*'")  # what their sources contain is compared again
    back = "; the next scan finds those that are there"
    return f"{count(len(units), 'unit')} no longer archived{back}" if units else "nothing of that is archived"
