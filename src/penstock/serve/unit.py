"""One unit: why its tasks are in their states, what was tried, what was made, what happened, and its last output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from penstock.display import Labels, clean_log
from penstock.errors import DefinitionError, LedgerError
from penstock.explain import (
    Explanation,
    choose_stage,
    explain,
    find_children,
    find_stage,
    find_units,
    read_log,
)
from penstock.ledger import Ledger
from penstock.record.history import describe_members, events_of
from penstock.record.reading import products_of
from penstock.record.rows import Event, ProductRow
from penstock.serve.files import roots_of
from penstock.serve.views import Asked, Head, number_in

LISTED = 200  # units, products and events on a page
TAIL = 64 << 10  # bytes of a log


@dataclass(frozen=True, slots=True)
class Output:
    """The end of what a task wrote; `why` there is none, if so."""

    stage: str
    attempt: int | None
    outcome: str
    text: str
    cut: bool
    """Whether there is more before it."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class UnitView:
    """One unit."""

    name: str
    level: str
    tasks: Sequence[Explanation]
    products: Sequence[ProductRow]
    events: Sequence[Event]
    members: str | None
    children: Sequence[str]
    above: Sequence[str]
    """The groups that it is in, the coarsest first."""
    output: Output | None
    roots: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Found:
    """The units that a name fits, when there are several."""

    text: str
    names: Sequence[str]
    more: bool


def read_unit(ledger: Ledger, head: Head, asked: Asked) -> UnitView | Found:
    """Read the unit that is named as at the terminal: by its name, a pattern, a file or a product.

    Raises DefinitionError if there is none.
    """
    text = asked.get("unit") or ""
    if not text:
        raise DefinitionError("name a unit, a group, a pattern with `*`, a file or a product")
    found, labels = find_units(ledger, text), Labels.read(ledger.db)
    if len(found) > 1:
        keys = (
            ledger.db.execute("SELECT key FROM unit WHERE id = ?", (u,)).fetchone()[0] for u in found[:LISTED]
        )
        return Found(text, [labels.label(key) for key in keys], len(found) > LISTED)
    return view_of(ledger, head, labels, found[0], asked)


def view_of(ledger: Ledger, head: Head, labels: Labels, unit: int, asked: Asked) -> UnitView:
    """Read one unit by its id."""
    row = ledger.db.execute("SELECT level, key FROM unit WHERE id = ?", (unit,)).fetchone()
    name, parts = labels.label(row["key"]), labels.label(row["key"]).split("/")
    events = sorted(events_of(ledger.db, labels, unit), key=lambda event: event.at)
    return UnitView(
        name=name,
        level=labels.level(row["level"]),
        tasks=explain(ledger, unit, now=head.status.at),
        products=[*islice(products_of(ledger, unit), LISTED)],
        events=events[-LISTED:],
        members=describe_members(ledger, name),
        children=[labels.label(key) for key in islice(find_children(ledger.db, labels, name), LISTED)]
        if row["level"] < len(labels.levels)
        else (),
        above=["/".join(parts[:depth]) for depth in range(1, row["level"])],
        output=output_of(ledger, unit, asked),
        roots=roots_of(ledger),
    )


def output_of(ledger: Ledger, unit: int, asked: Asked) -> Output | None:
    """Read the end of the output of the `stage` that is asked for, or of the one that matters, in its n-th `attempt`."""
    named = asked.get("stage")
    stage = find_stage(ledger.db, named) if named else choose_stage(ledger.db, unit)
    if stage is None:
        return None
    try:
        log = read_log(ledger, unit, stage, attempt=number_in(asked, "attempt") or None, tail=TAIL)
    except LedgerError as error:
        return Output(stage["name"], None, "", "", False, str(error))
    return Output(stage["name"], log.attempt, log.outcome, clean_log(log.raw), len(log.raw) >= TAIL)
