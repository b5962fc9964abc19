"""What penstock itself made is never an input, and no input is ever replaced."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from penstock.campaign import Campaign, FileSource, Product, Source, Stage
from penstock.conductor.context import Context
from penstock.config.collisions import as_written, head_of, moved_products, named_files
from penstock.ledger.products import lying_at, replaceable
from penstock.ledger.units import rows_of
from penstock.sources.identities import Identity, identities, identity_of, real_folder
from penstock.sources.walk import names_like

INPUT = "is an input of this campaign, which is never replaced: write the product to another path"


def products_among(context: Context, source: Source) -> frozenset[str]:
    """Return the paths, as `source` writes them, where products of the record lie: they are never units."""
    if not isinstance(source, FileSource):
        return frozenset()
    campaign = context.campaign
    suspects = {
        context.graph.ids[stage.name]
        for stage in campaign.stages
        if any(may_meet(product, source, campaign) for product in stage.products)
    }
    suspects.update(
        context.graph.ids[stage.name]
        for _, stage, product in moved_products(campaign)
        if may_meet(product, source, campaign)
    )
    unfinished = "SELECT stage FROM tally WHERE unit = 1 AND n > 0 AND state <> 'done'"  # of these, others may lie there
    suspects.update(row[0] for row in context.ledger.db.execute(unfinished))
    return frozenset(rewritten(lying_at(context.ledger.db, suspects), source, campaign))


def rewritten(paths: Iterable[str], source: FileSource, campaign: Campaign) -> Iterator[str]:
    """Yield those paths that are under the folder of a source, as it writes them."""
    folders: dict[str, str | None] = {}
    for path in paths:
        folder, slash, name = path.rpartition("/")
        if folder not in folders:
            folders[folder] = as_written(folder + slash, source.pattern, campaign.root)
        if (written := folders[folder]) is not None:
            yield written + name


def may_meet(product: Product, source: FileSource, campaign: Campaign) -> bool:
    """Whether files of a product's pattern may lie where a source looks, under a name that it looks for."""
    places = [real_folder(campaign.root / head_of(p)) for p in (product.path, source.pattern)]
    tails = [parts[-1] if isinstance(parts[-1], str) else "" for parts in (
        product.path.template.parts, source.pattern.template.parts)]  # fmt: skip
    nested = places[0].startswith(places[1]) or places[1].startswith(places[0])
    return nested and (tails[0].endswith(tails[1]) or tails[1].endswith(tails[0]))


class Inputs:
    """The files that must stay as they are: those of units, and those that the definition names."""

    def __init__(self, context: Context) -> None:
        self.context, self.root = context, context.campaign.root
        self.newest: Any = None
        self.known: frozenset[Identity] = frozenset()

    def hold(self, path: str) -> bool:
        """Whether a path is an input, or a folder that holds one."""
        identity = identity_of(f"{self.root}/{path}")
        return identity is not None and identity in self.identities()

    def identities(self) -> frozenset[Identity]:
        """Return device and inode of all inputs and of the folders above them, read again when there are new units."""
        row = self.context.ledger.db.execute("SELECT max(id), max(at), count(gone) FROM unit").fetchone()
        if tuple(row) != self.newest:
            self.newest, self.known = tuple(row), frozenset(self.look())
        return self.known

    def look(self) -> Iterator[Identity]:
        """Yield device and inode of every input, of what a link leads to, and of the folders above."""
        named = map(str, named_files(self.context.campaign))
        return identities(self.root, (*named, *self.paths()))

    def paths(self) -> Iterator[str]:
        """Yield the paths of all units' files, their companions with them."""
        sources = {s.level: s for s in self.context.campaign.sources if isinstance(s, FileSource)}
        values = self.context.values
        for row in self.context.ledger.db.execute("SELECT * FROM unit WHERE origin = 'source'"):
            fields = json.loads(row["fields"])
            yield from [fields["path"]] if "path" in fields else fields.get("paths", ())
            for template in sources[row["level"]].companions if row["level"] in sources else ():
                yield template.render(values.of(row))


def in_the_way(context: Context, stage: Stage) -> list[str]:
    """Return the product paths of ready tasks where a file exists that they may not replace."""
    there = {path for product in stage.products for path in names_like(product.path, context.campaign.root)}
    there.difference_update(lying_at(context.ledger.db, [context.graph.ids[stage.name]]) if there else ())
    wanted = {path: unit for unit, path in paths_of_ready(context, stage) if path in there} if there else {}
    own = replaceable(context.ledger.db, context.graph.ids[stage.name], wanted) if wanted else set[str]()
    return sorted(wanted.keys() - own)


def paths_of_ready(context: Context, stage: Stage) -> Iterator[tuple[int, str]]:
    """Yield (unit, product path) of the tasks of a stage that are ready."""
    sql = "SELECT unit FROM task WHERE stage = ? AND state = 'ready'"
    units = [row[0] for row in context.ledger.db.execute(sql, (context.graph.ids[stage.name],))]
    levels = context.campaign.levels[: stage.level]
    for row in rows_of(context.ledger.db, units):
        values = context.values.of(row)
        for product in stage.products:
            yield row["id"], product.path_for([values[level] for level in levels], values)
