"""How much more one cluster takes: by its site's limits, by its scheduler's, and by what it last refused."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

from penstock import config
from penstock.campaign import Campaign, Site
from penstock.clock import Clock
from penstock.errors import PenstockError, SiteError
from penstock.ledger import Ledger, jobs
from penstock.schedulers.model import Limits
from penstock.site import ClusterSite

ARRAY_SIZE = 1000  # where no scheduler says how many elements an array may have
LIMITS_FOR_S = 86_400.0
FULL_S, FULL_AT_MOST_S = 60.0, 600.0
LIVE = ("max_jobs", "max_queued_tasks", "max_parallel", "array_size", "max_walltime_s", "max_memory_bytes")


class Capacity:
    """What may still be handed in at a cluster, and from when on."""

    def __init__(self, ledger: Ledger, campaign: Campaign, site: ClusterSite, clock: Clock) -> None:
        self.ledger, self.campaign, self.site, self.clock = ledger, campaign, site, clock
        self.resumes_at, self.limits_at = 0.0, 0.0
        self.times_full = 0
        self.most_elements: int | None = None
        """How many elements went through after an array was too large."""
        self.file_seen: int | None = None

    @property
    def resting(self) -> bool:
        """Whether nothing is to be handed in for now."""
        return self.clock.monotonic() < self.resumes_at

    def rest(self, seconds: float = FULL_S) -> None:
        """Hand in nothing for so long."""
        self.resumes_at = self.clock.monotonic() + seconds

    def note_taken(self) -> None:
        """Take it that there is room again: an array went through."""
        self.times_full = 0
        self.most_elements = self.most_elements and 2 * self.most_elements

    def note_full(self, elements: int) -> None:
        """Rest after a refused array; when nothing else of ours is out, it was too large by itself."""
        if elements > 1 and not self.jobs_out():
            self.most_elements = elements // 2
            return
        self.rest(min(FULL_S * 2**self.times_full, FULL_AT_MOST_S))
        self.times_full += 1

    def room(self) -> int:
        """Return how many tasks may still be given to this site."""
        if not self.jobs_left():
            return 0
        most = self.site.site.max_queued_tasks
        if most is None:
            return 1 << 40
        out = self.ledger.db.execute(
            "SELECT count(*) FROM job j JOIN batch b ON b.job = j.id JOIN task t ON t.batch = b.id"
            " WHERE j.site = ? AND j.state <> 'settled' AND t.state IN ('queued', 'running')",
            (self.site.name,),
        ).fetchone()[0]
        return max(0, most - out)

    def jobs_left(self) -> bool:
        """Whether the site may get another job."""
        most = self.site.site.max_jobs
        return most is None or len(self.jobs_out()) < most

    def jobs_out(self) -> list[sqlite3.Row]:
        """Return the jobs that are out at this site."""
        return [job for job in jobs.open_jobs(self.ledger.db) if job["site"] == self.site.name]

    def array_size(self) -> int:
        """Return how many elements an array may have here: what the scheduler allows, the site says, and last went through."""
        told = self.limits().array_size or ARRAY_SIZE
        return max(1, min(filter(None, (told, self.site.site.array_size, self.most_elements))))

    def limits(self) -> Limits:
        """Return what the scheduler allows; it is asked once a day."""
        name, now = f"limits.{self.site.name}", self.clock.now()
        known = json.loads(self.ledger.meta(name) or "null")
        if known and now < known["at"] + LIMITS_FOR_S:
            return Limits(known["version"], known["array_size"], known["accounting"])
        if self.ledger.epoch is None or self.clock.monotonic() < self.limits_at:
            return Limits()  # the dry run asks nobody, and who did not answer is left alone for a while
        try:
            limits = self.site.limits()
        except SiteError:
            self.limits_at = self.clock.monotonic() + FULL_AT_MOST_S
            return Limits()
        fresh = {
            "at": now,
            "version": limits.version,
            "array_size": limits.array_size,
            "accounting": limits.accounting,
        }
        with self.ledger.transaction():
            self.ledger.set_meta(name, json.dumps(fresh))
        return limits

    def refresh(self) -> None:
        """Read the site's limits again when the definition changed, so that they can be changed under way."""
        file = self.campaign.file
        if file is None or not file.exists() or file.stat().st_mtime_ns == self.file_seen:
            return
        first, self.file_seen = self.file_seen is None, file.stat().st_mtime_ns
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
