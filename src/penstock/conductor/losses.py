"""Products that are missing or changed: their tasks are stale until they are redone."""

from __future__ import annotations

from penstock.conductor.context import Context
from penstock.conductor.looks import begin_look, end_look
from penstock.ledger import tasks
from penstock.ledger.absent import too_many_lost
from penstock.ledger.products import LOST, marked, recorded
from penstock.site.differences import find_lost, say_missing

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
