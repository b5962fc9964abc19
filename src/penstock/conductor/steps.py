"""The steps of a turn, in their order: each does its part, and returns when it is next due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from penstock.clock import is_ahead
from penstock.complete import last_hour
from penstock.conductor.arrays import ArraySubmitter
from penstock.conductor.collection import Collector
from penstock.conductor.contact import visit
from penstock.conductor.context import Context
from penstock.conductor.discovery import Discoverer, Discovery, check_found
from penstock.conductor.inbound import Inbound
from penstock.conductor.looks import DAY_S, nothing_moved
from penstock.conductor.losses import mark_lost
from penstock.conductor.outbound import LOT_BYTES
from penstock.conductor.products import check_products
from penstock.conductor.reconciling import Reconciler
from penstock.conductor.slots import SlotSubmitter
from penstock.conductor.staleness import EVERY, UNASKED, Which, redo_backfill, redo_stale, retry_cancelled
from penstock.config.cells import remove_unnamed
from penstock.display import count
from penstock.errors import DefinitionError
from penstock.ledger import Ledger, jobs
from penstock.ledger.deadlines import check_deadlines
from penstock.ledger.locations import sites_with_files
from penstock.ledger.order import wake
from penstock.ledger.outbox import announce_digest, announce_recovery, count_anew
from penstock.ledger.reopening import begin_due
from penstock.ledger.requests import Requests

Observe = Callable[[Ledger], None]

ALWAYS, NEVER = 0.0, float("inf")
OBSERVE_S = 0.2
TELL_S = 60.0
CLOSE_S = 10.0
LOOKED = "products.looked"  # in `meta`: when one who watches last looked at the products


@dataclass(slots=True)
class Turn:
    """One turn: when it is, by the monotonic clock, whether more may come by itself, and what it did."""

    at: float
    open_ended: bool = False
    new: int = 0
    ended: int = 0
    given: int = 0
    stop: bool = False

    def __str__(self) -> str:
        news = count(self.new, "new unit"), count(self.ended, "attempt"), count(self.given, "task")
        return f"{news[0]}, {news[1]} finished, {news[2]} submitted"


class Crew:
    """The parts that take a turn together."""

    def __init__(self, context: Context, *, accept_gone: bool) -> None:
        self.context, self.ledger, self.clock = context, context.ledger, context.clock
        self.accept_gone, self.redo = accept_gone, False
        self.observe: Observe | None = None
        self.requests = Requests(context.ledger, context.graph)
        self.collector = Collector(context)
        self.discoverer, self.found = Discoverer(context), Discovery()
        self.has_looked = False
        self.scanned: float | None = None
        names = context.sites.used()
        self.slots = [SlotSubmitter(context, s) for n in names if (s := context.sites.feeding_site(n))]
        self.arrays = [self.submitter(n) for n in names if not context.sites.feeding_site(n)]
        self.reconcilers = [self.reconciler(name) for name in self.clusters()]
        self.inbound = [
            Inbound(context, far, name)
            for name in self.sites_away()
            if (far := context.sites.cluster(name).far)
        ]

    @property
    def redone(self) -> Which:
        """Which stale tasks are redone now, the backfill aside."""
        return EVERY if self.redo else UNASKED

    def submitter(self, cluster: str) -> ArraySubmitter:
        """Return what submits to a cluster."""
        return ArraySubmitter(
            self.context, self.context.sites.cluster(cluster), self.collector.elements(cluster)
        )

    def reconciler(self, cluster: str) -> Reconciler:
        """Return what asks a cluster's scheduler."""
        return Reconciler(self.context, self.context.sites.cluster(cluster), self.collector.elements(cluster))

    def clusters(self) -> Iterator[str]:
        """Yield the clusters that stages name, and those with active jobs of earlier conductors."""
        out = [job["site"] for job in jobs.open_jobs(self.ledger.db) if not job["feed"]]
        yield from dict.fromkeys([*(array.site.name for array in self.arrays), *out])

    def sites_away(self) -> list[str]:
        """Return the clusters that stages name, and those where something of ours is."""
        defined = self.context.campaign.sites
        left = [name for name in sites_with_files(self.ledger.db) if name in defined]
        return list(dict.fromkeys([*(array.site.name for array in self.arrays), *left]))

    def send_all(self) -> None:
        """Send and bring home all at once that there is: nobody is here for the next slice."""
        for one in (*self.inbound, *(array.outbound for array in self.arrays if array.outbound)):
            one.slice_bytes = LOT_BYTES

    def leave(self) -> None:
        """Leave nothing that is not needed: of what was made of cells, of what was built, and of what travelled to sites."""
        self.leave_cells()
        for slots in self.slots:
            slots.building.leave()
        for array in self.arrays:
            visit(self.context, array.site.name, array.building.leave, None)
        for inbound in self.inbound:
            visit(self.context, inbound.site, inbound.leave, None)

    def leave_cells(self) -> None:
        """Remove files made of a notebook's cells that no definition names, unless a job is out that may read them."""
        if not jobs.open_jobs(self.ledger.db):
            definitions = (row[0] for row in self.ledger.db.execute("SELECT text FROM definition"))
            remove_unnamed(self.context.campaign.root, definitions, self.clock.now())

    def awaits_products(self) -> bool:
        """Whether products of tasks that are over are still to come home."""
        return any(one.any_awaited() for one in self.inbound)

    def retire_slots(self) -> None:
        """Let the present runners of this machine exit after what they have."""
        for submitter in self.slots:
            submitter.retire()


