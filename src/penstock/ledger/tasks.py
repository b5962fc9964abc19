"""Tasks in the ledger: every change of state, with its count in the tally, is made here."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from penstock.decide import Next
from penstock.graph import Graph
from penstock.ledger.evaluating import work_out
from penstock.ledger.history import append_with
from penstock.ledger.order import place_sql, rank
from penstock.ledger.outbox import announce
from penstock.ledger.products import withdraw
from penstock.ledger.tallies import add_to_tally, count_created
from penstock.ledger.units import Values
from penstock.units import Expression

T = TypeVar("T")

CHUNK = 5_000

REDEFINED = "the definition changed"
MEANWHILE = "its input changed while it ran"
CANCELLED = "cancelled by"  # and who did it
UNKNOWN = "?"  # what a follower was made from when that changed under way: like nothing that is there

OF_UNITS = "WHERE stage = ? AND unit IN (SELECT value FROM json_each(?))"


class Move(NamedTuple):
    """A task that goes from one state to another; `after` holds more of its columns."""

    unit: int
    old: str
    new: str
    why: str | None = None


def create(db: sqlite3.Connection, graph: Graph, values: Values, stage: str, *, after: int = 0) -> int:
    """Add the tasks of `stage` for the units with ids above `after`, which are new, or for all that have none; return how many.

    A stage with upstreams, or whose units may be incomplete, starts `waiting`; the caller evaluates those that may be more.
    """
    number, state, missing = graph.ids[stage], graph.first_state(stage), without_task(graph, stage, after)
    definition = graph.stages[stage]
    where, is_ranked = definition.where, isinstance(definition.order, Expression)
    rows = db.execute(f"SELECT u.* FROM unit u WHERE {missing}").fetchall() if where or is_ranked else []
    new, given = f"unit u WHERE {missing}", ()
    if where is not None:
        said = work_out(values, f"{stage}.where", rows, where.holds, else_=False)
        rows = [row for row in rows if said[row["id"]]]
        new, given = (
            "json_each(?) j JOIN unit u ON u.id = j.value",
            (json.dumps([row["id"] for row in rows]),),
        )
    insert = f"INSERT INTO task (stage, unit, state, share, rank) SELECT {number}, u.id, '{state}'"
    made = db.execute(f"{insert}, {', '.join(place_sql(definition))} FROM {new}", given).rowcount
    rank(db, graph, values, stage, rows)
    if made > 0:
        count_created(db, graph, stage, state, made, after)
    return max(made, 0)


def add(db: sqlite3.Connection, graph: Graph, stage: str, units: Iterable[int]) -> None:
    """Add tasks of `stage` for units that have none, though its `where` leaves them out."""
    number, state = graph.ids[stage], graph.first_state(stage)
    given = f"json_each(?) j JOIN unit u ON u.id = j.value AND {without_task(graph, stage, 0)}"
    missing = [row[0] for row in db.execute(f"SELECT u.id FROM {given}", (json.dumps([*units]),))]
    places = ", ".join(place_sql(graph.stages[stage]))
    insert = f"INSERT INTO task (stage, unit, state, share, rank) SELECT {number}, u.id, '{state}', {places}"
    db.execute(f"{insert} FROM {given}", (json.dumps(missing),))
    add_to_tally(db, graph, stage, [(unit, state, 1) for unit in missing])


def without_task(graph: Graph, stage: str, after: int) -> str:
    """Return the SQL condition for the units (u) that have no task of a stage yet; those above `after` are new."""
    missing = f"+u.level = {graph.stages[stage].level} AND u.gone IS NULL AND u.id > {after}"
    if after:
        return missing
    number = graph.ids[stage]
    return f"{missing} AND NOT EXISTS (SELECT 1 FROM task t WHERE t.stage = {number} AND t.unit = u.id)"


def drop(db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row]) -> None:
    """Remove tasks that were never done and that the `where` of their stage excludes now."""
    number = graph.ids[stage]
    db.executemany("DELETE FROM task WHERE stage = ? AND unit = ?", [(number, r["unit"]) for r in rows])
    add_to_tally(db, graph, stage, [(r["unit"], r["state"], -1) for r in rows])
    add_to_tally(db, graph, stage, [(r["unit"], "stale", -1) for r in rows if r["stale"] is not None])


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut into pieces of a good size for a query."""
    rest = iter(items)
    while piece := list(islice(rest, CHUNK)):
        yield piece


