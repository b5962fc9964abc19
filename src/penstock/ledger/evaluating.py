"""What a definition says of each unit: one that cannot be evaluated is reported, and does not stop the others."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from penstock.errors import DefinitionError
from penstock.ledger.units import Values, rows_of

T = TypeVar("T")

UNIT = "unit."  # how the sources of these problems begin


def work_out(
    values: Values,
    topic: str,
    rows: Iterable[sqlite3.Row],
    ask: Callable[[Mapping[str, Any]], T],
    *,
    else_: T,
) -> dict[int, T]:
    """Return what `ask` says of each unit, `else_` where it cannot; that is a problem of the unit until it can.

    `topic` is what of the definition is asked, such as `copy.where`.
    """
    said, wrong, asked = dict[int, T](), dict[int, str](), list[int]()
    for row in rows:
        asked.append(row["id"])
        try:
            said[row["id"]] = ask(values.of(row))
        except DefinitionError as error:
            said[row["id"]], wrong[row["id"]] = else_, error.message
    note_wrong(values, topic, asked, wrong)
    return said


def note_wrong(values: Values, topic: str, asked: Iterable[int], wrong: Mapping[int, str]) -> None:
    """Replace the earlier problems of these units."""
    db, source = values.db, f"{UNIT}{topic}"
    if db.execute("SELECT 1 FROM problem WHERE source = ? LIMIT 1", (source,)).fetchone():
        forget_wrong(values, asked, source)
    if wrong:
        labels = labels_of(values, wrong)
        db.executemany(
            "INSERT INTO problem (source, subject, why, at) VALUES (?, ?, ?, CAST(strftime('%s', 'now') AS REAL))",
            [(source, labels[unit], f"{topic}: {why}") for unit, why in wrong.items()],
        )


def forget_wrong(values: Values, units: Iterable[int], source: str = f"{UNIT}*") -> None:
    """Forget the problems of units that are gone, or that are evaluated again."""
    some = "SELECT 1 FROM problem WHERE source GLOB ? LIMIT 1"
    if values.db.execute(some, (source,)).fetchone():
        labels = json.dumps(list(labels_of(values, units).values()))
        values.db.execute(
            "DELETE FROM problem WHERE source GLOB ? AND subject IN (SELECT value FROM json_each(?))",
            (source, labels),
        )


def forget_topics(db: sqlite3.Connection, stage: str) -> None:
    """Forget the problems of units under a stage's former definition."""
    db.execute("DELETE FROM problem WHERE source GLOB ?", (f"{UNIT}{stage}.*",))


def labels_of(values: Values, units: Iterable[int]) -> dict[int, str]:
    """Return the printed names of units."""
    return {row["id"]: values.label(row) for row in rows_of(values.db, units)}
