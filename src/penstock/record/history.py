"""What happened to a unit since its first sight: the union of all tables that say so, in the order of time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from penstock.display import Labels, count, show_duration
from penstock.explain import find_units
from penstock.ledger import Ledger
from penstock.ledger.redefined import differences
from penstock.ledger.units import ROOT, how_changed
from penstock.ledger.vetoes import show_end
from penstock.record.reading import moment
from penstock.record.rows import Event

# CROSS JOIN keeps the order of the loops: one look into an index for each stage.
ATTEMPTS = (
    "SELECT a.*, s.name FROM stage s CROSS JOIN attempt a WHERE a.stage = s.id AND a.unit = ? ORDER BY a.id"
)
ENTRIES = (
    "SELECT h.*, s.name, c.by, c.why FROM history h LEFT JOIN stage s ON s.id = h.stage"
    " LEFT JOIN cause c ON c.id = h.cause WHERE h.unit = ? ORDER BY h.n"
)
VETOES = (
    "SELECT v.*, s.name FROM veto v LEFT JOIN stage s ON s.id = v.stage"
    " WHERE v.unit IN (SELECT value FROM json_each(?)) ORDER BY v.id"
)
MISSED = "SELECT m.*, s.name FROM stage s CROSS JOIN missed m WHERE m.stage = s.id AND m.unit = ?"
STAGES = (
    "SELECT d.at, d.id, json_extract(s.value, '$.name') AS name, json_extract(s.value, '$.digest') AS digest FROM definition d,"
    " json_each(d.text, '$.stages') s WHERE json_extract(s.value, '$.name') IN (SELECT value FROM json_each(?)) ORDER BY d.id"
)
STAGE = "SELECT s.value FROM definition d, json_each(d.text, '$.stages') s WHERE d.id = ? AND json_extract(s.value, '$.name') = ?"

#: what the history has one word for → how it is said
SAID = {"redo": "to be redone", "retry": "to be retried", "cancel": "cancelled", "close": "to be closed"}


def read_history(ledger: Ledger, text: str, stage: str | None = None) -> list[Event]:
    """Return the events of what `text` names, oldest first; only those of one stage, and of its units, if that is given."""
    labels = Labels.read(ledger.db)
    units = find_units(ledger, text, stage)
    found = [event for unit in units for event in events_of(ledger.db, labels, unit)]
    kept = (event for event in found if stage in (None, event.stage) or event.stage is None)
    return sorted(kept, key=lambda event: event.at)


def events_of(db: sqlite3.Connection, labels: Labels, unit: int) -> Iterator[Event]:
    """Yield the events of one unit; those of one moment in the order of cause and effect."""
    row = db.execute("SELECT * FROM unit WHERE id = ?", (unit,)).fetchone()
    name = labels.label(row["key"])
    if row["seen"] is not None:
        yield Event(moment(row["seen"]), name, None, "first seen")
    yield from redefinitions(db, name, row)
    yield from noted(db, name, unit)
    yield from vetoes(db, name, row)
    yield from attempts(db, name, unit)
    yield from missed(db, name, unit)


def attempts(db: sqlite3.Connection, name: str, unit: int) -> Iterator[Event]:
    """Yield how its attempts ended, and what was decided."""
    for row in db.execute(ATTEMPTS, (unit,)):
        then = "came late: ignored" if row["late"] else row["next"]
        took = None if row["wall_s"] is None else f"after {show_duration(row['wall_s'])}"
        place = f"on {row['host']}" if row["host"] else None
        why = row["why"] or " ".join(filter(None, (took, place))) or None
        yield Event(moment(row["ended"]), name, row["name"], row["outcome"], why, then=then)


def noted(db: sqlite3.Connection, name: str, unit: int) -> Iterator[Event]:
    """Yield what stands in the history alone."""
    for row in db.execute(ENTRIES, (unit,)):
        yield Event(moment(row["at"]), name, row["name"], *say_entry(row), row["by"] or None)


def say_entry(row: sqlite3.Row) -> tuple[str, str | None]:
    """Say what an entry of the history is about, and the details."""
    what: str = row["what"]
    if what == "files":
        return "files changed", how_changed(row["old"], row["new"]).removeprefix("changed: ")
    if what.startswith("field "):
        return f"{what} changed", f"{row['old']} → {row['new']}"
    return SAID.get(what, what), row["why"] or None


def vetoes(db: sqlite3.Connection, name: str, unit: sqlite3.Row) -> Iterator[Event]:
    """Yield the vetoes of a unit and of all groups above it, and when they were lifted."""
    above = [ROOT, *(unit[f"g{level}"] for level in range(1, unit["level"] + 1))]
    for row in db.execute(VETOES, (json.dumps(above),)):
        what = "vetoed" if row["until"] is None else f"vetoed until {show_end(row['until'])}"
        yield Event(moment(row["at"]), name, row["name"], what, row["why"], row["by"])
        if row["lifted"]:
            yield Event(moment(row["lifted"]), name, row["name"], "veto lifted", None, row["lifted_by"])


def missed(db: sqlite3.Connection, name: str, unit: int) -> Iterator[Event]:
    """Yield the deadlines that it missed, and when it was done all the same."""
    for row in db.execute(MISSED, (unit,)):
        yield Event(
            moment(row["at"]), name, row["name"], "late", f"due {moment(row['due']):%Y-%m-%d %H:%M} UTC"
        )
        if row["over"]:
            yield Event(moment(row["over"]), name, row["name"], "late, but done")


def redefinitions(db: sqlite3.Connection, name: str, unit: sqlite3.Row) -> Iterator[Event]:
    """Yield the changes of the definition, since its first sight, of the stages that it has tasks of."""
    sql = "SELECT s.name FROM stage s CROSS JOIN task t WHERE t.stage = s.id AND t.unit = ?"
    names = json.dumps([row[0] for row in db.execute(sql, (unit["id"],))])
    last = dict[str, sqlite3.Row]()
    for row in db.execute(STAGES, (names,)).fetchall():
        before = last.get(row["name"])
        if before and before["digest"] != row["digest"] and row["at"] >= (unit["seen"] or 0.0):
            old, new = (
                json.loads(db.execute(STAGE, (one["id"], row["name"])).fetchone()[0]) for one in (before, row)
            )
            why = "; ".join(map(str, differences(old, new))) or None
            yield Event(moment(row["at"]), name, row["name"], "definition changed", why)
        last[row["name"]] = row


def describe_members(ledger: Ledger, text: str) -> str | None:
    """Say how many members a group has, whose own events are not among its."""
    for unit in find_units(ledger, text):
        level = ledger.db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone()[0]
        under = f"g{level} = {unit} AND level > {level}" if level else "level > 0"
        n = ledger.db.execute(f"SELECT count(*) FROM unit WHERE origin <> 'group' AND {under}").fetchone()[0]
        if n:
            return f"{count(n, 'member')}, each with a history of its own"
    return None
