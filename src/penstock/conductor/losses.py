"""Products that are missing or changed: their tasks are stale until they are redone."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISDIR

from penstock.conductor.context import Context
from penstock.conductor.looks import begin_look, end_look
from penstock.ledger import tasks
from penstock.ledger.products import LOST, Recorded, marked, recorded
from penstock.ledger.units import too_many_lost

#: what the mtime may be rounded to, in ns, by file systems that keep it less exactly than the kernel first says
GRAINS = (100, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000)

SOURCE = "products"  # of the problem

Lost = dict[tuple[int, int], str]  # stage and unit → why


def mark_lost(context: Context, *, accept_gone: bool) -> int:
    """Mark the tasks of products that are missing or changed, unmark those that are back; return how many are marked.

    Too many missing at once mean a disk that is not mounted: nothing changes, and it is reported. What is there
    and was changed proves that the disk is, too.
    """
    ledger, graph = context.ledger, context.graph
    rows = recorded(ledger.db)
    seen = begin_look(context, rows)
    found = list(find_lost(context.campaign.root, rows))
    lost = {(row.stage, row.unit): why for row, why in found}
    missing = sum(why == say_missing(row) for row, why in found)
    believed = accept_gone or not too_many_lost(missing, len(rows))
    why = f"{missing} are missing at once, which is suspicious: is a disk not mounted?"
    told = None if believed else f"{why} `penstock run --accept-gone` accepts it"
    ledger.set_problem(SOURCE, told, context.clock.now())
    before = marked(ledger.db, LOST)
    fresh = lost.keys() - before if believed else set[tuple[int, int]]()
    back = before - lost.keys()
    for stage, number in graph.ids.items() if fresh or back else ():
        with ledger.transaction() as db:
            whys = {unit: lost[s, unit] for s, unit in fresh if s == number}
            tasks.mark_fresh(db, graph, stage, whys, redo=tasks.KEPT)
            tasks.clear_stale(db, graph, stage, [unit for s, unit in back if s == number])
    end_look(ledger, None if found or back else seen)
    return len(fresh)


def find_lost(root: Path, rows: list[Recorded]) -> Iterator[tuple[Recorded, str]]:
    """Yield the products that are not as they were made, and why; each folder is listed once."""
    folders = defaultdict[str, dict[str, Recorded]](dict)
    for row in rows:
        folder, _, name = row.path.rpartition("/")
        folders[folder][name] = row
    for folder, expected in folders.items():
        yield from lost_in(os.path.join(root, folder), expected)


def lost_in(folder: str, expected: Mapping[str, Recorded]) -> Iterator[tuple[Recorded, str]]:
    """Yield what is wrong with the products in one folder; nothing is known of one that cannot be read."""
    missing = dict(expected)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                row = missing.pop(entry.name, None)
                if row is not None and (why := why_changed(entry, row)):
                    yield row, why
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        return
    for row in missing.values():
        yield row, say_missing(row)


def say_missing(row: Recorded) -> str:
    """Return that a product is missing."""
    return f"product {row.path} is missing"


def why_changed(entry: os.DirEntry[str], row: Recorded) -> str | None:
    """Return how a product differs from what was made, by size and time; for a folder its own time counts."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return say_missing(row)
    if status.st_size != row.bytes and not S_ISDIR(status.st_mode):
        return f"product {row.path} changed: {row.bytes} → {status.st_size} bytes"
    made = row.mtime_ns
    if made is None or status.st_mtime_ns == made:
        return None
    rounded = any(status.st_mtime_ns == made // grain * grain for grain in GRAINS)
    return None if rounded else f"product {row.path} was rewritten"
