"""How much more one cluster accepts: by its site's limits, by its scheduler's, and by what it last refused."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from penstock import config
from penstock.campaign import Campaign, Site
from penstock.clock import Clock, is_ahead
from penstock.conductor.batching import MANY
from penstock.disk import time_of
from penstock.errors import OutOfReach, PenstockError, SiteError
from penstock.ledger import Ledger, jobs
from penstock.ledger.experience import (
    DAY_S,
    REST_AT_MOST_S,
    Experience,
    experience_of,
    learn,
    longer,
)
from penstock.schedulers.model import Request
from penstock.site import ClusterJobs

ARRAY_SIZE = 1000  # where no scheduler says how many elements an array may have
UNTOLD_S = 600.0  # until limits are asked for again that were not told
FULL_S = 60.0
#: how many elements of backfill wait in the queue of a site, and how many have begun
BACKFILL = (
    "SELECT count(*) FILTER (WHERE NOT begun), count(*) FILTER (WHERE begun) FROM (SELECT EXISTS (SELECT 1 FROM life l"
    " WHERE l.job = e.job AND l.element = e.element) AS begun FROM job j JOIN element e ON e.job = j.id AND NOT e.finished"
    " WHERE j.site = ? AND j.state <> 'finished' AND json_extract(j.request, '$.behind'))"
)
LIVE = ("max_jobs", "max_queued_tasks", "max_parallel", "array_size", "max_walltime_s", "max_memory_bytes")


class Capacity:
    """How much may still be submitted to a cluster, and from when on."""

    def __init__(self, ledger: Ledger, campaign: Campaign, site: ClusterJobs, clock: Clock) -> None:
        self.ledger, self.campaign, self.site, self.clock = ledger, campaign, site, clock
        self.file_seen: int | None = None

    @property
    def known(self) -> Experience:
        """What was learned of the site."""
        return experience_of(self.ledger.db, self.site.name)

    @property
    def resting(self) -> bool:
        """Whether submission is suspended for now."""
        return self.known.rests(self.clock.now())

    def rest(self, why: str, *, seconds: float = FULL_S) -> None:
        """Suspend submission for so long."""
        learn(self.ledger, self.site.name, rests_until=self.clock.now() + seconds, rests_why=why)

    def note_taken(self) -> None:
        """Note that there is room again: an array was accepted."""
        known = self.known
        most, refused = known.most_elements, known.refused
        if most and not (refused and 2 * most >= refused):
            most = 2 * most if 2 * most < (known.array_size or ARRAY_SIZE) else None
        learn(
            self.ledger, self.site.name, times_full=0, rests_until=None, rests_why=None, most_elements=most,
            refused=most and refused,
        )  # fmt: skip

    def note_full(self, elements: int, why: str) -> None:
        """Wait after a refused array; when we have no other active jobs, it was too large by itself."""
        known, name = self.known, self.site.name
        if elements > 1 and not self.jobs_out():
            learn(self.ledger, name, most_elements=elements // 2, refused=elements)
            return
        self.rest(why, seconds=longer(FULL_S, known.times_full, at_most=REST_AT_MOST_S))
        learn(self.ledger, name, times_full=known.times_full + 1)

    def is_worth_another_try(self, refused: Request) -> bool:
        """Whether a request was perhaps refused for its excluded nodes; then no job excludes nodes for a day.

        A node may have another name there than the one it gave itself.
        """
        until = self.clock.now() + DAY_S if refused.excluded else None
        learn(self.ledger, self.site.name, include_until=until)
        return until is not None

    def room(self) -> int:
        """Return how many more tasks may be submitted to this site."""
        if not self.jobs_left():
            return 0
        most = self.site.site.max_queued_tasks
        if most is None:
            return MANY
        out = self.ledger.db.execute(
            "SELECT count(*) FROM job j JOIN batch b ON b.job = j.id JOIN task t ON t.batch = b.id"
            " WHERE j.site = ? AND j.state <> 'finished' AND t.state IN ('queued', 'running')",
            (self.site.name,),
        ).fetchone()[0]
        return max(0, most - out)

    def jobs_left(self, keep: int = 0) -> bool:
        """Whether the site may get another job, and then still so many more."""
        most = self.site.site.max_jobs
        return most is None or len(self.jobs_out()) < max(1, most - keep)

    def backfill(self) -> int:
        """Return how many elements of backfill may be submitted: none while one still waits in the queue, else as many as work.

        So it takes what is free, and new data find few before them: also where the scheduler knows no order of ours.
        """
        waits, works = self.ledger.db.execute(BACKFILL, (self.site.name,)).fetchone()
        if waits or not self.jobs_left(keep=1):
            return 0
        return min(works + 1, self.array_size())

    def jobs_out(self) -> list[sqlite3.Row]:
        """Return the active jobs of this site."""
        return [job for job in jobs.open_jobs(self.ledger.db) if job["site"] == self.site.name]

    def array_size(self) -> int:
        """Return how many elements an array may have here: what the scheduler allows, the site says, and last went through."""
        known = self.ask_limits()
        told = known.array_size or ARRAY_SIZE
        return max(1, min(filter(None, (told, self.site.site.array_size, known.most_elements))))

    def ask_limits(self) -> Experience:
        """Return what is known, with what the scheduler allows: it is asked once a day, and later when it does not answer.

        So long the size that it refused counts, too: then larger arrays are tried again.
        """
        known, now = self.known, self.clock.now()
        if self.ledger.epoch is None or is_ahead(known.limits_due, now, DAY_S):
            return known  # the dry run asks nobody
        try:
            told = self.site.limits()
        except OutOfReach:
            raise
        except SiteError:
            return learn(self.ledger, self.site.name, limits_due=now + UNTOLD_S)
        return learn(
            self.ledger, self.site.name, version=told.version, array_size=told.array_size,
            accounting=told.accounting, limits_told=now, limits_due=now + DAY_S, refused=None,
        )  # fmt: skip

    def refresh(self) -> None:
        """Read the site's limits again when the definition changed, so that they can be changed under way."""
        seen = self.campaign.file and time_of(self.campaign.file)
        if seen is None or seen == self.file_seen:
            return
        first, self.file_seen = self.file_seen is None, seen
        if first:
            return
        try:
            new = config.load(self.campaign.root, self.campaign.overrides).sites.get(self.site.name)
        except PenstockError:
            return  # somebody is in the middle of editing it
        if new:
            self.site.site = with_limits(self.site.site, new)


def with_limits(site: Site, new: Site) -> Site:
    """Return a site with the limits of a newer definition."""
    return replace(site, **{name: getattr(new, name) for name in LIVE})
