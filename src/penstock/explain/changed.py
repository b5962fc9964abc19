"""What changed since a stale task was made: its definition, its fields and files, the products that it was made from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from penstock.display import Labels
from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.inputs import members_of
from penstock.ledger.redefined import Changed
from penstock.ledger.stored import stored_graph
from penstock.ledger.tasks import MEANWHILE
from penstock.ledger.uses import Uses

WIDE = 3  # upstream tasks that are named

FOUND = (
    "SELECT h.what, h.old, h.new, u.level, u.key, u.fields FROM unit t"
    " JOIN history h ON h.unit IN (t.id, t.g1, t.g2, t.g3, t.g4, t.g5) AND h.at >= ? JOIN unit u ON u.id = h.unit"
    " WHERE t.id = ? ORDER BY h.at, h.unit, h.n"
)
MADE_SINCE = (
    "SELECT u.key FROM json_each(?) j JOIN attempt a ON a.unit = j.value AND a.stage = ? AND a.outcome = 'ok'"
    " AND a.ended > ? JOIN unit u ON u.id = a.unit GROUP BY u.id ORDER BY max(a.id) DESC"
)


def changed_inputs(ledger: Ledger, task: sqlite3.Row, labels: Labels) -> tuple[Changed, ...]:
    """Return which inputs of a task changed since it was made."""
    since = began(ledger.db, task)
    if since is None:
        return ()
    graph = stored_graph(ledger)
    units = changed_units(ledger.db, Uses(graph, task["name"]), task, labels, since)
    return (*units, *made_again(ledger.db, graph, task, labels, since))


def began(db: sqlite3.Connection, task: sqlite3.Row) -> float | None:
    """Return when a task was made; when its job was, if something changed between that and its turn."""
    row = db.execute(
        "SELECT a.began, j.created FROM attempt a LEFT JOIN job j ON j.id = a.job"
        " WHERE a.stage = ? AND a.unit = ? AND a.outcome = 'ok' ORDER BY a.id DESC",
        (task["stage"], task["unit"]),
    ).fetchone()
    if row is None:
        return None
    return row["created"] or row["began"] if task["stale"] == MEANWHILE else row["began"]


def changed_units(
    db: sqlite3.Connection, uses: Uses, task: sqlite3.Row, labels: Labels, since: float
) -> Iterator[Changed]:
    """Yield the fields and files that changed, each from what it was then to what it is now."""
    seen: dict[str, tuple[Any, Any]] = {}
    for row in db.execute(FOUND, (since, task["unit"])):
        kind, _, name = row["what"].partition(" ")
        of = (
            ""
            if row["level"] == task["level"]
            else f" of {labels.level(row['level'])} {labels.label(row['key'])}"
        )
        if kind == "files" and uses.has_files(row["level"], json.loads(row["fields"])):
            what, old, new = f"the input{of}", files_of(row["old"]), files_of(row["new"])
        elif kind == "field" and uses.has_field(name):
            what, old, new = f"the field {name}{of}", value_of(row["old"]), value_of(row["new"])
        else:
            continue
        seen[what] = seen.get(what, (old,))[0], new
    yield from (Changed(what, old, new) for what, (old, new) in seen.items() if old != new)


def value_of(text: str | None) -> Any:
    """Read a field of the history; None if there was none."""
    return None if text is None else json.loads(text)


def files_of(fingerprint: str) -> dict[str, Any] | None:
    """Read a fingerprint ("size:mtime in ns" of each file)."""
    files = [part.split(":") for part in fingerprint.split(",") if ":" in part]
    if not files:
        return None
    newest = datetime.fromtimestamp(max(int(ns) for _, ns in files) / 1e9, UTC)
    return {"bytes": sum(int(size) for size, _ in files), "modified": f"{newest:%Y-%m-%d %H:%M:%S} UTC"}


def made_again(
    db: sqlite3.Connection, graph: Graph, task: sqlite3.Row, labels: Labels, since: float
) -> Iterator[Changed]:
    """Yield the products of upstreams that were made after the task was."""
    for edge in graph.upstreams[task["name"]]:
        members = json.dumps(sorted(members_of(db, graph, edge, [task["unit"]])))
        rows = db.execute(MADE_SINCE, (members, graph.ids[edge.up], since)).fetchall()
        yield from (Changed(f"the product of {edge.up} {labels.label(row['key'])}") for row in rows[:WIDE])
        if len(rows) > WIDE:
            yield Changed(f"the products of {len(rows) - WIDE} more of {edge.up}")
