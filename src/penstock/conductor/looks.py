"""The last full check of the products: while nothing changed since, the next one is put off for a day."""

from __future__ import annotations

import json
from collections.abc import Sequence

from penstock.conductor.context import Context
from penstock.disk import time_of
from penstock.ledger import Ledger
from penstock.ledger.products import Recorded

SEEN = "products.seen"  # in `meta`
DAY_S = 86_400.0
FEW = 10_000  # products, which are looked at whenever a run begins
MOST_FOLDERS = 10_000  # that are remembered
GRAIN_NS = 2_000_000_000  # a folder that changed so shortly before may change again and keep its time


def nothing_moved(context: Context) -> bool:
    """Whether the last full check was today and clean, and neither the record nor a folder changed since."""
    seen = json.loads(context.ledger.meta(SEEN) or "{}")
    if (
        not seen
        or not 0 <= context.clock.now() - seen["at"] < DAY_S
        or seen["record"] != state_of(context.ledger)
    ):
        return False
    root = context.campaign.root
    return all(time_of(f"{root}/{folder}") == mtime_ns for folder, mtime_ns in seen["folders"].items())


def begin_look(context: Context, rows: Sequence[Recorded]) -> str | None:
    """Return what to remember if the check that begins is clean; None where each run is to check."""
    if len(rows) <= FEW:
        return None
    folders = {row.path.rpartition("/")[0] for row in rows}
    if len(folders) > MOST_FOLDERS:
        return None
    now = context.clock.now()
    times = {folder: time_of(f"{context.campaign.root}/{folder}") for folder in folders}
    if any(mtime_ns is None or abs(now * 1e9 - mtime_ns) < GRAIN_NS for mtime_ns in times.values()):
        return None
    return json.dumps({"at": now, "record": state_of(context.ledger), "folders": times})


def end_look(ledger: Ledger, seen: str | None) -> None:
    """Remember a clean check, or that there was none."""
    if seen or ledger.meta(SEEN):
        with ledger.transaction():
            ledger.set_meta(SEEN, seen or "{}")


def state_of(ledger: Ledger) -> str:
    """Return what changes whenever a task is done, or a stage comes or goes."""
    sql = (
        "SELECT (SELECT coalesce(max(id), 0) FROM attempt), (SELECT json_group_array(id || ' ' || removed) FROM stage),"
        " (SELECT json_group_array(stage || state || n) FROM tally WHERE unit = 1)"
    )
    return json.dumps(tuple(ledger.db.execute(sql).fetchone()))
