"""How a rebuilt record differs from the one before, in sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from penstock.display import count
from penstock.ledger.pruning import PRUNED

SHOWN, LONG = 3, 40
Rows = Mapping[tuple[Any, ...], Any]

#: what is compared → (stage, key and more, by which rows are the same; what it is)
COMPARED = {
    "task": (
        "SELECT s.name, u.key, iif(t.state = 'done', 'done ' || coalesce(t.made, '') || ' ' || coalesce(t.inputs, ''),"
        " t.state) FROM task t"
        " JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit"
    ),
    "product": (
        "SELECT s.name, u.key, p.path, p.digest FROM product p JOIN stage s ON s.id = p.stage JOIN unit u ON u.id = p.unit"
        " WHERE p.digest IS NOT NULL"
    ),
    "attempt": (
        "SELECT s.name, u.key, a.id, json_array(j.token, a.outcome, a.began, a.ended, a.wall_s, a.cpu_s, a.rss, a.exit_code,"
        " a.signal, a.host, a.log, a.log_offset, a.log_bytes, a.why, a.next, a.result, a.late) FROM attempt a"
        " JOIN job j ON j.id = a.job AND j.state = 'finished' JOIN stage s ON s.id = a.stage JOIN unit u ON u.id = a.unit"
    ),
    "unit": "SELECT origin = 'group', key, json_array(fields, fingerprint) FROM unit WHERE level > 0",
    "veto": "SELECT v.by, u.key, v.why, 1 FROM veto v JOIN unit u ON u.id = v.unit WHERE v.lifted IS NULL",
}


def compare(new: sqlite3.Connection, old: sqlite3.Connection) -> list[str]:
    """Return what of the previous record is otherwise in the new one, as far as that can be read."""
    told = list[str]()
    try:
        for what, sql in COMPARED.items():
            told += differences(what, rows_by_key(new, sql), rows_by_key(old, sql))
    except sqlite3.DatabaseError as error:
        return [*told, f"the previous record cannot be compared to its end ({error})"]
    return told


def lacking(new: sqlite3.Connection, old: sqlite3.Connection) -> list[str]:
    """Return what is in archives and not in a record, but for attempts that were pruned."""
    told = list[str]()
    pruned = old.execute("SELECT 1 FROM meta WHERE name = ?", (PRUNED,)).fetchone()
    for what, sql in COMPARED.items():
        missing = rows_by_key(new, sql).keys() - rows_by_key(old, sql).keys()
        if missing and not (pruned and what == "attempt"):
            key = min(missing, key=str)
            told.append(
                f"{count(len(missing), what)} of archives not in the record, such as {key[0]} {key[1]}"
            )
    return told


def rows_by_key(db: sqlite3.Connection, sql: str) -> Rows:
    """Return the last column of a query by the others."""
    return {tuple(row)[:-1]: row[-1] for row in db.execute(sql)}


def differences(what: str, new: Rows, old: Rows) -> list[str]:
    """Say of how many rows the last column differs, and of which."""
    others = [key for key in old if old[key] != new.get(key)]
    if not others:
        return []
    named = ", ".join(
        f"{key[0]} {key[1]} ({shown(old[key])} → {shown(new.get(key))})" for key in others[:SHOWN]
    )
    more = ", …" if len(others) > SHOWN else ""
    return [f"{count(len(others), what)} not as in the previous record: {named}{more}"]


def shown(value: Any) -> str:
    """Write a value in a few words."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"
