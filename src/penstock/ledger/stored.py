"""The definition as the ledger has it, for commands that must not run its Python (RULES 25)."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from penstock.campaign import After, Campaign, Site, Stage
from penstock.graph import Graph, build
from penstock.ledger import Ledger
from penstock.units import Expression, Template


def stored_campaign(ledger: Ledger) -> Campaign:
    """Return the current definition with what readiness depends on, and its sites; it can be judged by, not run."""
    text = ledger.db.execute(
        "SELECT text FROM definition WHERE id = ?", (ledger.meta("definition"),)
    ).fetchone()[0]
    frozen = json.loads(text)
    return Campaign(
        name=frozen["name"],
        root=ledger.root,
        levels=tuple(frozen["levels"]),
        sources=(),
        stages=tuple(stored_stage(stage) for stage in frozen["stages"]),
        sites={name: stored_site(site) for name, site in frozen["sites"].items()},
        formats=frozen["formats"],
        types=frozen["types"],
    )


def stored_site(frozen: dict[str, Any]) -> Site:
    """Return one site of a frozen copy; one of an older version has the defaults for what it did not know."""
    known = {field.name: frozen[field.name] for field in fields(Site) if field.name in frozen}
    for key in ("workdir", "commands"):
        known[key] = Path(frozen[key]) if frozen.get(key) else None
    for key in ("setup", "lines"):
        known[key] = tuple(frozen.get(key) or ())
    return Site(**known)


def stored_stage(frozen: dict[str, Any]) -> Stage:
    """Return one stage of a frozen copy."""
    return Stage(
        name=frozen["name"],
        level=frozen["level"],
        command=tuple(Template.parse(text) for text in frozen["command"]),
        python=frozen["python"],
        after=tuple(stored_after(after) for after in frozen["after"]),
        follows=frozen["follows"],
        where=Expression.parse(frozen["where"]) if frozen["where"] else None,
        expands=frozen["expands"],
        members=frozen["members"],
        empty=frozen["empty"],
        late=frozen["late"],
        digest=frozen["digest"],
    )


def stored_after(frozen: dict[str, Any]) -> After:
    """Return one upstream of a frozen copy."""
    return After(frozen["stage"], tuple(Template.parse(text) for text in frozen["key"]), frozen["optional"])


def stored_graph(ledger: Ledger) -> Graph:
    """Return the graph of the current definition."""
    ids = {
        row["name"]: row["id"] for row in ledger.db.execute("SELECT name, id FROM stage WHERE NOT removed")
    }
    return build(stored_campaign(ledger), ids)
