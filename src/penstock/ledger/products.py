"""Products in the record: whose they are, where they were before, and what may be replaced.

`product.owned` says what is at a path: 0 nothing that penstock knows of, 1 what its task made, 2 perhaps what its
task made, whose runner was cut off.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from penstock.ledger.locations import note_made_at, note_withdrawn

Declared = Sequence[tuple[str, str]]  # name, path

#: how the reason begins when a task is stale because of its product: seen by size and time, or by digest only
LOST, ALTERED = "product ", "the bytes of product "

OF_REMOVED = "stage IN (SELECT id FROM stage WHERE removed)"


def replaceable(db: sqlite3.Connection, stage_id: int, wanted: Mapping[str, int]) -> set[str]:
    """Return those paths, of products that units are to make, where only what penstock itself made can be.

    That is what the task made before, what a removed stage made, and what was made there under an older definition.
    """
    paths = json.dumps(list(wanted))
    rows = db.execute(
        f"SELECT p.path, p.stage, p.unit, p.{OF_REMOVED} FROM json_each(?) j CROSS JOIN product p ON p.path = j.value"
        " WHERE p.owned",
        (paths,),
    )
    own = {path for path, stage, unit, free in rows if free or (stage, unit) == (stage_id, wanted[path])}
    elsewhere = db.execute(
        "SELECT m.declared, p.unit FROM json_each(?) j CROSS JOIN moved m ON m.declared = j.value"
        " CROSS JOIN product p ON p.path = m.path AND p.stage = ?",
        (paths, stage_id),
    )
    own.update(path for path, unit in elsewhere if unit == wanted[path])
    sql = "SELECT f.path FROM json_each(?) j CROSS JOIN former f ON f.path = j.value"
    return own.union(row[0] for row in db.execute(sql, (paths,)))


def lying_at(db: sqlite3.Connection, stages: Iterable[int]) -> Iterator[str]:
    """Yield where products are, were or will be: those of some stages, of removed ones, and former ones."""
    of_stages = f"(p.stage IN (SELECT value FROM json_each(?1)) OR p.{OF_REMOVED})"
    sql = (
        "SELECT p.path FROM product p LEFT JOIN task t ON t.stage = p.stage AND t.unit = p.unit"
        f" WHERE {of_stages} AND (p.owned OR t.state IN ('queued', 'running')) UNION SELECT path FROM former"
        f" UNION SELECT m.declared FROM moved m CROSS JOIN product p ON p.path = m.path WHERE {of_stages}"
    )
    yield from (row[0] for row in db.execute(sql, (json.dumps(list(stages)),)))


class Recorded(NamedTuple):
    """What the record holds of a product."""

    path: str
    bytes: int
    digest: str
    mtime_ns: int | None
    stage: int
    unit: int


def recorded(db: sqlite3.Connection) -> list[Recorded]:
    """Return what is recorded of the products, as far as they are here, of all done tasks of the stages that are defined."""
    rows = db.execute(
        "SELECT p.path, p.bytes, p.digest, p.mtime_ns, p.stage, p.unit FROM product p"
        " CROSS JOIN task t ON t.stage = p.stage AND t.unit = p.unit AND t.state = 'done'"
        f" WHERE p.digest IS NOT NULL AND NOT p.{OF_REMOVED}"
        " AND NOT EXISTS (SELECT 1 FROM location l WHERE l.path = p.path AND NOT l.home)"
    )
    return list(map(Recorded._make, rows))


def marked(db: sqlite3.Connection, reason: str) -> set[tuple[int, int]]:
    """Return (stage, unit) of the tasks that are stale for a reason that begins so, and not asked for besides."""
    sql = "SELECT stage, unit FROM task WHERE redo <> 0 AND redo = 1 AND substr(stale, 1, ?) = ?"
    return {(row[0], row[1]) for row in db.execute(sql, (len(reason), reason))}


def withdraw(db: sqlite3.Connection, stage_id: int, tasks: Mapping[int, Declared]) -> None:
    """Record where tasks will write products; what lies there, and is here, stays recorded until then.

    Raises sqlite3.IntegrityError if another task has one of the paths.
    """
    declared = [(stage_id, unit, name, path) for unit, made in tasks.items() for name, path in made]
    if not declared:
        return
    if db.execute(f"SELECT 1 FROM product WHERE {OF_REMOVED} LIMIT 1").fetchone():
        release(db, [path for *_, path in declared])
    moved = db.execute(
        "SELECT p.path FROM json_each(?) j CROSS JOIN product p ON p.stage = json_extract(j.value, '$[0]')"
        " AND p.unit = json_extract(j.value, '$[1]') AND p.name = json_extract(j.value, '$[2]')"
        " WHERE p.owned AND p.path <> json_extract(j.value, '$[3]')",
        (json.dumps(declared),),
    ).fetchall()
    keep_former(db, (row[0] for row in moved))
    db.executemany(
        "INSERT INTO product (stage, unit, name, path) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (stage, unit, name) DO UPDATE SET path = excluded.path, bytes = NULL, digest = NULL,"
        " mtime_ns = NULL, owned = CASE WHEN path = excluded.path THEN owned ELSE EXISTS (SELECT 1 FROM moved m"
        " WHERE m.path = product.path AND m.declared = excluded.path) END"
        " WHERE path <> excluded.path OR EXISTS (SELECT 1 FROM location l WHERE l.path = product.path AND NOT l.home)",
        declared,
    )
    note_withdrawn(db, (path for *_, path in declared))
    db.executemany("DELETE FROM moved WHERE path = ?", [(row[0],) for row in moved])


def release(db: sqlite3.Connection, paths: Sequence[str]) -> None:
    """Take paths from stages that are no longer defined; files there still belong to penstock."""
    rows = db.execute(
        f"SELECT p.stage, p.unit, p.path FROM json_each(?) j CROSS JOIN product p ON p.path = j.value WHERE p.{OF_REMOVED}",
        (json.dumps(list(paths)),),
    ).fetchall()
    keep_former(db, (row["path"] for row in rows))
    db.executemany("DELETE FROM product WHERE path = ?", [(row["path"],) for row in rows])
    db.executemany(
        "UPDATE task SET stale = ?, redo = 1 WHERE stage = ? AND unit = ? AND state = 'done'",
        [(f"another stage makes {row['path']} now", row["stage"], row["unit"]) for row in rows],
    )


def keep_former(db: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Remember the paths of products that no present task makes."""
    db.executemany("INSERT OR IGNORE INTO former VALUES (?)", ((path,) for path in paths))


