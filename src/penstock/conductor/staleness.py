"""Redoing, on request, what was made from an older definition or input."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from penstock.conductor.scope import Scope
from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.awaiting import awaiting
from penstock.ledger.order import Waiting
from penstock.ledger.readiness import Touched, make_ready, propagate, redoable
from penstock.ledger.redoing import mark_next
from penstock.ledger.tasks import CANCELLED
from penstock.ledger.unitchanges import retry_failed

AT_ONCE = 5_000
AHEAD = 1_000  # tasks of backfill that are ready, of each stage: the others keep what they made


class Which(NamedTuple):
    """Which stale tasks, in what order these are looked at, and for which others upstream they wait."""

    where: str
    order: str
    waits_for: str


REQUESTED = "redo <> 0 AND redo > 1"
EVERY = Which("stale IS NOT NULL", "unit", "stale IS NOT NULL")
UNASKED = Which(f"{REQUESTED} AND behind = 0", "rank, unit", f"{REQUESTED} AND behind = 0")
BACKFILL = Which(f"{REQUESTED} AND behind = 1", "rank, unit", REQUESTED)


def redo_stale(ledger: Ledger, graph: Graph, scope: Scope, which: Which = EVERY) -> int:
    """Make the stale tasks of a scope ready again, upstreams first; return how many.

    A task waits while an upstream of it is being redone or still to be, or while a reader of its products is at work.
    """
    return next(
        (moved for stage in graph.ids if (moved := redo_stage(ledger, graph, scope, stage, which))), 0
    )


def redo_backfill(ledger: Ledger, graph: Graph, scope: Scope) -> int:
    """Make the next tasks of the backfill ready again, no more of each stage than can go soon; return how many."""
    moved = 0
    for stage, number in graph.ids.items():
        ready = Waiting(graph.stages[stage], number, behind=True).how_many(ledger.db, AHEAD)
        if room := AHEAD - ready:
            moved += redo_stage(ledger, graph, scope, stage, BACKFILL, most=room)
    return moved


def redo_stage(
    ledger: Ledger, graph: Graph, scope: Scope, stage: str, which: Which, *, most: int = AT_ONCE
) -> int:
    """Make stale tasks of one stage ready again, a piece of them a turn; return how many.

    Where none of a piece can be made, the next one is looked at as soon as nothing is at work that could change this.
    """
    if not scope.has(stage) or not stale_counted(ledger, graph.ids[stage]):
        return 0
    for rows in stale_pieces(ledger, graph.ids[stage], which, scope.where, most):
        with ledger.transaction() as db:
            moved = redo_piece(db, graph, scope, stage, rows, which)
            if which is not EVERY:
                mark_next(ledger, graph, stage, moved, behind=which is BACKFILL)
            propagate(db, graph, {stage: moved})
        if moved or scope.is_open(ledger, graph):
            return len(moved)
    return 0


def redo_piece(
    db: sqlite3.Connection, graph: Graph, scope: Scope, stage: str, rows: Sequence[sqlite3.Row], which: Which
) -> list[int]:
    """Make those of some stale tasks ready again that have nothing to wait for; return them."""
    whys = {row["unit"]: row["stale"] for row in rows}
    free = redoable(db, graph, stage, list(whys))
    among = scope.condition(graph)
    held = awaiting(db, graph, stage, free, which.waits_for, among) if free else set[int]()
    moved = [unit for unit in free if unit not in held]
    make_ready(db, graph, stage, {unit: whys[unit] for unit in moved})
    return moved


def too_early(ledger: Ledger, graph: Graph, scope: Scope, stage: str, which: Which) -> set[int]:
    """Return the ready tasks of a stage that would read what is about to be redone."""
    ups = [edge.up for edge in graph.upstreams[stage]]
    if not any(
        stale_counted(ledger, graph.ids[up]) and any_stale(ledger, graph.ids[up], which) for up in ups
    ):
        return set()
    sql = "SELECT unit FROM task WHERE stage = ? AND state = 'ready' AND due IS NULL"
    ready = [row[0] for row in ledger.db.execute(sql, (graph.ids[stage],))]
    return awaiting(ledger.db, graph, stage, ready, which.waits_for, scope.condition(graph))


def any_stale(ledger: Ledger, stage_id: int, which: Which) -> bool:
    """Whether done tasks of a stage are to be redone before others."""
    sql = f"SELECT 1 FROM task WHERE stage = ? AND state = 'done' AND {which.waits_for} LIMIT 1"
    return ledger.db.execute(sql, (stage_id,)).fetchone() is not None


def stale_pieces(
    ledger: Ledger, stage_id: int, which: Which, among: str, most: int
) -> Iterator[list[sqlite3.Row]]:
    """Yield the stale tasks of a stage, in their order, for which an SQL condition holds."""
    keys, last, beyond = which.order.split(", "), (), ""
    sql = (
        f"SELECT rank, unit, stale FROM task WHERE stage = ? AND state = 'done' AND {which.where} AND {among}"
    )
    while True:
        text = f"{sql} {beyond} ORDER BY {which.order} LIMIT ?"
        rows = ledger.db.execute(text, (stage_id, *last, most)).fetchall()
        if not rows:
            return
        yield rows
        last = [rows[-1][key] for key in keys]
        beyond = f"AND ({which.order}) > ({', '.join('?' * len(keys))})"


def retry_cancelled(ledger: Ledger, graph: Graph, scope: Scope) -> int:
    """Retry the tasks of a scope that were done and were cancelled while they were redone; return how many."""
    moved, touched = dict[str, list[int]](), Touched()
    with ledger.transaction() as db:
        for stage, number in graph.ids.items():
            if scope.has(stage):
                rows = db.execute(WERE_DONE.format(scope.where), (number, f"{CANCELLED} *"))
                units = [row[0] for row in rows.fetchall()]
                moved[stage] = retry_failed(db, graph, stage, units, why="all that is stale is redone")
                touched.add(stage, units)
        propagate(db, graph, moved, touched)
    return sum(map(len, moved.values()))


WERE_DONE = (
    "SELECT unit FROM task INDEXED BY task_failed WHERE stage = ? AND state = 'failed' AND why GLOB ? AND {} AND EXISTS (SELECT 1"
    " FROM attempt a WHERE a.stage = task.stage AND a.unit = task.unit AND a.outcome = 'ok' AND NOT a.late)"
)


def stale_counted(ledger: Ledger, stage_id: int) -> bool:
    """Whether the tally counts stale tasks of a stage."""
    row = ledger.db.execute(
        "SELECT n FROM tally WHERE stage = ? AND unit = 1 AND state = 'stale'", (stage_id,)
    ).fetchone()
    return bool(row and row[0])
