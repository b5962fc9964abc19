"""From the ledger's tables to rows, one after the other: a million tasks take no memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from penstock.display import Labels
from penstock.errors import DefinitionError
from penstock.explain import find_stage, find_under
from penstock.ledger import Ledger
from penstock.record.rows import AttemptRow, Key, ProductRow, ResultRow, TaskRow, UnitRow


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks are meant; what is None leaves them all in."""

    stage: str | None = None
    unit: str | None = None
    state: str | None = None
    where: str | None = None
    stale: bool | None = None


# CROSS JOIN keeps the order of the loops, the primary key of task: the first ones come at once.
TASKS = (
    "SELECT unit.id, unit.key, unit.fields, task.state, task.why, task.stale, task.tries FROM task CROSS JOIN unit"
    " WHERE unit.id = task.unit AND task.stage = :stage"
)
UNITS = (
    "SELECT unit.key, unit.gone IS NOT NULL, unit.archived IS NOT NULL, EXISTS (SELECT 1 FROM veto"
    " WHERE veto.unit = unit.id AND lifted IS NULL AND (stage IS NULL OR stage = :stage)),"
    " task.state, task.why, task.stale FROM unit"
    " LEFT JOIN task ON task.unit = unit.id AND task.stage = :stage"
    " WHERE unit.level = :level AND unit.origin <> 'group' ORDER BY unit.id"
)
RESULTS = (
    "SELECT unit.key, task.stale, attempt.* FROM task CROSS JOIN unit CROSS JOIN attempt WHERE unit.id = task.unit"
    " AND attempt.id = (SELECT max(id) FROM attempt AS made WHERE made.stage = task.stage AND made.unit = task.unit"
    " AND made.outcome = 'ok' AND NOT made.late) AND task.stage = :stage AND task.state = 'done'"
)
ATTEMPTS = (
    "SELECT unit.key, attempt.*, job.native FROM attempt CROSS JOIN unit LEFT JOIN job ON job.id = attempt.job"
    " WHERE unit.id = attempt.unit AND attempt.stage = :stage"
)
PRODUCTS = (
    "SELECT unit.key, product.* FROM task CROSS JOIN unit CROSS JOIN product WHERE unit.id = task.unit"
    " AND product.stage = task.stage AND product.unit = task.unit AND product.digest IS NOT NULL"
    " AND task.stage = :stage"
)


def read_tasks(ledger: Ledger, wanted: Wanted) -> Iterator[TaskRow]:
    """Return tasks; what is wrong with the question is said now, not at the first row."""
    rows, labels = rows_of(ledger, TASKS, wanted), Labels.read(ledger.db)
    keep = fitting(ledger, wanted)
    return (
        TaskRow(
            stage,
            *named(labels, row),
            json.loads(row["fields"]),
            row["state"],
            row["why"],
            row["stale"],
            row["tries"],
        )
        for stage, row in rows
        if keep is None or row["id"] in keep
    )


def read_units(ledger: Ledger, level: str, stage: str | None) -> Iterator[UnitRow]:
    """Return the units of a level; what is wrong with the question is said now, not at the first row."""
    labels = Labels.read(ledger.db)
    if level not in labels.levels:
        raise DefinitionError(f"there is no level {level!r}: choose one of {', '.join(labels.levels)}")
    depth, number = labels.levels.index(level) + 1, find_stage(ledger.db, stage)["id"] if stage else None
    writers = [cache(labels.writer(each)) for each in range(1, depth + 1)]
    rows = ledger.db.execute(UNITS, {"stage": number, "level": depth})
    return (unit_of(row, writers) for row in rows)


def unit_of(row: sqlite3.Row, writers: Sequence[Callable[[Any], str]]) -> UnitRow:
    """Return a unit; `writers` print its values."""
    key, gone, archived, vetoed, state, why, stale = row
    values = tuple(json.loads(key))
    name = "/".join([write(value) for write, value in zip(writers, values, strict=True)])
    return UnitRow(name, values, bool(gone), bool(archived), bool(vetoed), state, why, stale)


