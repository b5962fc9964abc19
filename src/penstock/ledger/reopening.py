"""Closing a group and opening it again: what people ask for, and what follows when a seal is there."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping

from penstock.display import Labels, show_command
from penstock.graph import Graph
from penstock.ledger import Ledger, tasks
from penstock.ledger.closings import (
    CLOSE,
    CLOSED,
    REOPENED,
    decision_on,
    is_closed,
    name_of,
    seals,
    starts,
    steps_at,
)
from penstock.ledger.history import Entry, append, append_with, cause_of
from penstock.ledger.inputs import digests_of
from penstock.ledger.readiness import RESTING, Touched, make_ready, may_run, propagate, verdicts_of

CAME = "a member came while the group was sealed"


def close(db: sqlite3.Connection, graph: Graph, unit: int, by: str, why: str, touched: Touched) -> str:
    """Let a group be closed whatever the conditions of its level say; return what will happen."""
    labels, row = Labels.read(db), unit_row(db, unit)
    steps, name, label = steps_at(graph, row["level"]), name_of(labels, row), labels.label(row["key"])
    if not steps:
        level = labels.level(row["level"])
        return f"nothing done: groups of {level!r} are not closed; add [close.{level}] to the definition"
    if is_closed(db, graph, unit):
        return f"nothing done: {name} is closed; `{show_command(REOPEN, label)}` opens it"
    append(db, [Entry(unit, CLOSE, cause=cause_of(db, by, why))])
    touched.add(steps[0], [unit])
    verdict = verdicts_of(db, graph, steps[0], [unit])[unit]
    words = ", ".join(graph.stages[step].closing.step for step in steps)  # type: ignore[union-attr]
    if verdict.state == "ready":
        return f"{name} will be closed: {words}"
    return f"{name} will be closed ({words}) when its tasks are done: {verdict.why}"


REOPEN = "reopen"


def reopen(db: sqlite3.Connection, graph: Graph, unit: int, by: str, why: str, touched: Touched) -> str:
    """Open a closed group: what came late runs, and it stays open until somebody closes it."""
    labels, row = Labels.read(db), unit_row(db, unit)
    name, command = name_of(labels, row), show_command(CLOSE, labels.label(row["key"]))
    if not is_closed(db, graph, unit):
        return f"nothing done: {name} is not closed"
    number = note_reopened(db, unit, seal_digest(db, seal_stage(graph, row["level"]), unit), by, why)
    for step in steps_at(graph, row["level"]):
        if tasks.states_of(db, graph.ids[step], [unit])[unit]["state"] == "done":
            make_ready(db, graph, step, {unit: f"reopened by {by}"})
        touched.add(step, [unit])
    touch_under(db, graph, unit, touched)
    return f"{name} is open; its seal {number} is kept, and `{command}` closes it again"


def note_reopened(db: sqlite3.Connection, unit: int, digest: str | None, by: str, why: str) -> int:
    """Note that a group is open again, and the digest of its seal; return the number of that."""
    number = seal_number(db, unit)
    append(db, [Entry(unit, REOPENED, old=digest, new=str(number), cause=cause_of(db, by, why))])
    return number


def seal_stage(graph: Graph, level: int) -> int:
    """Return the id of the stage that seals the groups of a level that is closed."""
    return next(graph.ids[seal.name] for seal in seals(graph) if seal.level == level)


def unit_row(db: sqlite3.Connection, unit: int) -> sqlite3.Row:
    """Return the row of a unit."""
    return db.execute("SELECT * FROM unit WHERE id = ?", (unit,)).fetchone()


def seal_number(db: sqlite3.Connection, unit: int) -> int:
    """Return the number of a group's present or next seal: how often it was opened again, and one."""
    sql = "SELECT count(*) FROM history WHERE unit = ? AND what = ?"
    return int(db.execute(sql, (unit, REOPENED)).fetchone()[0]) + 1


def seal_digest(db: sqlite3.Connection, stage_id: int, unit: int) -> str | None:
    """Return the digest of a group's seal as it was made."""
    sql = "SELECT digest FROM product WHERE stage = ? AND unit = ? AND name = 'seal'"
    row = db.execute(sql, (stage_id, unit)).fetchone()
    return row and row[0]


def previous_seal(db: sqlite3.Connection, unit: int) -> str | None:
    """Return the digest of the seal that a group had before it was last opened."""
    sql = "SELECT old FROM history WHERE unit = ? AND what = ? ORDER BY n DESC LIMIT 1"
    row = db.execute(sql, (unit, REOPENED)).fetchone()
    return row and row[0]


def touch_under(db: sqlite3.Connection, graph: Graph, unit: int, touched: Touched) -> None:
    """Touch what a closed group held back, and what became stale in it."""
    for stage in graph.stages:
        rows = tasks.under(db, graph, stage, unit)
        touched.add(stage, [r["unit"] for r in rows if r["state"] in RESTING or r["stale"] is not None])


def settle_closed(
    db: sqlite3.Connection, graph: Graph, changed: Mapping[str, set[int]], touched: Touched
) -> None:
    """Note the groups that have a seal now; one that is no longer of the present members is made again."""
    for seal in seals(graph):
        units = sorted(changed.get(seal.name, ()))
        rows = tasks.states_of(db, graph.ids[seal.name], units)
        for unit in (unit for unit in units if rows[unit]["state"] == "done"):
            same = digests_of(db, graph, seal.name, [unit])[unit] == rows[unit]["inputs"]
            if same and may_run(db, graph, seal.name, [unit]):
                decision = decision_on(db, unit)
                append_with(db, CLOSED, {unit: ""}, by=decision.by if decision else "")
                touch_under(db, graph, unit, touched)
            else:
                make_ready(db, graph, seal.name, {unit: CAME})
                touched.add(seal.name, [unit])


def begin_due(ledger: Ledger, graph: Graph, now: float) -> int:
    """Let the closings begin whose time has come; return how many."""
    due = defaultdict[str, list[int]](list)
    sql = (
        "SELECT u.id, u.key FROM task t CROSS JOIN unit u ON u.id = t.unit"
        " WHERE t.stage = ? AND t.state = 'waiting' AND t.why LIKE 'it is not %'"
    )
    for name, stage in graph.stages.items():
        if stage.closing and stage.closing.is_first and stage.closing.not_before:
            for unit, key in ledger.db.execute(sql, (graph.ids[name],)).fetchall():
                if now >= (starts(stage.closing, key) or 0.0):
                    due[name].append(unit)
    if due:
        touched = Touched()
        for name, units in due.items():
            touched.add(name, units)
        with ledger.transaction() as db:
            propagate(db, graph, {}, touched)
    return sum(map(len, due.values()))
