"""Completion of stages and units from the ledger."""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from penstock.display import Labels, visible
from penstock.errors import PenstockError

SHOWN = 100
SEEN = 20_000  # units that are looked at: a key press must not wait


def complete_stage(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the stages whose name begins as typed."""
    query = "SELECT name FROM stage WHERE NOT removed AND substr(name, 1, length(?1)) = ?1"
    return _ask(ctx, incomplete, query)


def complete_unit(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return units and groups whose name begins as typed."""
    return _ask(ctx, incomplete, None)


def complete_site(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the sites whose name begins as typed: those of the file, else of the last run."""
    from penstock.cli.options import find_root

    try:
        text = (find_root(Path(_given(ctx) or ".")) / "penstock.toml").read_text("utf-8")
        names = sorted({"local", *tomllib.loads(text).get("site", {})})
    except (PenstockError, OSError, ValueError):  # a campaign in Python, or one that is being edited
        query = (
            "SELECT key FROM definition, json_each(text, '$.sites') WHERE substr(key, 1, length(?1)) = ?1"
            " AND definition.id = (SELECT value FROM meta WHERE name = 'definition')"
        )
        return _ask(ctx, incomplete, query)
    return [CompletionItem(visible(name)) for name in names if name.startswith(incomplete)]


def complete_publication(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the publications of the last run's definition whose name begins as typed, and units."""
    query = (
        "SELECT key FROM definition, json_each(text, '$.publish') WHERE substr(key, 1, length(?1)) = ?1"
        " AND definition.id = (SELECT value FROM meta WHERE name = 'definition')"
    )
    return [*_ask(ctx, incomplete, query), *complete_unit(ctx, param, incomplete)]


def _given(ctx: click.Context) -> str | None:
    return ctx.params.get("root") or ctx.find_root().obj


def _ask(ctx: click.Context, incomplete: str, query: str | None) -> list[CompletionItem]:
    from penstock.cli.options import find_root
    from penstock.ledger import Ledger

    try:
        with Ledger.open(find_root(Path(_given(ctx) or ".")), readonly=True) as ledger:
            if query:
                names = [row[0] for row in ledger.db.execute(query, (incomplete,))]
            else:
                names = list(islice(_units(ledger.db, incomplete), SHOWN))
    except PenstockError:  # nothing to offer is an answer too
        return []
    return [CompletionItem(visible(name)) for name in names]


def _units(db: sqlite3.Connection, incomplete: str) -> Iterator[str]:
    """Names one level deeper than the group that is typed already, out of the first ones of it."""
    from penstock.explain import find_children

    labels = Labels.read(db)
    group, slash, _ = incomplete.rpartition("/")
    for key in islice(find_children(db, labels, group if slash else "campaign"), SEEN):
        if (name := labels.label(key)).startswith(incomplete):
            yield name