def read_results(ledger: Ledger, wanted: Wanted) -> Iterator[ResultRow]:
    """Return what tasks returned."""
    rows, labels = rows_of(ledger, RESULTS, wanted), Labels.read(ledger.db)
    return (
        ResultRow(
            stage,
            *named(labels, row),
            value=json.loads(row["result"]) if row["result"] else None,
            stale=row["stale"],
            ended=moment(row["ended"]),
            wall_s=row["wall_s"],
            cpu_s=row["cpu_s"],
            peak_bytes=row["rss"],
            host=row["host"],
        )
        for stage, row in rows
    )


def read_attempts(ledger: Ledger, wanted: Wanted) -> Iterator[AttemptRow]:
    """Return all tries, the oldest of each stage first."""
    rows, labels = rows_of(ledger, ATTEMPTS, wanted, of="attempt"), Labels.read(ledger.db)
    return (
        AttemptRow(
            stage,
            *named(labels, row),
            outcome=row["outcome"],
            ended=moment(row["ended"]),
            cpu_s=row["cpu_s"],
            exit_code=row["exit_code"],
            job=row["native"],
            late=bool(row["late"]),
        )
        for stage, row in rows
    )


def products_of(ledger: Ledger, unit: int, stage: str | None = None) -> Iterator[ProductRow]:
    """Return what was made for one unit alone, without what is in it."""
    return _products(ledger, rows_of(ledger, f"{PRODUCTS} AND task.unit = {int(unit)}", Wanted(stage)))


def read_products(ledger: Ledger, wanted: Wanted) -> Iterator[ProductRow]:
    """Return what was made."""
    return _products(ledger, rows_of(ledger, PRODUCTS, wanted))


def _products(ledger: Ledger, rows: Iterator[tuple[str, sqlite3.Row]]) -> Iterator[ProductRow]:
    labels = Labels.read(ledger.db)
    return (
        ProductRow(
            stage,
            *named(labels, row),
            row["name"],
            ledger.root / row["path"],
            row["bytes"] or 0,
            row["digest"],
        )
        for stage, row in rows
    )


def rows_of(
    ledger: Ledger, sql: str, wanted: Wanted, *, of: str = "task"
) -> Iterator[tuple[str, sqlite3.Row]]:
    """Return the rows that a question is about, stage by stage; its conditions are of the table `of`."""
    conditions, values = conditions_of(ledger, wanted, of)
    db = ledger.db
    stages = (
        [find_stage(db, wanted.stage)]
        if wanted.stage
        else db.execute("SELECT id, name FROM stage WHERE NOT removed ORDER BY position").fetchall()
    )
    return (
        (stage["name"], row)
        for stage in stages
        for row in db.execute(sql + conditions, {**values, "stage": stage["id"]})
    )


def conditions_of(ledger: Ledger, wanted: Wanted, of: str = "task") -> tuple[str, dict[str, Any]]:
    """Return what is added to the SQL, and its values."""
    conditions, values = "", dict[str, Any]()
    if wanted.state:
        # literal where it can be, so that the index of the failed ones serves
        conditions += " AND task.state = 'failed'" if wanted.state == "failed" else " AND task.state = :state"
        values["state"] = wanted.state
    if wanted.stale is not None:
        told = "task.stale IS NOT NULL AND task.state = 'done'"
        conditions += f" AND {told}" if wanted.stale else f" AND NOT ({told})"
    if wanted.unit:
        conditions += f" AND {of}.unit IN (SELECT value FROM json_each(:units))"
        values["units"] = json.dumps(find_under(ledger, wanted.unit))
    return conditions, values


def fitting(ledger: Ledger, wanted: Wanted) -> set[int] | None:
    """Return the units for which the expression holds; None if there is none."""
    if wanted.where is None:
        return None
    from penstock.ledger.redoing import fitting
    from penstock.units import Expression

    where = Expression.parse(wanted.where)
    units = {row["id"] for _, row in rows_of(ledger, TASKS, wanted)}
    return set(fitting(ledger, sorted(units), where))


def named(labels: Labels, row: sqlite3.Row) -> tuple[str, Key]:
    """Return how a unit is called, and its key."""
    return labels.label(row["key"]), dict(zip(labels.levels, json.loads(row["key"]), strict=False))


def moment(seconds: float) -> datetime:
    """Return a time of the record."""
    return datetime.fromtimestamp(seconds, UTC)
