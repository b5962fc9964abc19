"""How a rebuilt record differs from the one before, in sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from penstock.display import count

SHOWN = 3
Rows = Mapping[tuple[Any, ...], Any]

#: what is compared → (stage, key and more, by which rows are the same; what it is)
COMPARED = {
    "task": (
        "SELECT s.name, u.key, t.state FROM task t JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit"
    ),
    "product": (
        "SELECT s.name, u.key, p.name, p.digest FROM product p JOIN stage s ON s.id = p.stage JOIN unit u ON u.id = p.unit"
    ),
}
ATTEMPTS = "SELECT count(*) FROM attempt"


def compare(new: sqlite3.Connection, old: sqlite3.Connection) -> list[str]:
    """Return what is not as in the previous record, as far as that can be read."""
    told = list[str]()
    try:
        for what, sql in COMPARED.items():
            told += differences(what, rows_by_key(new, sql), rows_by_key(old, sql))
        before, now = (db.execute(ATTEMPTS).fetchone()[0] for db in (old, new))
    except sqlite3.DatabaseError as error:
        return [*told, f"the previous record cannot be compared to its end ({error})"]
    return (
        [*told, f"it has {count(now, 'attempt')}, the previous record had {before:,}"]
        if before != now
        else told
    )


def rows_by_key(db: sqlite3.Connection, sql: str) -> Rows:
    """Return the last column of a query by the others."""
    return {tuple(row)[:-1]: row[-1] for row in db.execute(sql)}


def differences(what: str, new: Rows, old: Rows) -> list[str]:
    """Say of how many rows the last column differs, and of which."""
    others = [key for key in old if old[key] != new.get(key)]
    if not others:
        return []
    named = ", ".join(f"{key[0]} {key[1]} ({old[key]} → {new.get(key)})" for key in others[:SHOWN])
    more = ", …" if len(others) > SHOWN else ""
    return [f"{count(len(others), what)} differ from the previous record: {named}{more}"]
