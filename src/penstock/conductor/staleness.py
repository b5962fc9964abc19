"""Redoing, on request, what was made from an older definition or input."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from penstock.conductor.scope import Scope
from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.awaiting import awaiting
from penstock.ledger.readiness import Touched, make_ready, propagate, redoable
from penstock.ledger.redoing import mark_next
from penstock.ledger.tasks import CANCELLED
from penstock.ledger.unitchanges import retry_failed

AT_ONCE = 5_000
EVERY, UNASKED = "stale IS NOT NULL", "redo <> 0 AND redo > 1"  # which stale tasks


def redo_stale(ledger: Ledger, graph: Graph, scope: Scope, which: str = EVERY) -> int:
    """Make the stale tasks of a scope ready again, upstreams first; return how many.

    A task waits while an upstream of it is being redone or still to be, or while a reader of its products is at work.
    """
    return next(
        (moved for stage in graph.ids if (moved := redo_stage(ledger, graph, scope, stage, which))), 0
    )


def redo_stage(ledger: Ledger, graph: Graph, scope: Scope, stage: str, which: str) -> int:
    """Make stale tasks of one stage ready again, a piece of them a turn; return how many.

    Where none of a piece can be made, the next one is looked at as soon as nothing is at work that could change this.
    """
    if not scope.has(stage) or not stale_counted(ledger, graph.ids[stage]):
        return 0
    for rows in stale_pieces(ledger, graph.ids[stage], f"{which} AND {scope.where}"):
        with ledger.transaction() as db:
            moved = redo_piece(db, graph, scope, stage, rows, which)
            if which == UNASKED:
                mark_next(ledger, graph, stage, moved)
            propagate(db, graph, {stage: moved})
        if moved or scope.is_open(ledger, graph):
            return len(moved)
    return 0


def redo_piece(
    db: sqlite3.Connection, graph: Graph, scope: Scope, stage: str, rows: Sequence[sqlite3.Row], which: str
) -> list[int]:
    """Make those of some stale tasks ready again that have nothing to wait for; return them."""
    whys = {row["unit"]: row["stale"] for row in rows}
    free = redoable(db, graph, stage, list(whys))
    among = scope.condition(graph)
    held = awaiting(db, graph, stage, free, f"{which} AND {among}") if free else set[int]()
    moved = [unit for unit in free if unit not in held]
    make_ready(db, graph, stage, {unit: whys[unit] for unit in moved})
    return moved


def stale_pieces(ledger: Ledger, stage_id: int, where: str) -> Iterator[list[sqlite3.Row]]:
    """Yield the stale tasks of a stage for which `where` holds, in the order of their units."""
    sql = f"SELECT unit, stale FROM task WHERE stage = ? AND unit > ? AND state = 'done' AND {where} ORDER BY unit LIMIT ?"
    last = 0
    while rows := ledger.db.execute(sql, (stage_id, last, AT_ONCE)).fetchall():
        yield rows
        last = rows[-1]["unit"]


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
