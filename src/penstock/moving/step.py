"""The step `move` of a closing, in two tasks: files get their final names, and then lose the old ones.

Between the two the record learns where they are. So at each moment every file is where the record says, and whatever is
killed, the same command ends the same way.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.closing.group import Group, reading
from penstock.closing.seals import canonical_json
from penstock.errors import PenstockError
from penstock.ledger.moved import Moved, read_moves
from penstock.ledger.products import Recorded
from penstock.ledger.stored import stored_campaign
from penstock.moving.journal import journal_of, read_journal, write_journal
from penstock.moving.looking import is_as_recorded, is_like, look
from penstock.moving.placing import put, take_away
from penstock.moving.planning import Item, folder_of, plan_moves
from penstock.outputs import Destination
from penstock.publishing.wanted import not_as_recorded
from penstock.runner.blocks import draft_of
from penstock.runner.digests import sync_path
from penstock.runner.files import make_durable, remove
from penstock.runner.kinds import Odd
from penstock.runner.task import Task

SHOWN = 3  # files that are told at once


@contextmanager
def told(task: Task) -> Generator[None]:
    """End the task with what a person has to know."""
    try:
        yield
    except PenstockError as error:
        task.fail(str(error))
    except OSError as error:
        what, words = error.filename2 or error.filename or "a file", error.strerror or str(error)
        task.fail(f"{what} cannot be moved ({words}): no file is lost; retry when it can be")
    except Odd as odd:
        task.fail(f"a product {odd}: make it again")


def move(task: Task) -> dict[str, Any]:
    """Put the products of the group where they go, and note what lies where; the old names stay."""
    with reading(task) as group, told(task):
        destination = stored_campaign(group.ledger).move[str(task.params["about"])]
        items, sent = bring(group, destination)
    task.product("moved").write_bytes(canonical_json(document_of(destination, items)))
    size = sum(item.row.bytes for item in items)
    return {"moved": sent, "kept": len(items) - sent, "bytes": size}


def document_of(destination: Destination, items: Sequence[Item]) -> dict[str, Any]:
    """Return what the conductor records of the step; nothing in it has a time."""
    files = [
        {"path": one.path, "from": one.old, "bytes": one.row.bytes, "sha256": one.row.digest} for one in items
    ]
    return {"format": 1, "move": destination.name, "to": destination.to, "files": files}


def bring(group: Group, destination: Destination) -> tuple[list[Item], int]:
    """Put products of a group into the folder; return all that are there, and how many of them were not.

    Raises PenstockError, with nothing changed, if any cannot be.
    """
    folder, journal = folder_of(group.root, destination), journal_of(group, destination.name)
    items, ours = plan_moves(group, folder, destination), read_journal(journal)
    seen = look(group.root, folder, items, ours)
    if wrong := [one.why for one in seen if one.why]:
        raise refusal(group.label, wrong)
    write_journal(journal, ours, ((one.item.below, one.item.row.digest) for one in seen if one.is_wanted))
    folders = dict.fromkeys(os.path.dirname(folder / item.below) for item in items)
    for above in folders:
        make_durable(above, 0o777)
    for one in seen:
        target, digest = str(folder / one.item.below), one.item.row.digest
        if one.is_wanted:
            put(str(group.root / one.item.row.path), target, digest, replaced=one.replaced)
        for other in ours.get(one.item.below, ()):
            remove(draft_of(target, other))  # what a kill left
    for above in folders:
        sync_path(above)
    return items, sum(one.is_wanted for one in seen)


def refusal(group: str, why: Sequence[str]) -> PenstockError:
    """Return why nothing was moved."""
    more = f"; and {len(why) - SHOWN} more" if len(why) > SHOWN else ""
    return PenstockError(f"nothing of {group} is moved: {'; '.join(why[:SHOWN])}{more}")


def clear(task: Task) -> dict[str, Any]:
    """Remove what the step before moved from where it lay, as the record knows now where it is."""
    with reading(task) as group, told(task):
        return {"removed": take_all_away(group, str(task.params["about"]))}


def take_all_away(group: Group, name: str) -> int:
    """Remove products from where they were; return how many. Raises PenstockError for what is not what was moved."""
    files = files_of(group, name)
    for one in files:
        refuse_unknown(group, one)
    old = [one for one in files if os.path.lexists(group.root / one.old)]
    strange = [one.old for one in files if not taken_away(group.root, one)]
    if strange:
        more = f" and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
        raise PenstockError(
            f"{', '.join(strange[:SHOWN])}{more} came after the products were moved from there: move it away, then retry"
        )
    for above in {os.path.dirname(group.root / one.old) for one in old}:
        sync_path(above)
    return len(old)


def files_of(group: Group, name: str) -> list[Moved]:
    """Return what the step before says; raises PenstockError if its document is no longer as it was."""
    path, digest = group.db.execute(
        "SELECT p.path, p.digest FROM stage s JOIN product p ON p.stage = s.id AND p.unit = ? WHERE s.name = ?",
        (group.unit, f"close.{group.level}.move-{name}"),
    ).fetchone()
    files = read_moves(group.root / path, digest)
    if files is None:
        raise not_as_recorded(path)
    return files


def refuse_unknown(group: Group, one: Moved) -> None:
    """Raise PenstockError unless a product is where the record has it, as it was made."""
    row = group.db.execute(
        "SELECT path, bytes, digest, mtime_ns, stage, unit FROM product WHERE path = ? AND digest = ?",
        (one.path, one.sha256),
    ).fetchone()
    if row is None or not is_as_recorded(str(group.root / one.path), Recorded._make(row)):
        raise PenstockError(
            f"{one.path} is not what was moved there: nothing is removed from where it was, make it so, then retry"
        )


def taken_away(root: Path, one: Moved) -> bool:
    """Remove a product from where it was; return whether nothing else is there."""
    old, new = str(root / one.old), str(root / one.path)
    remove(draft_of(old, one.sha256))  # what a kill left
    if not os.path.lexists(old):
        return True
    if not is_like(old, new, one.sha256):
        return False
    take_away(old, one.sha256)
    return True
