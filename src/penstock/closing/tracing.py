"""The step `provenance`: where all files of a group come from, as a document."""

from __future__ import annotations

from typing import Any

from penstock.closing.group import reading
from penstock.provenance import Wanted, trace
from penstock.provenance.provjson import write_prov_json
from penstock.runner.task import Task


def provenance(task: Task) -> dict[str, Any]:
    """Write the provenance of the group as PROV-JSON, without the closing itself: that is not over yet."""
    with reading(task) as group:
        found = trace(group.ledger, group.unit, Wanted(stages=group.made_by()))
    task.product("document").write_text(write_prov_json(found), encoding="utf-8")
    return {"activities": len(found.activities), "entities": len(found.entities)}