def apply_requests(crew: Crew, turn: Turn) -> float:
    """Apply people's requests, and lift the vetoes whose time is over."""
    crew.requests.lift_over(crew.clock.now())
    for request in crew.requests.apply(crew.clock.now()):
        match request["action"]:
            case "down":
                turn.stop = True
            case "cancel" | "veto":
                crew.collector.revoke_cancelled()
                for reconciler in crew.reconcilers:
                    reconciler.note_cancelled()
            case "retry":
                crew.retire_slots()  # what was revoked there stays revoked
            case _:
                pass
    return ALWAYS


def collect(crew: Crew, turn: Turn) -> float:
    """Collect what the runners did."""
    turn.ended += crew.collector.collect()
    return ALWAYS


def reconcile(crew: Crew, turn: Turn) -> float:
    """Ask the schedulers about silent jobs."""
    for reconciler in crew.reconcilers:
        visit(crew.context, reconciler.site.name, reconciler.turn, None)
    return ALWAYS


def bring_home(crew: Crew, turn: Turn) -> float:
    """Bring home what was made far away."""
    for inbound in crew.inbound:
        visit(crew.context, inbound.site, inbound.turn, 0)
    return ALWAYS


def discover(crew: Crew, turn: Turn) -> float:
    """Scan the sources."""
    begun, discoverer = crew.clock.monotonic(), crew.discoverer
    if turn.open_ended and discoverer.may_glance():
        crew.found = found = discoverer.glance()
    else:
        crew.found = found = discoverer.discover(accept_gone=crew.accept_gone, open_ended=turn.open_ended)
    if not turn.open_ended:
        check_found(crew.ledger, crew.context.campaign, found)
    if found.new or found.changed:
        look_for_clashes(crew, turn)
    crew.has_looked, crew.scanned = True, crew.clock.now()
    crew.context.scope.refresh(crew.ledger, crew.context.graph)
    turn.new += found.new
    took = crew.clock.monotonic() - begun
    return turn.at + discoverer.pause(found, took_s=took, open_ended=turn.open_ended)


def look_for_clashes(crew: Crew, turn: Turn) -> None:
    """Refuse two tasks with one product; who goes on for ever only tells of it: the second fails when it is given out."""
    source = "clash"
    try:
        check_products(crew.context)
    except DefinitionError as error:
        if not (turn.open_ended and crew.has_looked):
            raise
        crew.ledger.set_problem(source, error.message, crew.clock.now())
    else:
        crew.ledger.set_problem(source, None, crew.clock.now())


