"""Products compared, byte for byte, with the record."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.products import ALTERED, LOST, Recorded, marked, recorded
from penstock.ledger.redoing import choose
from penstock.ledger.units import too_many_lost
from penstock.runner.kinds import Odd
from penstock.site.evidence import digest_at

MISSING, DIFFERENT, UNREADABLE = "missing", "different", "unreadable"


@dataclass(frozen=True, slots=True)
class Difference:
    """A product that is not as it was made: whose it is, of which making, and what is wrong."""

    stage: int
    unit: int
    path: str
    digest: str
    mtime_ns: int | None
    kind: str
    why: str


def products_of(ledger: Ledger, graph: Graph, target: Mapping[str, Any]) -> list[Recorded]:
    """Return the recorded products of the done tasks that a target selects, as `redo` understands it."""
    chosen = choose(ledger, graph, target)
    meant = {(graph.ids[stage], unit) for stage, units in chosen.items() for unit in units}
    return [row for row in recorded(ledger.db) if (row.stage, row.unit) in meant]


def compare(root: Path, rows: Iterable[Recorded]) -> Iterator[Difference | None]:
    """Yield, of each product in turn, how it differs from what was made; None when it does not."""
    for row in rows:
        wrong = compare_one(os.path.join(root, row.path), row)
        yield Difference(
            row.stage, row.unit, row.path, row.digest, row.mtime_ns, *wrong
        ) if wrong else None  # fmt: skip


def compare_one(path: str, row: Recorded) -> tuple[str, str] | None:
    """Return what is wrong with one product, if anything; a link counts as its target, as everywhere."""
    named, place = f"{LOST}{row.path}", os.path.realpath(path)
    try:
        status = os.stat(place)
        if not S_ISDIR(status.st_mode) and status.st_size != row.bytes:
            return DIFFERENT, f"{named} changed: {row.bytes} → {status.st_size} bytes"
        same = digest_at(place) == (row.bytes, row.digest)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING, f"{named} is missing"
    except Odd as odd:
        return DIFFERENT, f"{ALTERED}{row.path} differ from what was made: it {odd}"
    except OSError as error:
        return UNREADABLE, f"{named} cannot be read ({error.strerror}): its content is unknown"
    return None if same else (DIFFERENT, f"{ALTERED}{row.path} differ from what was made")


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
