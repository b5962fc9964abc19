"""Filling a new record: with the excerpts in the archives of jobs, and with what an old one has besides."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.campaign import Campaign
from penstock.ledger import tasks
from penstock.ledger.moved import Moved, forget_unmoved, note_moved
from penstock.ledger.units import ROOT
from penstock.units import canonical

#: tables of an excerpt in the order in which they are filled
ORDER = ("stage", "unit", "job", "life", "attempt", "task", "product", "moved", "location", "content", "veto")

#: tables of an old record that no archive has
BESIDES = (
    "definition", "stage", "unit", "cause", "listener", "notice", "missed", "former", "site",
    "content", "sent", "location",
)  # fmt: skip

UNMADE = "NOT EXISTS (SELECT 1 FROM attempt a WHERE a.stage = {0}.stage AND a.unit = {0}.unit)"


def add_excerpt(db: sqlite3.Connection, excerpt: Mapping[str, Any]) -> None:
    """Bring in what the record held of a job; the later excerpt of a task counts."""
    tables = excerpt["tables"]
    for table in (name for name in ORDER if name in tables):
        add_rows(db, table, tables[table]["names"], tables[table]["rows"], otherwise="REPLACE")


def add_rows(
    db: sqlite3.Connection,
    table: str,
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    otherwise: str = "IGNORE",
) -> int:
    """Insert rows, of the columns that the table has here; return how many."""
    here = columns_of(db, table)
    kept = [(n, name) for n, name in enumerate(names) if name in here]
    columns, marks = ", ".join(name for _, name in kept), ", ".join("?" for _ in kept)
    sql = f"INSERT OR {otherwise} INTO {table} ({columns}) VALUES ({marks})"
    return db.executemany(sql, ([row[n] for n, _ in kept] for row in rows)).rowcount


def columns_of(db: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns of a table; nothing if there is none of that name."""
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def add_besides(db: sqlite3.Connection, old: sqlite3.Connection) -> None:
    """Bring in from an old record what no archive has."""
    for table in BESIDES:
        if columns_of(old, table):
            copy_rows(db, old, table, f"SELECT * FROM {table}")


def copy_rows(db: sqlite3.Connection, old: sqlite3.Connection, table: str, sql: str) -> int:
    """Copy what a query of an old record gives into the same table, where nothing of the same key is."""
    cursor = old.execute(sql)
    return add_rows(db, table, [column[0] for column in cursor.description], cursor)


def add_unpacked(db: sqlite3.Connection, old: sqlite3.Connection, tokens: Iterable[str]) -> int:
    """Bring in from an old record the jobs of which no file is left, and what was done in them; return how many attempts."""
    left = json.dumps(list(tokens))
    gone = f"job IN (SELECT id FROM job WHERE token NOT IN (SELECT value FROM json_each('{left}'))) OR job IS NULL"
    copy_rows(db, old, "job", f"SELECT * FROM job WHERE token NOT IN (SELECT value FROM json_each('{left}'))")
    made = f"(stage, unit) IN (SELECT stage, unit FROM attempt WHERE {gone})"
    copy_rows(db, old, "product", f"SELECT * FROM product WHERE {made}")
    copy_rows(db, old, "task", f"SELECT * FROM task WHERE {made}")
    return copy_rows(db, old, "attempt", f"SELECT * FROM attempt WHERE {gone}")


def add_moves(db: sqlite3.Connection, old: sqlite3.Connection) -> None:
    """Bring in from an old record where products are that were moved, of those that are known as they were made."""
    sql = "SELECT m.path, m.declared, m.stage, m.unit, p.bytes, p.digest FROM moved m JOIN product p ON p.path = m.path"
    for path, declared, stage, unit, size, digest in old.execute(sql) if columns_of(old, "moved") else ():
        note_moved(db, (stage, unit), [Moved(path, declared, size, digest)])


def add_stages(db: sqlite3.Connection, campaign: Campaign, specs: Mapping[str, Any]) -> None:
    """Bring in the stages of a job that is not over, under the numbers that its runners know."""
    stages = {stage.name: stage for stage in campaign.stages}
    for name, spec in specs.items():
        if stage := stages.get(name):
            row = (spec["id"], name, stage.level, len(stages), spec.get("digest") or stage.digest, "{}")
            sql = (
                "INSERT OR IGNORE INTO stage (id, name, level, position, digest, definition)"
                " VALUES (?, ?, ?, ?, ?, ?)"
            )
            db.execute(sql, row)


