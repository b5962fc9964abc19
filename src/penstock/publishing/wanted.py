"""What is to be at the place of a publication, by the record: products, never what happens to lie in a folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from penstock.campaign import Campaign
from penstock.display import Labels, is_utf8, visible
from penstock.errors import PenstockError
from penstock.ledger import Ledger
from penstock.ledger.units import ROOT, Values, under
from penstock.outputs import OWN_FOLDERS, Publication, Shown
from penstock.publishing.manifest import name_of
from penstock.runner.digests import digest_parts, parts_of
from penstock.runner.kinds import Odd

PRODUCTS = (
    "SELECT p.stage, p.unit, p.name, p.path, p.bytes, p.digest, p.mtime_ns, l.site, coalesce(m.declared, p.path) AS declared"
    " FROM json_each(?) j"
    " CROSS JOIN product p ON p.stage = ? AND p.unit = j.value AND p.digest IS NOT NULL"
    " CROSS JOIN task t ON t.stage = p.stage AND t.unit = p.unit AND t.state = 'done'"
    " LEFT JOIN location l ON l.path = p.path AND NOT l.home LEFT JOIN moved m ON m.path = p.path"
)


class Item(NamedTuple):
    """A file that is to be there: its bytes and digest, and where it is here."""

    size: int
    digest: str
    source: Path


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be there of one group, which has a manifest of its own: files by their path there."""

    level: str
    group: str
    name: str  # of its manifest, without an end
    items: dict[str, Item] = field(default_factory=dict[str, Item])


class Wanted(NamedTuple):
    """What is to be there, and the parts of the groups that were asked for, in which all others are."""

    parts: list[Part]
    asked: list[Part]


def wanted(ledger: Ledger, campaign: Campaign, publication: Publication, groups: Sequence[int]) -> Wanted:
    """Return what is to be there of some groups: one part for each of the publication's level, and for what is above.

    Raises PenstockError for what cannot be published: products that are not here or not as recorded, paths that lead out
    of the folder or that two products would have.
    """
    labels = Labels.read(ledger.db)
    values, parts = Values(ledger.db, campaign), dict[int, Part]()
    for unit in groups:
        parts[unit] = part_of(ledger.db, labels, campaign, publication, unit)
    asked = [*parts.values()]
    taken = dict[str, Path]()
    for shown in publication.files:
        for row, product in products_of(ledger.db, shown, groups):
            level = min(row["level"], publication.level)
            owner = row[f"g{level}"] if level else ROOT
            if owner not in parts:
                parts[owner] = part_of(ledger.db, labels, campaign, publication, owner)
            for path, item in items_of(ledger.root, shown, values.of(row), product):
                check_path(path, item.source, taken)
                parts[owner].items[path] = item
    refuse_files_in_files(taken)
    return Wanted([*parts.values()], asked)


def part_of(
    db: sqlite3.Connection, labels: Labels, campaign: Campaign, publication: Publication, unit: int
) -> Part:
    """Return the empty part of a unit."""
    level, key = db.execute("SELECT level, key FROM unit WHERE id = ?", (unit,)).fetchone()
    named = labels.level(level)
    return Part(named, labels.label(key), name_of(campaign.name, publication.name, named, labels.label(key)))


def products_of(
    db: sqlite3.Connection, shown: Shown, groups: Sequence[int]
) -> Iterator[tuple[sqlite3.Row, sqlite3.Row]]:
    """Yield the products that were made, each with the row of its unit."""
    stage = db.execute(
        "SELECT id, level FROM stage WHERE name = ? AND NOT removed", (shown.stage,)
    ).fetchone()
    if stage is None:
        return
    units = {row["id"]: row for row in under(db, groups, stage["level"])}
    for product in db.execute(PRODUCTS, (json.dumps([*units]), stage["id"])).fetchall():
        if shown.product in (None, product["name"]):
            yield units[product["unit"]], product


def items_of(
    root: Path, shown: Shown, values: Mapping[str, object], product: sqlite3.Row
) -> Iterator[tuple[str, Item]]:
    """Yield the files of a product, with their paths there; links in one that is a folder are left out."""
    path, to = product["path"], place_of(shown, values, product)
    if not (root / path).is_dir():
        yield to, Item(product["bytes"], product["digest"], root / path)
        return
    try:
        parts = parts_of(str(root / path))
    except Odd as odd:
        raise PenstockError(f"the product {path} {odd}: make it again") from None
    if digest_parts(parts)[1] != product["digest"]:
        raise not_as_recorded(path)
    for part in parts:
        if not part.link:
            yield f"{to}/{part.name}", Item(part.size, part.digest, root / path / part.name)


def place_of(shown: Shown, values: Mapping[str, object], product: sqlite3.Row) -> str:
    """Return where in the folder a product goes; raises PenstockError if it is not here."""
    path, declared = product["path"], product["declared"]
    if product["site"]:
        raise PenstockError(
            f"the product {path} is only at {product['site']}: bring it home with `penstock fetch --file '{path}'`"
        )
    to = declared if shown.to is None else shown.to.render(values, in_path=True)
    return f"{to}{declared.rpartition('/')[2]}" if not to or to.endswith("/") else to


def not_as_recorded(path: str) -> PenstockError:
    """Return that a product changed since it was made."""
    return PenstockError(
        f"the product {path} is not as recorded: `penstock ledger check --products` marks what changed, and"
        " `penstock run --stale` makes it again"
    )


def check_path(path: str, source: Path, taken: dict[str, Path], done: str = "published") -> None:
    """Refuse a path that leads out of the folder, that nobody could write down, or that another file has."""
    if not {"", ".", "..", *OWN_FOLDERS}.isdisjoint(path.split("/")):
        raise PenstockError(f"{source} cannot be {done} as {path!r}: let `to` name another place for it")
    if not is_utf8(path):
        raise PenstockError(f"{visible(path)} is no UTF-8 and cannot be {done}: rename it")
    if (other := taken.setdefault(path, source)) != source:
        raise PenstockError(f"{other} and {source} would both be {done} as {path}: let `to` tell them apart")


def refuse_files_in_files(taken: Mapping[str, Path], done: str = "published") -> None:
    """Refuse a path that would be a file, and a folder for another."""
    for path in taken:
        above = path.rpartition("/")[0]
        while above:
            if above in taken:
                raise PenstockError(
                    f"{taken[above]} would be {done} as {above}, which is the folder of {path}: let `to` tell them apart"
                )
            above = above.rpartition("/")[0]
