"""The conductor: one turn after another until nothing can change, or for as long as one wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from penstock import config
from penstock.campaign import Allowance, Campaign
from penstock.clock import Clock, SystemClock
from penstock.conductor.arrays import ArraySubmitter
from penstock.conductor.collection import Collector
from penstock.conductor.context import Context
from penstock.conductor.discovery import Discoverer, Discovery, check_found
from penstock.conductor.farewell import say_ending
from penstock.conductor.measured import Measured
from penstock.conductor.products import check_products
from penstock.conductor.reconciling import Reconciler
from penstock.conductor.recovery import take_over
from penstock.conductor.slots import SlotSubmitter
from penstock.conductor.staleness import redo_stale
from penstock.decide import RETRIES, RETRIES_LOCAL
from penstock.display import count
from penstock.ledger import Ledger, jobs
from penstock.ledger.jobs import allowances_for
from penstock.ledger.lease import held
from penstock.ledger.registration import register
from penstock.ledger.requests import Requests
from penstock.ledger.units import Values
from penstock.machine import Machine
from penstock.site import ClusterSite, FeedingSite, Sites

Observe = Callable[[Ledger], None]

LOOK_S = 0.01  # between looks at event files while something runs here
CLUSTER_LOOK_S = 0.2
TICK_S = 60.0  # of work that one turn gives out, since cron comes back after a minute
WATCH_S = 10.0  # between looks at the sources
OBSERVE_S = 0.2
FAREWELL_S = 3.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn did."""

    found: Discovery = field(default_factory=Discovery)
    ended: int = 0
    given: int = 0

    def __str__(self) -> str:
        news = count(self.found.new, "new unit"), count(self.ended, "attempt"), count(self.given, "task")
        return f"{news[0]}, {news[1]} ended, {news[2]} given out"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: an exit code, and what to tell."""

    code: int
    lines: list[str] = field(default_factory=list[str])


class Conductor:
    """Drives one campaign under its lease.

    >>> with Conductor(campaign, command="run") as conductor:  # doctest: +SKIP
    ...     conductor.run()
    """

    def __init__(
        self,
        campaign: Campaign,
        *,
        command: str,
        clock: Clock | None = None,
        site: FeedingSite | None = None,
        clusters: Mapping[str, ClusterSite] | None = None,
        machine: Machine | None = None,
        accept_gone: bool = False,
    ) -> None:
        self.campaign, self.command, self.clock = campaign, command, clock or SystemClock()
        self.accept_gone, self.stopping, self.open_ended = accept_gone, False, False
        self.redo, self.machine = False, machine
        self.sites = Sites(campaign, here=site, there=clusters)
        self.exits = ExitStack()

    def __enter__(self) -> Conductor:
        config.check(self.campaign)
        self.ledger = self.exits.enter_context(
            held(self.campaign.root, command=self.command, clock=self.clock, machine=self.machine)
        )
        try:
            self.prepare()
        except BaseException:
            self.exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.exits.close()

    def prepare(self) -> None:
        """Register the definition and find what earlier conductors left."""
        campaign, ledger, clock = self.campaign, self.ledger, self.clock
        self.graph = graph = register(ledger, campaign, config.to_json(campaign), now=clock.now())
        self.context = Context(
            ledger, campaign, graph, Values(ledger.db, campaign), self.sites, clock,
            Measured(ledger, graph), allowances_of(campaign, self.sites),
        )  # fmt: skip
        self.discoverer = Discoverer(self.context)
        self.collector = Collector(self.context)
        self.slots = [
            SlotSubmitter(self.context, s) for n in self.sites.used() if (s := self.sites.feeding_site(n))
        ]
        self.arrays = [self.submitter(n) for n in self.sites.used() if not self.sites.feeding_site(n)]
        self.requests = Requests(ledger, graph)
        take_over(self.context)
        self.reconcilers = [self.reconciler(name) for name in self.clusters_in_use()]
        self.collector.revoke_departed()

    def submitter(self, cluster: str) -> ArraySubmitter:
        """Return what gives tasks to a cluster."""
        return ArraySubmitter(self.context, self.sites.cluster(cluster), self.collector.elements(cluster))

    def reconciler(self, cluster: str) -> Reconciler:
        """Return what asks a cluster's scheduler."""
        return Reconciler(self.context, self.sites.cluster(cluster), self.collector.elements(cluster))

    def clusters_in_use(self) -> list[str]:
        """Return the clusters that stages name, and those where jobs of before are still out."""
        out = [job["site"] for job in jobs.open_jobs(self.ledger.db) if not job["feed"]]
        return list(dict.fromkeys([*(array.site.name for array in self.arrays), *out]))

    def ask_stop(self) -> None:
        """Stop submitting, and ask running work to give back what it has not begun."""
        self.stopping = True

    def tick(self) -> Turn:
        """Do one turn of everything."""
        self.open_ended = True
        for submitter in self.slots:
            submitter.seconds = TICK_S
        self.apply_requests()
        ended = self.collector.collect()
        self.reconcile()
        found = self.discover()
        return Turn(found, ended, self.submit())

    def reconcile(self) -> None:
        """Ask the schedulers what their silent jobs do."""
        for reconciler in self.reconcilers:
            reconciler.turn()

    def submit(self, *, growing: bool = False) -> int:
        """Give out what is ready, with more to come by itself if `growing`; return how many tasks that was."""
        for submitter in self.arrays:
            submitter.open_ended = self.open_ended or growing
        return sum(submitter.fill() for submitter in (*self.slots, *self.arrays))

    def discover(self) -> Discovery:
        """Look at the sources."""
        return self.discoverer.discover(accept_gone=self.accept_gone, open_ended=self.open_ended)

    def run(self, *, observe: Observe | None = None, stale: bool = False) -> Ending:
        """Work until nothing can change without a new file or a person."""
        self.redo = stale
        return self.loop(observe, until_done=True)

    def watch(self, *, observe: Observe | None = None, until_done: bool = False) -> Ending:
        """Work, and look for new units, until told to stop."""
        if until_done:
            return self.run(observe=observe)
        self.open_ended = True
        return self.loop(observe, until_done=False)

    def loop(self, observe: Observe | None, *, until_done: bool) -> Ending:
        """Turn until done or told to stop."""
        look_at_sources = observe_next = 0.0
        found = Discovery()
        while not self.stopping:
            now = self.clock.monotonic()
            self.apply_requests()
            if now >= look_at_sources:
                found = self.discover()
                if until_done:
                    check_found(self.ledger, self.campaign, found)
                if found.new or found.changed:
                    check_products(self.context)
                look_at_sources = now + self.next_look(found, until_done)
            self.collector.collect()
            self.reconcile()
            if self.redo:
                redo_stale(self.ledger, self.graph)
            self.submit(growing=found.settles_at is not None)
            self.ledger.publish_if_due(now=self.clock.now(), monotonic=now)
            if observe and now >= observe_next:
                observe(self.ledger)
                observe_next = now + OBSERVE_S
            if until_done and self.is_done(found):
                break
            self.wait(look_at_sources)
        return self.end(observe)

    def next_look(self, found: Discovery, until_done: bool) -> float:
        """Return in how many seconds to look at the sources again: when the next file is at rest, or regularly."""
        if found.settles_at is not None:
            return max(0.05, min(found.settles_at - self.clock.now(), WATCH_S))
        return 1e9 if until_done else WATCH_S

    def apply_requests(self) -> None:
        """Do what people asked for since the last turn."""
        for request in self.requests.apply(self.clock.now()):
            if request["action"] == "down":
                self.stopping = True
            if request["action"] in ("cancel", "veto"):
                self.collector.revoke_departed()
                for reconciler in self.reconcilers:
                    reconciler.cancel_at = 0.0
            if request["action"] == "retry":
                self.retire_slots()

    def retire_slots(self) -> None:
        """Let the present runners end after what they have, since what was revoked there stays revoked."""
        for submitter in self.slots:
            for slot in submitter.slots():
                submitter.site.close_feed(slot.token, self.batches_of(slot.job))
                submitter.closed.add(slot.job)

    def batches_of(self, job: int) -> int:
        """Return how many batches a job was fed."""
        return int(self.ledger.db.execute("SELECT count(*) FROM batch WHERE job = ?", (job,)).fetchone()[0])

    def is_done(self, found: Discovery) -> bool:
        """Whether nothing can change without a new file or a person."""
        if found.settles_at is not None:
            return False
        on_its_way = self.ledger.db.execute(
            "SELECT 1 FROM tally y JOIN stage s ON s.id = y.stage WHERE y.unit = 1 AND y.n > 0 AND NOT s.removed"
            " AND (y.state IN ('queued', 'running') OR (y.state = 'ready' AND s.paused IS NULL)) LIMIT 1"
        ).fetchone()
        return on_its_way is None

    def wait(self, until: float) -> None:
        """Sleep until a runner has news, a source wants a look, or a while has passed."""
        if not self.has_runners():
            self.clock.sleep(CLUSTER_LOOK_S)
            return
        pause = waited = LOOK_S
        self.clock.sleep(pause)
        while waited < 0.5 and not self.stopping and self.clock.monotonic() < until:
            if self.collector.any_news() or (waited > 0.1 and self.collector.any_gone()):
                return
            self.clock.sleep(pause)
            waited += pause
            pause = min(pause * 1.2, 0.02)

    def has_runners(self) -> bool:
        """Whether runners of this machine are at work, which are heard within milliseconds."""
        return any(job["feed"] for job in jobs.open_jobs(self.ledger.db))

    def end(self, observe: Observe | None) -> Ending:
        """Let the runners go, hear their last words, and say how it ended."""
        self.retire_slots()
        if self.stopping:
            for job in jobs.open_jobs(self.ledger.db):
                if job["native"] and (site := self.sites.feeding_site(job["site"])):
                    site.ask_to_end(job["native"])
        until = self.clock.monotonic() + FAREWELL_S
        while self.awaits_goodbye() and self.clock.monotonic() < until:
            self.collector.collect()
            self.clock.sleep(LOOK_S)
        self.reconcile()
        if observe:
            observe(self.ledger)
        code, lines = say_ending(self.ledger, stopped=self.stopping)
        return Ending(code, lines)

    def awaits_goodbye(self) -> bool:
        """Whether runners are about to leave: those of this machine, and elements that have nothing left to do."""
        unfinished = self.ledger.db.execute(
            "SELECT 1 FROM tally WHERE unit = 1 AND state IN ('queued', 'running') AND n > 0 LIMIT 1"
        ).fetchone()
        return self.has_runners() or bool(jobs.open_jobs(self.ledger.db) and not unfinished)


def allowances_of(campaign: Campaign, sites: Sites) -> dict[str, Mapping[str, Allowance]]:
    """Return the retry policy of each stage, by where it runs."""
    here = {s.name: bool(sites.feeding_site(sites.name_of(s))) for s in campaign.stages}
    defaults = {name: RETRIES_LOCAL if local else RETRIES for name, local in here.items()}
    return allowances_for({s.name: s for s in campaign.stages}, defaults)
