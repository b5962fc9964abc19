"""Tasks that a person says are done, though penstock did not do them: marked, and unmarked again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from penstock.display import count
from penstock.graph import Graph
from penstock.ledger import tasks
from penstock.ledger.history import append_with, cause_of
from penstock.ledger.inputs import digests_of
from penstock.ledger.products import forget_made, withdraw
from penstock.ledger.readiness import RESTING

Marked = dict[str, list[int]]  # stage → units


class Lying(NamedTuple):
    """A file that lies where a product will be."""

    stage: int
    unit: int
    name: str
    path: str
    bytes: int
    digest: str
    mtime_ns: int


def mark(db: sqlite3.Connection, graph: Graph, target: Mapping[str, Any], by: str) -> tuple[Marked, str]:
    """Count tasks as done that somebody else did, with the products that lie there; return them, and the answer.

    One whose products others read is left out where these are missing.
    """
    marked, left, unread = Marked(), 0, dict[str, int]()
    lying = by_task(db, target.get("products", ()))
    for stage in chosen_stages(graph, target):
        rows = chosen_rows(db, graph, stage, target)
        free = [row for row in rows if row["state"] in RESTING and row["state"] != "vetoed"]
        left += len(rows) - len(free)
        whole = [
            row for row in free if is_whole(graph, stage, lying.get((graph.ids[stage], row["unit"]), ()))
        ]
        unread[stage] = len(free) - len(whole)
        marked[stage] = [row["unit"] for row in whole]
        count_as_done(db, graph, stage, whole, why=target["why"], by=by)
        adopt(db, graph.ids[stage], {unit: lying.get((graph.ids[stage], unit), ()) for unit in marked[stage]})
    return marked, say_marked(sum(map(len, marked.values())), left, unread)


def say_marked(n: int, left: int, unread: Mapping[str, int]) -> str:
    """Say what marking came to."""
    alone = [f"{count(left, 'task')} left alone (done, queued, running or vetoed)"] if left else []
    out = [
        f"{count(k, 'task')} of '{stage}' left out: their products are read by another stage and are not there"
        for stage, k in unread.items()
        if k
    ]
    return "; ".join([f"{count(n, 'task')} marked as done", *alone, *out])


def chosen_stages(graph: Graph, target: Mapping[str, Any]) -> list[str]:
    """Return the stages that a target selects."""
    return [name for name in graph.stages if target.get("stage") in (None, name)]


def chosen_rows(
    db: sqlite3.Connection, graph: Graph, stage: str, target: Mapping[str, Any]
) -> list[sqlite3.Row]:
    """Return the tasks of a stage that a target selects by its units, each once."""
    rows = {row["unit"]: row for unit in target["units"] for row in tasks.under(db, graph, stage, unit)}
    return list(rows.values())


def by_task(db: sqlite3.Connection, given: Iterable[Sequence[Any]]) -> dict[tuple[int, int], list[Lying]]:
    """Group the files that were found by their tasks, without those that are another task's product."""
    found = list(map(Lying._make, given))
    rows = db.execute(
        "SELECT p.path, p.stage, p.unit FROM json_each(?) j CROSS JOIN product p ON p.path = j.value",
        (json.dumps([one.path for one in found]),),
    )
    owner = {row[0]: (row[1], row[2]) for row in rows}
    grouped: dict[tuple[int, int], list[Lying]] = {}
    for one in found:
        task = (one.stage, one.unit)
        if owner.get(one.path, task) == task:
            grouped.setdefault(task, []).append(one)
    return grouped


def is_whole(graph: Graph, stage: str, lying: Sequence[Lying]) -> bool:
    """Whether nobody misses a product of such a task."""
    needed = {product.name for product in graph.stages[stage].products if not product.optional}
    read = any(not edge.expander for edge in graph.downstreams[stage])
    return not read or needed <= {one.name for one in lying}


def count_as_done(
    db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row], *, why: str, by: str
) -> None:
    """Move tasks to `done`, made from what is there now and by no definition."""
    if not rows:
        return
    tasks.move(db, graph, stage, [tasks.Move(row["unit"], row["state"], "done") for row in rows])
    note_marked(db, graph, stage, [row["unit"] for row in rows], why=why, by=by)


def note_marked(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int], *, why: str, by: str
) -> None:
    """Record of tasks that are done who says so, and why."""
    number, cause, said = graph.ids[stage], cause_of(db, by, why), f"marked by {by}: {why}"
    db.executemany(
        "UPDATE task SET marked = ?, why = ?, made = NULL, inputs = ?, failed = NULL, tries = 0, free = 0, alone = 0,"
        " time_scale = 1, memory_scale = 1 WHERE stage = ? AND unit = ?",
        [(cause, said, digest, number, unit) for unit, digest in digests_of(db, graph, stage, units).items()],
    )
    append_with(db, "marked", dict.fromkeys(units, why), stage=number, by=by)


def adopt(db: sqlite3.Connection, number: int, lying: Mapping[int, Sequence[Lying]]) -> None:
    """Record files as products of marked tasks; they stay their owner's, whom penstock asks before it replaces one."""
    withdraw(db, number, {unit: [(one.name, one.path) for one in found] for unit, found in lying.items()})
    db.executemany(
        "UPDATE product SET bytes = ?, digest = ?, mtime_ns = ? WHERE path = ?",
        [(one.bytes, one.digest, one.mtime_ns, one.path) for found in lying.values() for one in found],
    )


def unmark(db: sqlite3.Connection, graph: Graph, target: Mapping[str, Any], by: str) -> tuple[Marked, str]:
    """Let marked tasks be done by penstock; return them, and the answer."""
    unmarked = Marked()
    for stage in chosen_stages(graph, target):
        rows = [
            row for row in chosen_rows(db, graph, stage, target) if row["marked"] and row["state"] == "done"
        ]
        unmarked[stage] = [row["unit"] for row in rows]
        unmark_tasks(db, graph, stage, rows, why=str(target.get("why", "")), by=by)
    n = sum(map(len, unmarked.values()))
    return unmarked, f"{count(n, 'task')} no longer marked as done" if n else "nothing of that is marked"


def unmark_tasks(
    db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row], *, why: str, by: str
) -> None:
    """Let tasks go on that were marked as done."""
    units, number, first = [row["unit"] for row in rows], graph.ids[stage], graph.first_state(stage)
    tasks.clear_stale(db, graph, stage, [row["unit"] for row in rows if row["stale"] is not None])
    tasks.move(db, graph, stage, [tasks.Move(unit, "done", first) for unit in units])
    tasks.forget_marks(db, graph, stage, units)
    forget_made(db, number, units)
    append_with(db, "unmarked", dict.fromkeys(units, why), stage=number, by=by)