def states_of(db: sqlite3.Connection, stage_id: int, units: Iterable[int]) -> dict[int, sqlite3.Row]:
    """Return the task rows of one stage by unit."""
    sql = "SELECT t.* FROM json_each(?) j CROSS JOIN task t ON t.stage = ? AND t.unit = j.value"
    return {row["unit"]: row for row in db.execute(sql, (json.dumps(list(units)), stage_id))}


def under(db: sqlite3.Connection, graph: Graph, stage: str, unit: int) -> list[sqlite3.Row]:
    """Return the tasks of `stage` for a unit and all units under it."""
    level, deepest = (
        db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone()[0],
        graph.stages[stage].level,
    )
    if level > deepest:
        return []
    meant = (
        f"u.id = {unit}"
        if level == deepest
        else f"u.g{level} = {unit} AND u.level > {level}"
        if level
        else "true"
    )
    return db.execute(
        f"SELECT t.* FROM unit u CROSS JOIN task t ON t.stage = ? AND t.unit = u.id WHERE {meant}",
        (graph.ids[stage],),
    ).fetchall()


def move(db: sqlite3.Connection, graph: Graph, stage: str, moves: Sequence[Move]) -> None:
    """Change states, with their reasons, and count."""
    number = graph.ids[stage]
    db.executemany(
        "UPDATE task SET state = ?, why = ?, due = NULL WHERE stage = ? AND unit = ?",
        [(m.new, m.why, number, m.unit) for m in moves],
    )
    count_moves(db, graph, stage, moves)


def count_moves(db: sqlite3.Connection, graph: Graph, stage: str, moves: Iterable[Move]) -> None:
    """Bring the tally to what `moves` changed."""
    changed = [m for m in moves if m.old != m.new]
    add_to_tally(db, graph, stage, [x for m in changed for x in ((m.unit, m.old, -1), (m.unit, m.new, 1))])


class Queued(NamedTuple):
    """A task on its way into a batch, with what it will be made from."""

    unit: int
    inputs: str
    products: Sequence[tuple[str, str]]  # name, path
    note: str | None = None  # kept as the reason of its state, also when it is done


def queue(
    db: sqlite3.Connection,
    graph: Graph,
    stage: str,
    batch: int,
    tasks: Sequence[Queued],
    *,
    old: str = "ready",
) -> None:
    """Put tasks into a batch; their earlier products, if any, no longer count."""
    number, digest = graph.ids[stage], graph.stages[stage].digest
    db.executemany(
        "UPDATE task SET state = 'queued', batch = ?, made = ?, inputs = ?, why = ? WHERE stage = ? AND unit = ?",
        [(batch, digest, t.inputs, t.note, number, t.unit) for t in tasks],
    )
    withdraw(db, number, {t.unit: t.products for t in tasks})
    count_moves(db, graph, stage, [Move(t.unit, old, "queued") for t in tasks])


