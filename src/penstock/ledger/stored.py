"""The definition as the ledger has it, for commands that must not run its Python."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.campaign import Campaign
from penstock.errors import Corrupt, LedgerError, NothingYet
from penstock.graph import Graph, build
from penstock.ledger import Ledger
from penstock.runner.sealed import seal, unseal


def stored_copy(db: sqlite3.Connection) -> dict[str, Any] | None:
    """Return the frozen copy of the current definition; None when there is none yet."""
    row = db.execute(
        "SELECT text FROM definition WHERE id = (SELECT value FROM meta WHERE name = 'definition')"
    ).fetchone()
    return row and read_copy(row[0])


def read_copy(text: str) -> dict[str, Any]:
    """Return a frozen copy; raises Corrupt if it was changed since it was written."""
    copy = unseal(text.encode())
    if copy is None:
        raise Corrupt(
            "the definition's copy in the record is damaged: the next `penstock run` writes it again, and"
            " `penstock ledger check --archives` tells what else is"
        )
    return copy


def write_copy(frozen: Mapping[str, Any]) -> str:
    """Return a frozen copy as the record keeps it, with a seal."""
    return seal(json.dumps(frozen).encode()).decode()


def last_copy(root: Path) -> dict[str, Any] | None:
    """Return the frozen copy in the ledger of a campaign; None when there is no readable record."""
    try:
        with Ledger.open(root, readonly=True) as ledger:
            return stored_copy(ledger.db)
    except (LedgerError, sqlite3.Error):
        return None  # whoever needs the ledger says what is wrong with it


def stored_campaign(ledger: Ledger) -> Campaign:
    """Return the current definition."""
    copy = stored_copy(ledger.db)
    if copy is None:
        raise NothingYet(f"the record in {ledger.root} has no definition yet: `penstock run` writes it")
    from penstock.config.frozen import from_json  # `why` and `status` of what is not stale do without

    return from_json(copy)


def stored_graph(ledger: Ledger) -> Graph:
    """Return the graph of the current definition."""
    ids = {
        row["name"]: row["id"] for row in ledger.db.execute("SELECT name, id FROM stage WHERE NOT removed")
    }
    return build(stored_campaign(ledger), ids)


def upstreams_of(definition: dict[str, Any]) -> Sequence[tuple[str, bool]]:
    """Return the stages that a frozen stage waits for, and whether fields name the key."""
    said = [(entry["stage"], bool(entry.get("key"))) for entry in definition.get("after") or ()]
    leader = definition.get("follows")
    return said if leader is None or (leader, False) in said else [*said, (leader, False)]
