"""What tasks made at a site that does not see the campaign's folder, on its way home, and what is left there after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from penstock.campaign import Site
from penstock.conductor.batching import first_within
from penstock.conductor.context import Context
from penstock.conductor.greeting import strangers
from penstock.display import count
from penstock.errors import LedgerError
from penstock.graph import Graph
from penstock.ledger import Ledger, tasks
from penstock.ledger.locations import (
    Away,
    ask_again,
    awaited,
    is_needed,
    locations_of,
    makers_of,
    note_home,
    note_released,
    note_removed,
    note_wanted,
    sites_away,
    sizes_of,
    unneeded,
    unread,
)
from penstock.ledger.products import note_possible
from penstock.ledger.stored import stored_campaign, stored_graph
from penstock.site.far import FarFolder

THERE = "there"  # in `meta`, with a site: whether something of ours is there
MANY = 2000  # products that one turn looks at
TIDY_S = 10.0
SLICE_BYTES = 256 << 20  # that it brings home: others are waiting
IN_THE_WAY = "already present but not made by penstock: move it away, or use --overwrite"


class Inbound:
    """Brings home from one site what is wanted here, and removes there what nobody needs any more."""

    def __init__(self, context: Context, far: FarFolder, site: str) -> None:
        self.context, self.ledger, self.graph = context, context.ledger, context.graph
        self.root, self.far, self.site = context.campaign.root, far, site
        self.slice_bytes, self.tidy_at, self.is_first = SLICE_BYTES, 0.0, True
        self.fetched = fetched_products(context.graph, context.sites.cluster(site).site)
        self.mine = [s.name for s in context.campaign.stages if context.sites.name_of(s) == site]

    def turn(self) -> int:
        """Bring some products home, or, when none is left to bring, tidy up there; return how many came."""
        if self.is_first:
            self.look_again()
        wanted = awaited(self.ledger.db, self.site, self.fetched, MANY)
        if not wanted:
            self.tidy_up_if_due()
            return 0
        some = self.free(first_within(wanted, self.slice_bytes, size=lambda product: product.bytes))
        gone = forget_missing(self.context, self.far, self.site, [product.path for product in some])
        return self.bring([product for product in some if product.path not in gone])

    def leave(self) -> None:
        """Remove at the site what is not needed any more, and leave nothing there if nothing is."""
        if not self.ledger.meta(f"{THERE}.{self.site}"):
            return
        self.tidy_up()
        if not is_needed(self.ledger.db, self.site):
            self.far.leave(strangers(self.ledger, self.context.sites.cluster(self.site)))
            with self.ledger.transaction() as db:
                db.execute("DELETE FROM meta WHERE name = ?", (f"{THERE}.{self.site}",))

    def any_awaited(self) -> bool:
        """Whether something is still to come."""
        return bool(awaited(self.ledger.db, self.site, self.fetched, 1))

    def look_again(self) -> None:
        """Try again what something lay in the way of: whoever started this has perhaps moved it."""
        self.is_first = False
        with self.ledger.transaction() as db:
            paths = ask_again(db)
        for path in paths:
            self.ledger.set_problem(f"home {path}", None, self.context.clock.now())

    def free(self, products: Sequence[Away]) -> list[Away]:
        """Return the products at whose paths here nothing lies that is not ours; the others stay where they are."""
        foreign = [p.path for p in products if not (p.owned or self.context.overwrite)]
        taken = [path for path in foreign if self.far.is_taken(path)]
        for path in taken:
            self.ledger.set_problem(f"home {path}", f"{path} is {IN_THE_WAY}", self.context.clock.now())
        if taken:
            with self.ledger.transaction() as db:
                note_wanted(db, taken, -1)
        return [product for product in products if product.path not in set(taken)]

    def bring(self, products: Sequence[Away]) -> int:
        """Bring products home; each counts when it is here as it was made."""
        if not products:
            return 0
        with self.ledger.transaction() as db:
            for product in products:
                note_possible(db, product.stage, [product.unit])
        try:
            self.fetch(products)
        except OSError as error:
            return self.explain(products, error)
        with self.ledger.transaction() as db:
            note_home(db, [product.path for product in products])
        return len(products)

    def fetch(self, products: Sequence[Away]) -> None:
        """Bring products home; raises OSError."""
        files = [product for product in products if not self.is_folder(product)]
        self.far.fetch_files([(p.path, p.bytes, p.digest) for p in files])
        for product in products:
            if product not in files:
                self.far.fetch_folder(product.path, product.digest)
            if product.mtime_ns is not None:
                self.far.set_time(product.path, product.mtime_ns)

    def explain(self, products: Sequence[Away], error: OSError) -> int:
        """Let products be made again that are not as they were made; raises LedgerError if there is none: it is our disk."""
        wrong = self.far.unproven([(p.path, p.bytes, p.digest) for p in products])
        if not wrong:
            raise LedgerError(
                f"{error.filename or self.root} cannot be brought home ({error.strerror}):"
                " fix that, and the same command continues"
            ) from error
        lose(self.context, self.site, wrong)
        return 0

    def is_folder(self, product: Away) -> bool:
        """Whether a product is a folder."""
        declared = self.graph.stages[self.graph.name(product.stage)].products
        return any(one.folder for one in declared if one.name == product.name)

    def tidy_up_if_due(self) -> None:
        """Tidy up there, now and then."""
        now = self.context.clock.monotonic()
        if now >= self.tidy_at:
            self.tidy_at = now + TIDY_S
            self.tidy_up()

    def tidy_up(self) -> None:
        """Remove there what is here, too, and no task of ours there will still read; the store forgets what nobody needs."""
        db, ids = self.ledger.db, [self.graph.ids[name] for name in self.mine]
        if paths := unread(db, self.graph, self.site, self.mine, MANY):
            self.far.remove(paths)
            with self.ledger.transaction():
                note_removed(db, paths)
        if digests := unneeded(db, self.site, ids):
            self.far.release(digests)
            with self.ledger.transaction():
                note_released(db, self.site, digests)


def fetched_products(graph: Graph, site: Site) -> list[tuple[int, str]]:
    """Return the products, as stage and name, that come home from a site by themselves."""
    if site.fetch == "none":
        return []
    names = [name for name in graph.stages if site.fetch == "all" or not graph.downstreams[name]]
    return [
        (graph.ids[name], made.name) for name in names for made in graph.stages[name].products if made.fetch
    ]


def any_to_come(ledger: Ledger) -> bool:
    """Whether products are still to come home from anywhere, by the record alone."""
    graph, sites = stored_graph(ledger), stored_campaign(ledger).sites
    away = (name for name in sites_away(ledger.db) if name in sites)
    return any(awaited(ledger.db, name, fetched_products(graph, sites[name]), 1) for name in away)


def forget_missing(context: Context, far: FarFolder, site: str, paths: Collection[str]) -> set[str]:
    """Return those products that are no longer at a site: what is here is sent from here, what is not is made again."""
    gone = far.misfits(sizes_of(context.ledger.db, paths))
    if gone:
        lose(context, site, gone)
    return set(gone)


def lose(context: Context, site: str, gone: Mapping[str, str]) -> None:
    """Take in that products are not at a site as they were made; those that are not here are made again."""
    ledger, graph = context.ledger, context.graph
    lost = {path for path, location in locations_of(ledger.db, gone).items() if not location.home}
    with ledger.transaction() as db:
        note_removed(db, gone.keys() - lost)
        for stage, units in makers_of(db, lost).items():
            whys = dict.fromkeys(units, f"what it made is no longer at {site}, and never came home")
            tasks.mark_fresh(db, graph, graph.name(stage), whys, redo=tasks.UNASKED)
    if lost:
        why = f"{count(len(lost), 'product')} disappeared there before they came home: made again"
        ledger.set_problem(f"lost at {site}", why, context.clock.now())
