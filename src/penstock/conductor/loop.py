"""The conductor: one turn after another, until nothing can change or for as long as one wants.

A turn is the same for all: the steps that are due, in their order. `tick` takes one, `run` and `watch` take many and
differ in when they stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from html import escape
from types import TracebackType
from typing import Any, Self

from penstock import config
from penstock.campaign import Allowance, Campaign
from penstock.clock import Clock, SystemClock
from penstock.conductor.context import Context
from penstock.conductor.durations import Durations
from penstock.conductor.recovery import check_record, take_over
from penstock.conductor.scope import Only
from penstock.conductor.staying import refuse_to_forget
from penstock.conductor.steps import (
    STEPS,
    Crew,
    Observe,
    Step,
    Turn,
    collect,
    discover,
    reconcile,
    show,
    submit,
)
from penstock.conductor.summary import say_ending
from penstock.decide import RETRIES, RETRIES_LOCAL
from penstock.display import InNotebooks, visible
from penstock.ledger import jobs
from penstock.ledger.experience import forget_pauses
from penstock.ledger.hosts.lease import held
from penstock.ledger.jobs import allowances_for
from penstock.ledger.pauses import end_halts
from penstock.ledger.registration import register
from penstock.ledger.unitchanges import retry_unbegun
from penstock.ledger.units import Values
from penstock.machine import Machine
from penstock.notify import sending
from penstock.site import ClusterJobs, FeedingSite, Sites

LOOK_S = 0.01  # between looks at event files while something runs here
PATIENCE_S = 0.5  # without news, before everything is looked at again
CLUSTER_LOOK_S = 0.2
TICK_S = 60.0  # of work that one tick gives out here, since cron comes back after a minute
LEAVING_S = 3.0


@dataclass(frozen=True, slots=True)
class Ending(InNotebooks):
    """How a run ended: an exit code, and the lines to print."""

    code: int
    lines: list[str] = field(default_factory=list[str])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show."""
        lines = [visible(line) for line in self.lines]
        return {"text/plain": "\n".join(lines), "text/html": "<br>".join(map(escape, lines))}


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
        clusters: Mapping[str, ClusterJobs] | None = None,
        machine: Machine | None = None,
        accept_gone: bool = False,
        overwrite: bool = False,
        allow_problems: bool = False,
    ) -> None:
        self.campaign, self.command, self.clock = campaign, command, clock or SystemClock()
        self.accept_gone, self.overwrite, self.machine = accept_gone, overwrite, machine
        self.allow_problems = allow_problems
        self.sites = Sites(campaign, here=site, there=clusters)
        self.stopping, self.open_ended = False, False
        self.due: dict[Step, float] = {}
        self.exits = ExitStack()

    def check(self) -> None:
        """Raise DefinitionError for what is not there, or what a site cannot do."""
        config.check(self.campaign)
        self.sites.check()

    def __enter__(self) -> Self:
        self.check()
        self.ledger = self.exits.enter_context(
            held(self.campaign.root, command=self.command, clock=self.clock, machine=self.machine)
        )
        try:
            self._prepare()
        except BaseException:
            self.exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.exits.close()

    def _prepare(self) -> None:
        """Register the definition, and find what earlier conductors left."""
        campaign, ledger, clock = self.campaign, self.ledger, self.clock
        refuse_to_forget(ledger, campaign)
        self.graph = graph = register(ledger, campaign, config.to_json(campaign), now=clock.now())
        ledger.check_in(clock.monotonic())
        context = Context(
            ledger, campaign, graph, Values(ledger.db, campaign), self.sites, clock,
            Durations(ledger, graph), allowances_of(campaign, self.sites), self.overwrite,
        )  # fmt: skip
        check_record(context)
        take_over(context)
        self.sender = self.exits.enter_context(sending(ledger, campaign, clock))
        self.crew = Crew(context, accept_gone=self.accept_gone)
        self.crew.collector.revoke_cancelled()

    # one turn, and many

    def turn(self, *only: Step) -> Turn:
        """Take the steps that are due, in their order; or `only` some of them, due or not."""
        turn = Turn(self.clock.monotonic(), open_ended=self.open_ended)
        for step in only or STEPS:
            if only or turn.at >= self.due.get(step, 0.0):
                self.due[step] = step(self.crew, turn)
        if turn.stop:  # and never otherwise: a signal may come at any moment
            self.stopping = True
        return turn

    def tick(self) -> Turn:
        """Take one full turn; another tick comes later."""
        self.open_ended = True
        for slots in self.crew.slots:
            slots.seconds = TICK_S
        self.crew.send_all()
        return self.turn(*STEPS)

    def run(self, *, observe: Observe | None = None, stale: bool = False, only: Only | None = None) -> Ending:
        """Work until nothing can change without a new file or a person; submit `only` what was requested."""
        self.open_ended, self.crew.redo = False, stale
        self.crew.context.scope.limit(only)
        return self._work(observe)

    def watch(self, *, observe: Observe | None = None, until_done: bool = False) -> Ending:
        """Work, and scan for new units, until asked to stop."""
        self.open_ended = not until_done
        return self._work(observe)

    def _work(self, observe: Observe | None) -> Ending:
        """Take turns until done or asked to stop; starting that assumes that what had halted or could not start is fixed."""
        end_halts(self.ledger)
        forget_pauses(self.ledger)
        with self.ledger.transaction() as db:
            retry_unbegun(db, self.graph)
        self.crew.observe = observe
        while not self.stopping:
            self.turn()
            if self.is_done():
                break
            self.wait(self.due[discover])
        return self.end()

    def ask_stop(self) -> None:
        """Stop submitting, and ask running work to return what it has not started."""
        self.stopping = True

    def discover(self) -> Turn:
        """Scan all of the sources now."""
        self.crew.discoverer.whole_at = 0.0
        return self.turn(discover)

    def look(self) -> Turn:
        """Scan the sources as one who watches does: more may come, and nothing is given out."""
        self.open_ended = True
        return self.turn(discover)

    def submit(self) -> Turn:
        """Submit what is ready now."""
        return self.turn(submit)

    # between turns, and after the last one

    def is_done(self) -> bool:
        """Whether nothing can change without a new file or a person, and neither is awaited."""
        if self.open_ended or self.crew.found.settles_at is not None:
            return False
        return not (self.crew.context.scope.is_open(self.ledger, self.graph) or self.crew.awaits_products())

    def wait(self, until: float) -> None:
        """Sleep until a runner has news, a source is due for a scan, or a while has passed."""
        if not self._has_runners():
            self.clock.sleep(CLUSTER_LOOK_S)
            return
        pause, until = LOOK_S, min(until, self.clock.monotonic() + PATIENCE_S)
        self.clock.sleep(pause)
        collector = self.crew.collector
        while not self.stopping and self.clock.monotonic() < until:
            if collector.any_new_events():
                return
            self.clock.sleep(pause)
            pause = min(pause * 1.2, 0.02)

    def _has_runners(self) -> bool:
        """Whether runners of this machine are at work, whose events arrive within milliseconds."""
        return any(job["feed"] for job in jobs.open_jobs(self.ledger.db))

    def end(self) -> Ending:
        """Dismiss the runners, collect their last events, and return how it ended."""
        self.crew.retire_slots()
        if self.sender:
            self.sender.last = not self.open_ended
        if self.stopping:
            self._ask_to_end()
        until = self.clock.monotonic() + LEAVING_S
        while self._runners_are_leaving() and self.clock.monotonic() < until:
            self.turn(collect)
            self.clock.sleep(LOOK_S)
        self.turn(reconcile, show)
        if not self.stopping:
            self.crew.leave()
        scope = self.crew.context.scope
        code, lines = say_ending(
            self.ledger,
            stopped=self.stopping,
            allow_problems=self.allow_problems or self.open_ended,
            part=scope.count(self.ledger, self.graph) if scope.only else None,
            among=scope.condition(self.graph),
        )
        return Ending(code, lines)

    def _ask_to_end(self) -> None:
        """Ask the runners of this machine to return what they have not started."""
        for job in jobs.open_jobs(self.ledger.db):
            if job["native"] and (site := self.sites.feeding_site(job["site"])):
                site.ask_to_end(job["native"])

    def _runners_are_leaving(self) -> bool:
        """Whether runners are about to exit: those of this machine, and elements with nothing left to do."""
        unfinished = self.ledger.db.execute(
            "SELECT 1 FROM tally WHERE unit = 1 AND state IN ('queued', 'running') AND n > 0 LIMIT 1"
        ).fetchone()
        return self._has_runners() or bool(jobs.open_jobs(self.ledger.db) and not unfinished)


def allowances_of(campaign: Campaign, sites: Sites) -> dict[str, Mapping[str, Allowance]]:
    """Return the retry policy of each stage, by where it runs."""
    here = {s.name: bool(sites.feeding_site(sites.name_of(s))) for s in campaign.stages}
    defaults = {name: RETRIES_LOCAL if local else RETRIES for name, local in here.items()}
    return allowances_for({s.name: s for s in campaign.stages}, defaults)
