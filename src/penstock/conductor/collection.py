"""Collecting what runners did: all that is new of them is heard at once, and the books of those that are gone are closed."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain, starmap

from penstock.conductor.contact import revoke, visit
from penstock.conductor.context import Context
from penstock.conductor.elements import Elements
from penstock.conductor.finishing import Finishing
from penstock.conductor.greeting import TAKEN_AWAY
from penstock.conductor.hearing import Hearing, life_of
from penstock.ledger import jobs
from penstock.ledger.events import MARKS
from penstock.site import FeedingSite
from penstock.site.protocols import Life

MARKED = tuple(f'"e":"{kind}"'.encode() for kind in (*MARKS, "halt"))
UNSEEN_S = 180.0  # three of its signs of life
LOOK_S, LOOK_AT_LEAST_S = 0.3, 15.0  # between looks at the event files of arrays
SLOWNESS = 20  # a look that took a second is not repeated for twenty


class Collector:
    """Reads what runners wrote since the last time, and settles the jobs that are over."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.ledger, self.sites, self.clock = context.ledger, context.sites, context.clock
        self.hearing, self.finishing = Hearing(context), Finishing(context)
        self.followed: dict[str, Elements] = {}
        self.look_at = 0.0
        self.collected: float | None = None  # when, by the wall clock

    def elements(self, site: str) -> Elements:
        """Return what follows the elements of one cluster."""
        if site not in self.followed:
            self.followed[site] = Elements(self.context, self.sites.cluster(site), self.hearing)
        return self.followed[site]

    def any_new_events(self) -> bool:
        """Whether a runner of this machine wrote something that counts by now; cheap enough to ask a hundred times a second."""
        offsets = defaultdict[str, dict[Life, int | None]](dict)
        for row in jobs.open_lives(self.ledger.db):
            offsets[row["site"]][life_of(row)] = row["offset"]
        new = (self.sites[site].new_events(known).values() for site, known in offsets.items())
        return any(mark in data for data in chain.from_iterable(new) if data for mark in MARKED)

    def is_gone(self, site: FeedingSite, job: sqlite3.Row) -> bool:
        """Whether a runner has ended, or never came to be; one that cannot be seen has when it says so, or nothing for long."""
        if job["native"] is None:
            return False
        if site.sees(job["native"]):
            return not site.alive(job["native"])
        lives = jobs.lives(self.ledger.db, job["id"])
        heard = max((life["news"] or 0.0 for life in lives), default=0.0)
        silent = self.clock.now() - max(heard, job["submitted"] or 0.0) > UNSEEN_S
        return silent or all(life["left"] is not None for life in lives)

    def collect(self) -> int:
        """Apply all new events and finish what ended; return how many attempts ended."""
        now, before = self.clock.now(), self.collected
        self.collected = now
        if before is None or now < before:
            jobs.count_anew(self.ledger, now)
        here, arrays = defaultdict[str, list[sqlite3.Row]](list), defaultdict[str, list[sqlite3.Row]](list)
        for job in jobs.open_jobs(self.ledger.db):
            (here if job["feed"] else arrays)[job["site"]].append(job)
        return sum(starmap(self.collect_runners, here.items())) + self.collect_arrays(arrays)

    def collect_runners(self, name: str, mine: Sequence[sqlite3.Row]) -> int:
        """Hear the runners of this machine."""
        site = self.sites.feeding_site(name)
        if site is None:
            return 0
        gone = [
            job for job in mine if self.is_gone(site, job)
        ]  # asked before the last read: nothing said is missed
        ended = self.hearing.hear(site, {job["token"]: job for job in mine})
        for job in gone:
            ended += self.hearing.hear_last(site, job, [1])
            self.finishing.finish_runner(site, job)
        return ended

    def collect_arrays(self, arrays: Mapping[str, Sequence[sqlite3.Row]]) -> int:
        """Collect the events of all arrays, now and then: a shared file system should not be asked all the time."""
        now = self.clock.monotonic()
        if not arrays or now < self.look_at:
            return 0
        ended = sum(
            visit(self.context, site, partial(self.elements(site).collect, mine), 0)
            for site, mine in arrays.items()
        )
        took = self.clock.monotonic() - now
        self.look_at = now + min(max(LOOK_S, SLOWNESS * took), LOOK_AT_LEAST_S)
        return ended

    def revoke_cancelled(self) -> None:
        """Tell the runners to drop tasks that a person cancelled or vetoed."""
        revoke(self.context, TAKEN_AWAY)
