"""Whether the ledger is consistent."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.closed import REMEDY, WHY

#: what must never be there → how to find it
CONTRADICTIONS = {
    "tasks that are queued or running without an open batch": (
        "SELECT count(*) FROM task t LEFT JOIN batch b ON b.id = t.batch"
        " WHERE t.state IN ('queued', 'running') AND (b.id IS NULL OR b.state = 'finished')"
    ),
    "tasks in a batch that are neither queued nor running": (
        "SELECT count(*) FROM task WHERE batch IS NOT NULL AND state NOT IN ('queued', 'running', 'failed', 'vetoed', 'gone')"
    ),
    "done tasks without their recorded product": (
        "SELECT count(*) FROM task t JOIN product p ON p.stage = t.stage AND p.unit = t.unit"
        " WHERE t.state = 'done' AND t.marked IS NULL AND p.digest IS NULL AND NOT EXISTS (SELECT 1 FROM product q"
        " WHERE q.stage = t.stage AND q.unit = t.unit AND q.digest IS NOT NULL)"
    ),
    "tasks that are marked stale but are not done, queued or running": (
        "SELECT count(*) FROM task WHERE stale IS NOT NULL AND state NOT IN ('done', 'queued', 'running')"
    ),
    "tasks that are to be redone but are not marked stale": (
        "SELECT count(*) FROM task WHERE redo <> 0 AND stale IS NULL"
    ),
    "tasks of units that do not exist": "SELECT count(*) FROM task WHERE unit NOT IN (SELECT id FROM unit)",
}


def check_ledger(ledger: Ledger, graph: Graph) -> list[str]:
    """Return what is wrong with a ledger, a sentence each; nothing when all is well."""
    damage = [row[0] for row in ledger.db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    counted = [(what, ledger.db.execute(sql).fetchone()[0]) for what, sql in CONTRADICTIONS.items()]
    found = [f"{what}: {count:,}" for what, count in counted if count]
    changed = [f"{WHY}: {REMEDY}"] if ledger.changed else []
    return changed + damage + found + list(wrong_tallies(ledger, graph))


def wrong_tallies(ledger: Ledger, graph: Graph) -> Iterator[str]:
    """Yield the counts of states that a recount contradicts."""
    for stage, number in graph.ids.items():
        for level in graph.counted[stage]:
            counted = recounted(ledger, number, level)
            kept = tallied(ledger, number, level)
            for group, state in sorted(counted.keys() | kept.keys()):
                is_, should = kept.get((group, state), 0), counted.get((group, state), 0)
                if is_ != should:
                    yield f"stage '{stage}', group {group}: {is_} tasks are counted as {state}, there are {should}"


def recounted(ledger: Ledger, stage_id: int, level: int) -> dict[tuple[int, str], int]:
    """Count the tasks of a stage by group and state."""
    group = f"u.g{level}" if level else "1"
    rows = ledger.db.execute(
        f"SELECT {group}, t.state, count(*), sum(t.stale IS NOT NULL) FROM task t JOIN unit u ON u.id = t.unit"
        " WHERE t.stage = ? GROUP BY 1, 2",
        (stage_id,),
    ).fetchall()
    counts = {(row[0], row[1]): row[2] for row in rows}
    for row in rows:
        if row[3]:
            counts[row[0], "stale"] = counts.get((row[0], "stale"), 0) + row[3]
    return counts


def tallied(ledger: Ledger, stage_id: int, level: int) -> dict[tuple[int, str], int]:
    """Return the counts that the ledger keeps for the groups of one level."""
    rows = ledger.db.execute(
        "SELECT y.unit, y.state, y.n FROM tally y JOIN unit u ON u.id = y.unit WHERE y.stage = ? AND u.level = ? AND y.n <> 0",
        (stage_id, level),
    )
    return {(row[0], row[1]): row[2] for row in rows}