def record_made(db: sqlite3.Connection, stage_id: int, ends: Mapping[int, Mapping[str, Any]]) -> None:
    """Record the products of successful attempts, and forget those that they did not make again."""
    forget_made(db, stage_id, ends)
    rows: list[tuple[Any, ...]] = [
        (size, digest, mtime_ns, stage_id, unit, name)
        for unit, end in ends.items()
        for name, (_, size, digest, mtime_ns) in end["products"].items()
    ]
    db.executemany(
        "UPDATE product SET bytes = ?, digest = ?, mtime_ns = ?, owned = 1 WHERE stage = ? AND unit = ? AND name = ?",
        rows,
    )


def record_made_at(
    db: sqlite3.Connection, stage_id: int, ends: Mapping[int, Mapping[str, Any]], site: str
) -> None:
    """Record the products of successful attempts that are at a site: what lies at their paths here is as it was."""
    forget_made(db, stage_id, ends)
    made = [
        (stage_id, unit, name, *about)
        for unit, end in ends.items()
        for name, about in end["products"].items()
    ]
    db.executemany(
        "UPDATE product SET bytes = ?4, digest = ?5, mtime_ns = ?6 WHERE stage = ?1 AND unit = ?2 AND name = ?3",
        [(stage, unit, name, size, digest, mtime) for stage, unit, name, _, size, digest, mtime in made],
    )
    note_made_at(db, site, (path for _, _, _, path, *_ in made))


def forget_made(db: sqlite3.Connection, stage_id: int, units: Iterable[int]) -> None:
    """Forget what earlier attempts of tasks made."""
    db.executemany(
        "UPDATE product SET bytes = NULL, digest = NULL, mtime_ns = NULL WHERE stage = ? AND unit = ?"
        " AND digest IS NOT NULL",
        [(stage_id, unit) for unit in units],
    )


def note_possible(db: sqlite3.Connection, stage_id: int, units: Iterable[int]) -> None:
    """Record that from now on a file at the paths of these tasks may be what they made."""
    sql = "UPDATE product SET owned = 2 WHERE stage = ? AND unit = ? AND NOT owned"
    db.executemany(sql, [(stage_id, unit) for unit in units])


def note_none(db: sqlite3.Connection, stage_id: int, units: Iterable[int]) -> None:
    """Note that these tasks ended in order and left nothing at their paths that was not there before."""
    sql = "UPDATE product SET owned = 0 WHERE stage = ? AND unit = ? AND owned = 2"
    db.executemany(sql, [(stage_id, unit) for unit in units])


def note_lying(db: sqlite3.Connection, ours: Iterable[str], empty: Iterable[str]) -> None:
    """Note at which of these paths lies what a task may have made, and at which there is nothing."""
    db.executemany("UPDATE product SET owned = 2 WHERE path = ? AND NOT owned", [(path,) for path in ours])
    db.executemany("UPDATE product SET owned = 0 WHERE path = ? AND owned = 2", [(path,) for path in empty])
