"""Which products of a group go where, by the record."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from penstock.closing.group import Group
from penstock.errors import PenstockError
from penstock.ledger.products import Recorded
from penstock.ledger.stored import stored_campaign
from penstock.ledger.units import Values
from penstock.outputs import Destination, folder_at
from penstock.publishing.wanted import check_path, place_of, products_of, refuse_files_in_files

DONE = "moved"


class Item(NamedTuple):
    """A product: as the record has it, where it lay before, its path in the folder, and how the record will call that."""

    row: Recorded
    old: str
    below: str
    path: str

    @property
    def is_there(self) -> bool:
        """Whether the record has it where it goes."""
        return self.row.path == self.path


def folder_of(root: Path, destination: Destination) -> Path:
    """Return the folder; raises PenstockError for one outside the campaign that is not there: a disk may not be mounted."""
    folder = folder_at(root, destination.to)
    if not (folder.is_relative_to(root) or folder.is_dir()):
        raise PenstockError(
            f"{folder}, the folder of [move.{destination.name}], is not there: make it, or mount its disk"
        )
    return folder


def plan_moves(group: Group, folder: Path, destination: Destination) -> list[Item]:
    """Return what goes where, in the order of its paths there.

    Raises PenstockError for products that are not here, and for paths that lead out of the folder, that two would have, or
    that are those of other products.
    """
    values = Values(group.db, stored_campaign(group.ledger))
    taken, found = dict[str, Path](), list[Item]()
    for shown in destination.files:
        for unit, row in products_of(group.db, shown, [group.unit]):
            below = place_of(shown, values.of(unit), row)
            check_path(below, group.root / row["path"], taken, DONE)
            path = folder / below
            name = str(path.relative_to(group.root) if path.is_relative_to(group.root) else path)
            old = row["declared"] if row["path"] == name else row["path"]
            made = Recorded(
                row["path"], row["bytes"], row["digest"], row["mtime_ns"], row["stage"], row["unit"]
            )
            found.append(Item(made, old, below, name))
    refuse_files_in_files(taken, DONE)
    for item in found:
        refuse_others(group.db, item)
    return sorted(found, key=lambda item: item.below.encode())


def refuse_others(db: sqlite3.Connection, item: Item) -> None:
    """Raise PenstockError for a path where another product is, or in one that is a folder."""
    if item.path == item.old:
        raise PenstockError(f"{item.old} is made where it would be moved to: let `to` name another place")
    path = item.path
    while path.rpartition("/")[0]:
        owner = db.execute("SELECT path FROM product WHERE path = ?", (path,)).fetchone()
        if owner and path != item.row.path:
            raise PenstockError(
                f"{item.old} cannot be moved to {item.path}: {path} is another product; let `to` name another place"
            )
        path = path.rpartition("/")[0]
