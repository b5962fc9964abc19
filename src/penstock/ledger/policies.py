"""What follows when the input of finished work changes: nothing without a person, its redoing, or nothing at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping

from penstock.graph import Graph
from penstock.ledger import tasks
from penstock.ledger.inputs import digests_of


def obey(
    db: sqlite3.Connection, graph: Graph, stage: str, reasons: Mapping[int, str], returned: Collection[int]
) -> set[int]:
    """Do what a stage says of inputs that changed, and of those that are back; return the units of which it ignores it.

    Where a person is to be asked, nothing is done here: such tasks are found stale when they are compared.
    """
    definition = graph.stages[stage]
    groups = {
        policy: {unit: why for unit, why in reasons.items() if (unit in returned) == back}
        for policy, back in ((definition.changed, False), (definition.returned, True))
    }
    if definition.changed == definition.returned:
        groups = {definition.changed: dict(reasons)}
    redo_changed(db, graph, stage, groups.get("redo", {}))
    accept(db, graph, stage, groups.get("ignore", {}))
    return {*groups.get("ignore", {})}


def redo_changed(db: sqlite3.Connection, graph: Graph, stage: str, reasons: Mapping[int, str]) -> None:
    """Mark done tasks to be made again unasked; what else made them stale stays their reason."""
    rows = tasks.states_of(db, graph.ids[stage], reasons) if reasons else {}
    found = [unit for unit, row in rows.items() if row["state"] == "done" and row["stale"] == tasks.MEANWHILE]
    tasks.mark_stale(db, graph, stage, dict.fromkeys(found, tasks.MEANWHILE), redo=tasks.UNASKED)
    tasks.mark_fresh(db, graph, stage, reasons, redo=tasks.UNASKED)


def accept(db: sqlite3.Connection, graph: Graph, stage: str, units: Iterable[int]) -> None:
    """Take the present inputs for those that tasks were made from, or are being made from."""
    number = graph.ids[stage]
    rows = {
        unit: row["inputs"]
        for unit, row in tasks.states_of(db, number, units).items()
        if row["state"] in ("done", "queued", "running") and row["stale"] is None and row["inputs"]
    }
    digests = digests_of(db, graph, stage, list(rows)) if rows else {}
    own = {unit: digest.partition(".")[0] for unit, digest in digests.items()}
    accepted = [(own[unit] + "".join(rows[unit].partition(".")[1:]), number, unit) for unit in rows]
    db.executemany("UPDATE task SET inputs = ? WHERE stage = ? AND unit = ?", accepted)