def look_after(crew: Crew, turn: Turn) -> float:
    """Check whether the products are as they were made: when a run begins, or once a day if there are many."""
    now, looked = crew.clock.now(), float(crew.ledger.meta(LOOKED) or 0.0)
    if turn.open_ended and is_ahead(looked + DAY_S, now, DAY_S):
        return turn.at + looked + DAY_S - now
    if turn.open_ended or not nothing_moved(crew.context):
        mark_lost(crew.context, accept_gone=crew.accept_gone)
    if turn.open_ended:
        with crew.ledger.transaction():
            crew.ledger.set_meta(LOOKED, str(now))
    return turn.at + DAY_S if turn.open_ended else NEVER


def bring_back(crew: Crew, turn: Turn) -> float:
    """Retry what was cancelled while it was redone, once, where redoing all that is stale was requested."""
    if crew.redo and retry_cancelled(crew.ledger, crew.context.graph, crew.context.scope):
        crew.retire_slots()  # what was revoked there stays revoked
    return NEVER


def close(crew: Crew, turn: Turn) -> float:
    """Let closings begin that had to wait for a time of the day."""
    graph = crew.context.graph
    if not any(stage.closing and stage.closing.not_before for stage in graph.stages.values()):
        return NEVER
    begin_due(crew.ledger, graph, crew.clock.now())
    return turn.at + CLOSE_S


def redo(crew: Crew, turn: Turn) -> float:
    """Make stale tasks ready again where that was requested: all of them, or those marked for it."""
    scope = crew.context.scope
    redo_stale(crew.ledger, crew.context.graph, scope, crew.redone)
    redo_backfill(crew.ledger, crew.context.graph, scope)
    return ALWAYS


def submit(crew: Crew, turn: Turn) -> float:
    """Submit what is ready."""
    crew.context.scope.refresh(crew.ledger, crew.context.graph)  # stages make new units, too
    wake(crew.ledger, crew.clock.now(), crew.context.longest_delay_s)
    for submitter in (*crew.slots, *crew.arrays):
        submitter.redone = crew.redone
    for array in crew.arrays:
        array.open_ended = turn.open_ended or crew.found.settles_at is not None
    turn.given += sum(slots.fill() for slots in crew.slots)
    turn.given += sum(visit(crew.context, array.site.name, array.fill, 0) for array in crew.arrays)
    return ALWAYS


def tell(crew: Crew, turn: Turn) -> float:
    """Note missed deadlines, and put into the outbox what comes with the time, or because all is well again."""
    campaign, now = crew.context.campaign, crew.clock.now()
    if not campaign.notify and not any(stage.deadline for stage in campaign.stages):
        return NEVER
    check_deadlines(crew.ledger, crew.context.graph, now)
    with crew.ledger.transaction() as db:
        count_anew(db, now)
        announce_recovery(db, now)
        for channel in campaign.notify.values():
            if channel.digest:
                announce_digest(db, channel.name, last_hour(channel.digest, now), now)
    return turn.at + TELL_S


def publish(crew: Crew, turn: Turn) -> float:
    """Note that a turn was taken, checkpoint the record's file, and publish it to other hosts."""
    crew.ledger.note_turn(crew.clock.now(), scanned=crew.scanned)
    crew.ledger.check_in(turn.at)
    crew.ledger.publish_if_due(now=crew.clock.now(), monotonic=turn.at)
    return ALWAYS


def show(crew: Crew, turn: Turn) -> float:
    """Show the present status to the observer."""
    if crew.observe is None:
        return NEVER
    crew.observe(crew.ledger)
    return turn.at + OBSERVE_S


Step = Callable[[Crew, Turn], float]

#: Ends come before what they make ready, and what is found before what is given out: a chain goes on within one turn.
STEPS: tuple[Step, ...] = (
    apply_requests, collect, reconcile, bring_home, discover, look_after, bring_back, close, redo, submit, tell, publish, show,
)  # fmt: skip