def add_named_units(db: sqlite3.Connection, campaign: Campaign, lines: Iterable[Mapping[str, Any]]) -> None:
    """Bring in the units of tasks that are not over, under the numbers that runners know; a scan tells their fields."""
    made_by = {stage.expands: stage.name for stage in campaign.stages if stage.expands is not None}
    for line in lines:
        key, name = line["key"], made_by.get(len(line["key"]))
        origin = "group"
        if any(source.level == len(key) for source in campaign.sources):
            origin = "source"
        elif name:
            row = db.execute("SELECT id FROM stage WHERE name = ?", (name,)).fetchone()
            origin = str(row[0]) if row else origin
        db.execute(
            "INSERT OR IGNORE INTO unit (id, level, key, origin) VALUES (?, ?, ?, ?)",
            (line["u"], len(key), canonical(key), origin),
        )


def complete_groups(db: sqlite3.Connection) -> None:
    """Give each unit its groups, and make those that no job had a task for."""
    deepest = db.execute("SELECT max(level) FROM unit").fetchone()[0]
    for row in db.execute("SELECT * FROM unit WHERE level > 0 AND g1 IS NULL ORDER BY level").fetchall():
        key = json.loads(row["key"])
        for level in range(1, min(row["level"], deepest) + 1):
            group = unit_called(db, key[:level])
            db.execute(f"UPDATE unit SET g{level} = ? WHERE id = ?", (group, row["id"]))


def unit_called(db: sqlite3.Connection, key: Sequence[Any]) -> int:
    """Return the number of a unit, which becomes a group if there is none."""
    if not key:
        return ROOT
    pair = (len(key), canonical(key))
    found = db.execute("SELECT id FROM unit WHERE level = ? AND key = ?", pair).fetchone()
    if found:
        return found[0]
    cursor = db.execute("INSERT INTO unit (level, key, origin) VALUES (?, ?, 'group')", pair)
    number = int(cursor.lastrowid or 0)
    for level in range(1, len(key) + 1):
        group = number if level == len(key) else unit_called(db, key[:level])
        db.execute(f"UPDATE unit SET g{level} = ? WHERE id = ?", (group, number))
    return number


def know_scanned(db: sqlite3.Connection, level: int) -> None:
    """Give units that only their keys are known of the fields and files that a scan found: that is no change."""
    db.execute(
        f"UPDATE unit SET fields = f.fields, fingerprint = f.fingerprint FROM found{level} f"
        " WHERE unit.level = ? AND unit.key = f.key AND unit.origin = 'source' AND unit.fingerprint IS NULL AND f.resting",
        (level,),
    )


def settle_states(db: sqlite3.Connection) -> None:
    """Free what was on its way in other jobs, and mark what an older definition made than the last job's."""
    for table, column in (("unit", "archived"), ("task", "marked")):  # who said so is in people's requests
        db.execute(f"UPDATE {table} SET {column} = NULL WHERE {column} NOT IN (SELECT id FROM cause)")
    db.execute(
        "UPDATE task SET state = 'ready', batch = NULL, stale = NULL, redo = 0 WHERE state IN ('queued', 'running')"
    )
    db.execute("UPDATE task SET batch = NULL WHERE batch IS NOT NULL")
    db.execute(
        "UPDATE task SET stale = ? WHERE state = 'done' AND stale IS NULL AND made <>"
        " (SELECT digest FROM stage WHERE id = task.stage)",
        (tasks.REDEFINED,),
    )
    made = "SELECT 1 FROM attempt a WHERE a.stage = product.stage AND a.unit = product.unit"
    db.execute(
        f"DELETE FROM product WHERE NOT EXISTS ({made})"
    )  # of jobs that are not known, moved by one that is
    forget_unmoved(db)
    epoch = db.execute("SELECT coalesce(max(epoch), 0) FROM job").fetchone()[0]
    db.execute("UPDATE lease SET epoch = max(epoch, ?)", (epoch,))
