"""What befell a unit, from the tables that nothing overwrites."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from penstock.display import Labels
from penstock.explain import find_units
from penstock.ledger import Ledger
from penstock.record.reading import moment
from penstock.record.rows import Event

ATTEMPTS = """
SELECT attempt.ended, stage.name, attempt.outcome, attempt.why, attempt.next, attempt.late
FROM attempt JOIN stage ON stage.id = attempt.stage WHERE attempt.unit = ?
"""
VETOES = "SELECT veto.*, stage.name FROM veto LEFT JOIN stage ON stage.id = veto.stage WHERE veto.unit = ?"
CHANGES = "SELECT at, what, old, new FROM history WHERE unit = ? AND (old IS NOT NULL OR new IS NOT NULL) ORDER BY n"


def read_history(ledger: Ledger, text: str) -> list[Event]:
    """Return the events of what `text` names, oldest first."""
    labels = Labels.read(ledger.db)
    found = [event for unit in find_units(ledger, text) for event in events_of(ledger.db, labels, unit)]
    return sorted(found, key=lambda event: event.at)


def events_of(db: sqlite3.Connection, labels: Labels, unit: int) -> Iterator[Event]:
    """Yield the events of one unit."""
    name = labels.label(db.execute("SELECT key FROM unit WHERE id = ?", (unit,)).fetchone()[0])
    for row in db.execute(ATTEMPTS, (unit,)):
        then = "came late: ignored" if row["late"] else row["next"]
        yield Event(moment(row["ended"]), name, row["name"], row["outcome"], row["why"], then=then)
    for row in db.execute(CHANGES, (unit,)):
        old_new = None if row["what"] == "files" else f"{row['old']} → {row['new']}"
        yield Event(moment(row["at"]), name, None, f"{row['what']} changed", old_new)
    for row in db.execute(VETOES, (unit,)):
        yield Event(moment(row["at"]), name, row["name"], "vetoed", row["why"], row["by"])
        if row["lifted"]:
            yield Event(moment(row["lifted"]), name, row["name"], "veto lifted", None, row["lifted_by"])
