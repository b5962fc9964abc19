"""Deadlines: groups of which a stage, or what it waits for, is not done when its time is up."""

from __future__ import annotations

import json
import sqlite3

from penstock.complete import moment_on, parse_deadline
from penstock.errors import DefinitionError
from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.outbox import announce

LOOKED = "deadlines.looked"  # in `meta`: when deadlines were last looked at, and the newest unit of then
OPEN_GROUPS = (
    "SELECT DISTINCT u.id, u.key FROM tally y JOIN unit u ON u.id = y.unit WHERE y.n > 0 AND u.level = ?"
    " AND y.state NOT IN ('done', 'stale', 'vetoed', 'gone') AND y.stage IN (SELECT value FROM json_each(?))"
)


def check_deadlines(ledger: Ledger, graph: Graph, now: float) -> None:
    """Note which groups missed a deadline since it was last looked, and which of those are done by now.

    A deadline counts when its time comes, and for a group that is first seen later at once; what is done in time and
    redone later has not missed it.
    """
    seen = json.loads(ledger.meta(LOOKED) or f"[{now!r}, 0]")
    newest = ledger.db.execute("SELECT coalesce(max(id), 0) FROM unit").fetchone()[0]
    with ledger.transaction() as db:
        for stage in graph.stages:
            close_late(db, graph, stage, now)
            wrong = note_missed(db, graph, stage, tuple(seen), now)
            note_wrong(db, stage, wrong, now)
        ledger.set_meta(LOOKED, json.dumps([now, newest]))


def open_groups(db: sqlite3.Connection, graph: Graph, stage: str, level: int) -> list[tuple[int, str]]:
    """Return the groups of a level where a stage, or one that it waits for, is still to be done."""
    needed = [graph.ids[name] for name in graph.needed_by(stage) if level in graph.counted[name]]
    return [tuple(row) for row in db.execute(OPEN_GROUPS, (level, json.dumps(needed)))]


def note_missed(
    db: sqlite3.Connection, graph: Graph, stage: str, seen: tuple[float, int], now: float
) -> str | None:
    """Note the groups that missed a deadline of a stage; return what is wrong with one whose day cannot be read."""
    wrong, rows = None, list[tuple[int, int, float, float]]()
    for name, text in graph.stages[stage].deadline.items():
        level = graph.levels.index(name) + 1
        for unit, key in open_groups(db, graph, stage, level):
            try:
                due = moment_on(str(json.loads(key)[-1]), parse_deadline(text)).timestamp()
            except DefinitionError as error:
                wrong = error.message
                continue
            if due <= now and (due > seen[0] or unit > seen[1] > 0):
                rows.append((graph.ids[stage], unit, due, now))
    made = db.executemany(
        "INSERT INTO missed (stage, unit, due, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
    )
    if made.rowcount > 0:
        announce(db, "deadline", now)
    return wrong


def close_late(db: sqlite3.Connection, graph: Graph, stage: str, now: float) -> None:
    """Note that groups which missed a deadline of a stage are done all the same, or have none any more."""
    late = db.execute(
        "SELECT m.unit, u.level FROM missed m JOIN unit u ON u.id = m.unit WHERE m.stage = ? AND m.over IS NULL",
        (graph.ids[stage],),
    ).fetchall()
    levels = {graph.levels.index(name) + 1 for name in graph.stages[stage].deadline}
    still = {unit for level in levels if late for unit, _ in open_groups(db, graph, stage, level)}
    db.executemany(
        "UPDATE missed SET over = ? WHERE stage = ? AND unit = ?",
        [(now, graph.ids[stage], unit) for unit, _ in late if unit not in still],
    )


def note_wrong(db: sqlite3.Connection, stage: str, wrong: str | None, now: float) -> None:
    """Record as a problem that a deadline cannot be told from the name of a group."""
    source = f"deadline {stage}"
    if wrong is None:
        db.execute("DELETE FROM problem WHERE source = ?", (source,))
    elif not db.execute("SELECT 1 FROM problem WHERE source = ? AND why = ?", (source, wrong)).fetchone():
        db.execute(
            "INSERT INTO problem (source, subject, why, at) VALUES (?, ?, ?, ?)", (source, stage, wrong, now)
        )
