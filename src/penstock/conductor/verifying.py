"""Products compared, byte for byte, with the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.absent import too_many_lost
from penstock.ledger.products import ALTERED, Recorded, marked, recorded
from penstock.ledger.redoing import choose
from penstock.site.differences import MISSING, UNREADABLE, Difference


def products_of(ledger: Ledger, graph: Graph, target: Mapping[str, Any]) -> list[Recorded]:
    """Return the recorded products of the done tasks that a target selects, as `redo` understands it."""
    chosen = choose(ledger, graph, target)
    meant = {(graph.ids[stage], unit) for stage, units in chosen.items() for unit in units}
    return [row for row in recorded(ledger.db) if (row.stage, row.unit) in meant]


def still_so(ledger: Ledger, found: Iterable[Difference]) -> list[Difference]:
    """Return those of products that were not made again while others were compared."""
    now = {(row.path, row.digest, row.mtime_ns) for row in recorded(ledger.db)}
    return [one for one in found if (one.path, one.digest, one.mtime_ns) in now]


def request_for(ledger: Ledger, rows: Iterable[Recorded], found: Iterable[Difference]) -> dict[str, Any]:
    """Return what to ask for after a comparison: which tasks are stale now, and which are no longer; {} for nothing.

    Too many missing at once mean a disk that is not mounted: those are ignored.
    """
    found = list(found)
    missing = sum(one.kind == MISSING for one in found)
    doubted = {UNREADABLE, MISSING} if too_many_lost(missing, len(recorded(ledger.db))) else {UNREADABLE}
    stale = [asdict(one) for one in found if one.kind not in doubted]
    wrong = {(one.stage, one.unit) for one in found}
    well = {(row.stage, row.unit) for row in rows} - wrong
    sound = sorted(well & marked(ledger.db, ALTERED))
    return {name: given for name, given in (("stale", stale), ("sound", sound)) if given}