def start(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> None:
    """Note that queued tasks run."""
    sql = f"UPDATE task SET state = 'running' {OF_UNITS}"
    db.execute(sql, (graph.ids[stage], json.dumps(list(units))))
    count_moves(db, graph, stage, [Move(u, "queued", "running") for u in units])


def finish(db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row]) -> None:
    """Record tasks as done; whatever made them stale is over, but not what changed while they were made."""
    number = graph.ids[stage]
    db.execute(
        "UPDATE task SET state = 'done', batch = NULL, due = NULL, tries = 0, free = 0, alone = 0, time_scale = 1,"
        f" memory_scale = 1, stale = NULL, redo = 0, behind = 0 {OF_UNITS}",
        (number, json.dumps([row["unit"] for row in rows])),
    )
    meanwhile = [row for row in rows if row["stale"] == MEANWHILE]
    redo = UNASKED if graph.stages[stage].changed == "redo" else 0
    db.executemany(
        "UPDATE task SET stale = ?, inputs = ?, redo = ? WHERE stage = ? AND unit = ?",
        [(MEANWHILE, row["inputs"] or UNKNOWN, redo, number, row["unit"]) for row in meanwhile],
    )
    append_with(db, "stale", {row["unit"]: MEANWHILE for row in meanwhile}, stage=number)
    count_moves(db, graph, stage, [Move(row["unit"], row["state"], "done") for row in rows])
    unmarked = [(row["unit"], "stale", -1) for row in rows if row["stale"] not in (None, MEANWHILE)]
    if unmarked:
        add_to_tally(db, graph, stage, unmarked)
    mended = [(number, row["unit"]) for row in rows if row["failed"] is not None]
    db.executemany("UPDATE task SET failed = NULL WHERE stage = ? AND unit = ?", mended)


def come_back(
    db: sqlite3.Connection, graph: Graph, stage: str, row: sqlite3.Row, after: Next, *, now: float
) -> None:
    """Take a task out of its batch after an unsuccessful attempt; who wants to know is told if it was the last one."""
    due = now + after.delay_s if after.delay_s else None
    failed = after.state == "failed"
    db.execute(
        "UPDATE task SET state = ?, why = ?, due = ?, batch = NULL, tries = ?, free = ?, alone = ?,"
        " time_scale = time_scale * ?, memory_scale = memory_scale * ?, failed = ? WHERE stage = ? AND unit = ?",
        (
            after.state, after.why, due, after.tries, after.free, int(after.alone), after.time_scale,
            after.memory_scale, now if failed else row["failed"], graph.ids[stage], row["unit"],
        ),
    )  # fmt: skip
    count_moves(db, graph, stage, [Move(row["unit"], row["state"], after.state)])
    unmark(db, graph, stage, [row])
    if failed:
        announce(db, "failure", now)


def fail(db: sqlite3.Connection, graph: Graph, stage: str, reasons: Mapping[int, str], *, now: float) -> None:
    """Count ready tasks as failed that cannot even begin."""
    move(db, graph, stage, [Move(unit, "ready", "failed", why) for unit, why in reasons.items()])
    rows = [(now, graph.ids[stage], unit) for unit in reasons]
    db.executemany("UPDATE task SET failed = ? WHERE stage = ? AND unit = ?", rows)
    announce(db, "failure", now)


def give_back(
    db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row], *, state: str = "ready"
) -> None:
    """Make tasks free again that never started: no attempt, no cost."""
    number = graph.ids[stage]
    units = json.dumps([row["unit"] for row in rows])
    db.execute(f"UPDATE task SET state = ?, batch = NULL {OF_UNITS}", (state, number, units))
    count_moves(db, graph, stage, [Move(r["unit"], r["state"], state) for r in rows])
    unmark(db, graph, stage, rows)


def doubt(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> None:
    """Mark what is just done as made from an input that changed, which nobody has found yet.

    It is not made again before a scan has found what the input is now.
    """
    if not units:
        return
    mark_fresh(db, graph, stage, dict.fromkeys(units, MEANWHILE))
    rows = [(UNKNOWN, graph.ids[stage], unit, MEANWHILE) for unit in units]
    db.executemany("UPDATE task SET inputs = ? WHERE stage = ? AND unit = ? AND stale = ? AND redo = 0", rows)


def doubtful_among(db: sqlite3.Connection, graph: Graph, stage: str, units: Iterable[int]) -> set[int]:
    """Return those units whose task of a stage was made while its input changed."""
    rows = states_of(db, graph.ids[stage], units)
    return {unit for unit, row in rows.items() if row["state"] == "done" and row["stale"] == MEANWHILE}


def unmark(db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row]) -> None:
    """Forget that an input changed while tasks were made that ended without a result."""
    units = [row["unit"] for row in rows if row["stale"] == MEANWHILE]
    if units:
        clear_stale(db, graph, stage, units)


