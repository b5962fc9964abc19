"""What lies where products are and where they go, and what is to be done about each."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from penstock.ledger.products import Recorded
from penstock.moving.journal import Ours
from penstock.moving.planning import Item
from penstock.runner.below import look_at_name
from penstock.runner.digests import digest_at
from penstock.runner.kinds import kind_of, walk_files
from penstock.site.differences import why_changed

KINDS = ("a file", "a folder")  # what products are


class Seen(NamedTuple):
    """A product on its way: whether it is to be put there, the digest of what of ours it replaces, or why it cannot be."""

    item: Item
    is_wanted: bool = False
    replaced: str | None = None
    why: str = ""


def look(root: Path, folder: Path, items: Sequence[Item], ours: Ours) -> list[Seen]:
    """Look at all products and their places; nothing is changed."""
    passed: dict[str, str | None] = {}
    return [look_at(root, folder, item, ours.get(item.below, ()), passed) for item in items]


def look_at(
    root: Path, folder: Path, item: Item, ours: Collection[str], passed: dict[str, str | None]
) -> Seen:
    """Look at one; `passed` has the folders that were seen on the way to others."""
    source, target = str(root / item.row.path), str(folder / item.below)
    there = look_at_name(str(folder), item.below, (), passed)
    if there.kind and (there.at != item.below or there.kind not in KINDS):
        return Seen(item, why=f"{folder / there.at} is {there.kind}: move it away")
    if item.is_there:
        return Seen(item, why=fault_of(source, item.row))
    if not there.kind:
        return Seen(item, is_wanted=True, why=fault_of(source, item.row))
    if is_linked(source, target):
        return Seen(item, why=fault_of(source, item.row))
    size, digest = digest_at(target)
    if (size, digest) == (item.row.bytes, item.row.digest):
        return Seen(item)
    if digest not in ours:
        why = f"{item.path} has other content that was not moved from here: move it away"
        return Seen(item, why=why)
    return Seen(item, is_wanted=True, replaced=digest, why=fault_of(source, item.row))


def fault_of(path: str, row: Recorded) -> str:
    """Say what is wrong with a product, if anything."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return f"the product {row.path} is not there: bring it back to where it was, or make it again"
    if kind_of(status) not in KINDS:
        return f"the product {row.path} is {kind_of(status)}: put it back itself"
    if is_as_recorded(path, row):
        return ""
    return (
        f"the product {row.path} is not as recorded: `penstock ledger check --products` marks what changed, and"
        " `penstock run --stale` makes it again"
    )


def is_as_recorded(path: str, row: Recorded) -> bool:
    """Whether a product is as it was made: a file by size and time, else by its bytes."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    if stat.S_ISREG(status.st_mode) and why_changed(status, row) is None:
        return True
    return kind_of(status) in KINDS and digest_at(path)[1] == row.digest


def is_like(path: str, target: str, digest: str) -> bool:
    """Whether a file or folder is what lies at another place, by its links or its bytes."""
    if kind_of(os.lstat(path)) not in KINDS:
        return False
    return is_linked(path, target) or digest_at(path)[1] == digest


def is_linked(one: str, other: str) -> bool:
    """Whether two names are of the same file, or of folders with the same files in them."""
    if not (os.path.lexists(one) and os.path.lexists(other)):
        return False
    if not os.path.isdir(one):
        return os.path.samestat(os.lstat(one), os.lstat(other))
    return os.path.isdir(other) and files_in(one) == files_in(other)


def files_in(folder: str) -> dict[str, tuple[int, int] | str]:
    """Return what identifies each file in a folder, and where each link leads, by name."""
    found: dict[str, tuple[int, int] | str] = {}
    for entry in walk_files(folder):
        status = entry.stat(follow_symlinks=False)
        name = os.path.relpath(entry.path, folder)
        found[name] = os.readlink(entry.path) if entry.is_symlink() else (status.st_dev, status.st_ino)
    return found
