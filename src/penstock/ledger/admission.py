"""What follows when units come, change, go or return: their tasks, and those that depend on them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from penstock.graph import Edge, Graph
from penstock.ledger import tasks
from penstock.ledger.readiness import Touched, candidates, propagate
from penstock.ledger.units import Difference, Values
from penstock.units import Placeholder, Template, canonical


def admit(db: sqlite3.Connection, graph: Graph, values: Values, difference: Difference) -> None:
    """Bring the tasks to what `difference` says of the units."""
    touched, changed = Touched(), defaultdict[str, set[int]](set)
    again = bool(difference.changed or difference.back)
    for stage in graph.stages:
        after = 0 if again and graph.stages[stage].where else difference.new_after
        add_tasks(db, graph, values, stage, after, touched)
        leave(db, graph, stage, difference.gone, changed[stage])
        come_back(db, graph, stage, difference.back, changed[stage], touched)
        renew(db, graph, stage, dict(difference.changed), changed[stage])
    propagate(db, graph, changed, touched)


def add_tasks(
    db: sqlite3.Connection, graph: Graph, values: Values, stage: str, after: int, touched: Touched
) -> None:
    """Make the tasks of new units, vetoed where a person said so before, and touch what they may change."""
    if not tasks.create(db, graph, values, stage, after=after):
        return
    for edge in graph.upstreams[stage]:
        if edge.kind == "keyed":
            add_links(db, graph, values, edge, after)
    veto_new(db, graph, stage, after)
    for units in candidates(db, graph, stage, after=after) if graph.upstreams[stage] else ():
        touched.add(stage, units)
    for edge in graph.downstreams[stage]:
        if edge.kind == "finer":
            touched.add(edge.down, groups_with_new(db, graph, edge, after))


def groups_with_new(db: sqlite3.Connection, graph: Graph, edge: Edge, after: int) -> list[int]:
    """Return the groups of `edge`'s lower end that have new members."""
    level = graph.stages[edge.down].level
    if level == 0:
        return [1]
    sql = f"SELECT DISTINCT g{level} FROM unit WHERE id > ? AND level = ?"
    return [row[0] for row in db.execute(sql, (after, graph.stages[edge.up].level))]


def add_links(db: sqlite3.Connection, graph: Graph, values: Values, edge: Edge, after: int) -> None:
    """Note which upstream unit the fields of each new unit name (RULES 4)."""
    down, up, level = graph.ids[edge.down], graph.ids[edge.up], graph.stages[edge.down].level
    assert edge.after is not None
    rows = db.execute("SELECT * FROM unit WHERE id > ? AND level = ?", (after, level)).fetchall()
    named = [(down, row["id"], up, key_named(edge, values.of(row))) for row in rows]
    db.executemany("INSERT INTO link VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET key = excluded.key", named)


def key_named(edge: Edge, values: dict[str, object]) -> str:
    """Return the key that templates like `{calib_night}` make of a unit's values; a lone placeholder keeps its type."""
    assert edge.after is not None
    return canonical([value_of(template, values) for template in edge.after.key])


def value_of(template: Template, values: dict[str, object]) -> Any:
    """Return what a template makes of `values`: the very value when it is one placeholder, else text."""
    match template.parts:
        case (Placeholder(name=name),) if name in values:
            return values[name]
        case _:
            return template.render(values)


def veto_new(db: sqlite3.Connection, graph: Graph, stage: str, after: int) -> None:
    """Veto the new tasks whose unit or group a person has vetoed."""
    vetoes = db.execute("SELECT * FROM veto WHERE lifted IS NULL").fetchall()
    for veto in vetoes:
        if veto["stage"] in (None, graph.ids[stage]):
            veto_tasks(db, graph, stage, veto["unit"], f"vetoed by {veto['by']}: {veto['why']}", after=after)


def veto_tasks(
    db: sqlite3.Connection, graph: Graph, stage: str, unit: int, why: str, *, after: int = 0
) -> list[int]:
    """Veto the tasks of `stage` for a unit and all under it that are not done or on their way; return those units."""
    rows = tasks_under(db, graph, stage, unit, after=after)
    moves = [
        tasks.Move(row["unit"], row["state"], "vetoed", why)
        for row in rows
        if row["state"] in ("waiting", "ready", "blocked", "failed", "gone")
    ]
    tasks.move(db, graph, stage, moves)
    return [m.unit for m in moves]


def tasks_under(
    db: sqlite3.Connection, graph: Graph, stage: str, unit: int, *, after: int = 0
) -> list[sqlite3.Row]:
    """Return the tasks of `stage` for a unit and all units under it."""
    level = db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone()[0]
    if level > graph.stages[stage].level:
        return []
    under = f"u.g{level} = {unit}" if level else "true"
    return db.execute(
        f"SELECT t.* FROM task t JOIN unit u ON u.id = t.unit WHERE t.stage = ? AND {under} AND u.id > ?",
        (graph.ids[stage], after),
    ).fetchall()


def leave(db: sqlite3.Connection, graph: Graph, stage: str, gone: Sequence[int], changed: set[int]) -> None:
    """Mark what was never done as gone; what is done stays done."""
    rows = tasks.states_of(db, graph.ids[stage], gone).values() if gone else ()
    leaving = [r for r in rows if r["state"] in ("waiting", "ready", "blocked", "failed")]
    tasks.move(
        db,
        graph,
        stage,
        [tasks.Move(r["unit"], r["state"], "gone", "its input disappeared") for r in leaving],
    )
    changed.update(r["unit"] for r in leaving)


def come_back(
    db: sqlite3.Connection, graph: Graph, stage: str, back: Sequence[int], changed: set[int], touched: Touched
) -> None:
    """Wake the tasks of units whose input is there again."""
    rows = tasks.states_of(db, graph.ids[stage], back).values() if back else ()
    returning = [r["unit"] for r in rows if r["state"] == "gone"]
    state = "waiting" if graph.upstreams[stage] else "ready"
    tasks.move(db, graph, stage, [tasks.Move(unit, "gone", state) for unit in returning])
    changed.update(returning)
    touched.add(stage, returning)


def renew(
    db: sqlite3.Connection, graph: Graph, stage: str, reasons: dict[int, str], changed: set[int]
) -> None:
    """Mark what was made from a changed input as stale, and try again what failed on it."""
    rows = tasks.states_of(db, graph.ids[stage], reasons).values() if reasons else ()
    done = {r["unit"]: reasons[r["unit"]] for r in rows if r["state"] == "done"}
    tasks.mark_stale(db, graph, stage, done)
    failed = [r["unit"] for r in rows if r["state"] == "failed"]
    changed.update(retry_failed(db, graph, stage, failed, why="its input changed"))


def retry_failed(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Iterable[int], *, why: str
) -> list[int]:
    """Give failed tasks all their retries again."""
    failed = list(units)
    db.execute(
        "UPDATE task SET tries = 0, free = 0, alone = 0 WHERE stage = ? AND unit IN (SELECT value FROM json_each(?))",
        (graph.ids[stage], json.dumps(failed)),
    )
    tasks.move(db, graph, stage, [tasks.Move(unit, "failed", "ready", f"again: {why}") for unit in failed])
    return failed