def mark_meanwhile(db: sqlite3.Connection, graph: Graph, stage: str, rows: Sequence[sqlite3.Row]) -> None:
    """Note for active tasks that their inputs changed meanwhile."""
    number = graph.ids[stage]
    db.executemany(
        "UPDATE task SET stale = ? WHERE stage = ? AND unit = ?",
        [(MEANWHILE, number, r["unit"]) for r in rows],
    )
    add_to_tally(db, graph, stage, [(r["unit"], "stale", 1) for r in rows if r["stale"] is None])


def forget_tries(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> None:
    """Give tasks all their retries again."""
    sql = "UPDATE task SET tries = 0, free = 0, alone = 0 WHERE stage = ? AND unit = ?"
    db.executemany(sql, [(graph.ids[stage], unit) for unit in units])


def forget_marks(db: sqlite3.Connection, graph: Graph, stage: str, units: Iterable[int]) -> None:
    """Forget that somebody else did these tasks: penstock does them now."""
    sql = "UPDATE task SET marked = NULL, made = NULL, inputs = NULL WHERE stage = ? AND unit = ? AND marked IS NOT NULL"
    db.executemany(sql, [(graph.ids[stage], unit) for unit in units])


KEPT, UNASKED = 1, 2  # of a stale mark: it stays whatever the input is; the task is made again unasked


def mark_stale(
    db: sqlite3.Connection, graph: Graph, stage: str, reasons: Mapping[int, str], *, redo: int = 0
) -> None:
    """Mark done tasks as stale, with the reason."""
    number = graph.ids[stage]
    fresh = [
        unit
        for unit, row in states_of(db, number, reasons).items()
        if row["state"] == "done" and row["stale"] is None
    ]
    db.executemany(
        "UPDATE task SET stale = ?, redo = redo | ? WHERE stage = ? AND unit = ? AND state = 'done'",
        [(why, redo, number, unit) for unit, why in reasons.items()],
    )
    add_to_tally(db, graph, stage, [(unit, "stale", 1) for unit in fresh])


def put_behind(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Iterable[int], *, behind: bool = True
) -> None:
    """Let tasks go after all new data, as backfill, or no longer."""
    sql = "UPDATE task SET behind = ? WHERE stage = ? AND unit = ? AND behind <> ?"
    db.executemany(sql, [(behind, graph.ids[stage], unit, behind) for unit in units])


def mark_fresh(
    db: sqlite3.Connection, graph: Graph, stage: str, reasons: Mapping[int, str], *, redo: int = 0
) -> None:
    """Mark those that are not stale yet; an earlier reason stays, and is not removed with this one."""
    rows = states_of(db, graph.ids[stage], reasons) if reasons else {}
    done = ((unit, row) for unit, row in rows.items() if row["state"] == "done")
    fresh = {unit: reasons[unit] for unit, row in done if row["stale"] is None}
    mark_stale(db, graph, stage, fresh, redo=redo)
    append_with(db, "stale", fresh, stage=graph.ids[stage])


def clear_stale(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> None:
    """Remove the mark: the task's inputs are again what it was made from."""
    number = graph.ids[stage]
    db.executemany(
        "UPDATE task SET stale = NULL, redo = 0, behind = 0 WHERE stage = ? AND unit = ?",
        [(number, u) for u in units],
    )
    add_to_tally(db, graph, stage, [(unit, "stale", -1) for unit in units])


def newest_attempt(db: sqlite3.Connection) -> int:
    """Return the number of the last attempt that was recorded."""
    return db.execute("SELECT coalesce(max(id), 0) FROM attempt").fetchone()[0]


def any_came_back(db: sqlite3.Connection, stages: Sequence[int], *, after: int) -> bool:
    """Whether a task of these stages came back without having run, after that attempt."""
    marks = ", ".join("?" * len(stages))
    sql = f"SELECT 1 FROM attempt WHERE id > ? AND outcome = 'unstarted' AND stage IN ({marks}) LIMIT 1"
    return db.execute(sql, (after, *stages)).fetchone() is not None
