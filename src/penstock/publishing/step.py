"""The step `publish` of a closing: what of the group is to be seen is put where others see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from penstock.closing.group import reading
from penstock.closing.seals import canonical_json
from penstock.errors import PenstockError, Unreachable
from penstock.ledger.stored import stored_campaign
from penstock.publishing.publishing import publish_parts
from penstock.publishing.wanted import wanted
from penstock.runner.task import Task

T = TypeVar("T")


def told(task: Task, work: Callable[[], T]) -> T:
    """Do a part of the work; what a person has to know ends the task with it."""
    try:
        return work()
    except Unreachable:
        raise
    except PenstockError as error:
        task.fail(str(error))


def publish(task: Task) -> dict[str, Any]:
    """Publish the group, and note which manifests there say so.

    Where the host cannot be reached, the attempt is one that is tried again; all else waits for a person.
    """
    name = str(task.params["about"])
    with reading(task) as group:
        campaign = stored_campaign(group.ledger)
        publication = campaign.publish[name]
        parts = told(task, lambda: wanted(group.ledger, campaign, publication, [group.unit]))
    found = told(task, lambda: [*publish_parts(campaign, publication, parts, say=task.log)])
    document = {
        "format": 1,
        "publication": name,
        "to": publication.to,
        "files": sum(len(one.sent) + len(one.kept) for one in found),
        "bytes": sum(one.bytes for one in found),
        "manifests": {one.manifest: one.sha256 for one in found if one.sent or one.kept},
    }
    task.product("published").write_bytes(canonical_json(document))
    return {
        "sent": sum(len(one.sent) for one in found),
        "kept": sum(len(one.kept) for one in found),
        "removed": sum(len(one.removed) for one in found),
        "bytes": document["bytes"],
    }
