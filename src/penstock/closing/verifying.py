"""The step `verify`: all products of a group are read again and compared with the record."""

from __future__ import annotations

from typing import Any

from penstock.closing.group import reading
from penstock.display import count
from penstock.runner.task import Task
from penstock.site.differences import compare

SHOWN = 5


def verify(task: Task) -> dict[str, Any]:
    """Compare each product with its digest; the step fails if one differs, and names it."""
    with reading(task) as group:
        rows = group.products()
        wrong = [found.why for found in compare(group.root, rows) if found]
    for why in wrong:
        task.log(why)
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more, see its log" if len(wrong) > SHOWN else ""
        told = f"{count(len(wrong), 'product')} not as recorded: {'; '.join(wrong[:SHOWN])}{more}"
        task.fail(
            f"{told}; make them again with `penstock ledger check --products` and `penstock run --stale`"
        )
    return {"products": len(rows), "bytes": sum(row.bytes for row in rows)}
