"""What `penstock ledger check --products` finds, and how it is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.options import open_record
from penstock.display import Labels, count
from penstock.explain import find_stage, find_units
from penstock.record.asking import request

if TYPE_CHECKING:
    from penstock.site.differences import Difference

SHOWN = 20
TOLD_S = 5.0  # between two words of how far it is


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of a comparison: the number of products, those that differ, and what is done about them."""

    products: int
    found: Sequence[dict[str, Any]]
    answer: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"compared": self.products, "products": self.found, "answer": self.answer}

    def to_lines(self) -> list[str]:
        """Return it as a person reads it."""
        if not self.found:
            return [
                f"{count(self.products, 'product')} compared: all unchanged",
                *([self.answer] if self.answer else []),
            ]
        lines = [one["why"] for one in self.found[:SHOWN]]
        more = len(self.found) - SHOWN
        return [
            *lines,
            *([f"… and {more} more"] if more > 0 else []),
            f"{len(self.found)} of {count(self.products, 'product')} compared are missing or changed",
            self.answer or "no task was marked stale",
        ]


def compare_products(root: Path, unit: str | None, stage: str | None) -> Compared:
    """Compare products with the record, and request that the tasks of those that differ be marked stale."""
    from penstock.conductor.verifying import products_of, request_for, still_so
    from penstock.ledger.stored import stored_graph
    from penstock.site.differences import compare

    with open_record(root) as ledger:
        if stage:
            find_stage(ledger.db, stage)
        target = {"units": find_units(ledger, unit) if unit else None, "stage": stage}
        rows = products_of(ledger, stored_graph(ledger), target)
    wrong = [one for one in told(compare(root, rows), len(rows)) if one]
    with open_record(root) as ledger:
        found = still_so(ledger, wrong)
        asked = request_for(ledger, rows, found)
        named = named_in(ledger.db, found)
    answers = [request(root, "compared", asked)] if asked else []
    return Compared(len(rows), named, "; ".join([*answers, *unbelieved(found, asked)]) or None)


def told(compared: Iterator[Difference | None], products: int) -> Iterator[Difference | None]:
    """Pass on what a comparison finds, and print progress on stderr now and then."""
    last, found = time.monotonic(), 0
    for n, one in enumerate(compared, 1):
        found += one is not None
        if time.monotonic() > last + TOLD_S:
            last = time.monotonic()
            click.echo(f"{n}/{products} products compared, {found} differ", err=True)
        yield one


def named_in(db: Any, found: Sequence[Difference]) -> list[dict[str, Any]]:
    """Return what differs with the names of stages and units."""
    labels, stages = Labels.read(db), dict(db.execute("SELECT id, name FROM stage").fetchall())
    keys = dict(db.execute("SELECT id, key FROM unit").fetchall()) if found else {}
    return [
        {"stage": stages[one.stage], "unit": labels.label(keys[one.unit]), "path": one.path,
         "kind": one.kind, "why": one.why}
        for one in found
    ]  # fmt: skip


def unbelieved(found: Sequence[Difference], asked: dict[str, Any]) -> Iterator[str]:
    """Explain why missing products are not marked."""
    marked = {one["path"] for one in asked.get("stale", ())}
    missing = sum(one.kind == "missing" and one.path not in marked for one in found)
    if missing:
        why = f"{missing} are missing at once, which is suspicious: is a disk not mounted?"
        yield f"{why} `penstock run --accept-gone` accepts it"
