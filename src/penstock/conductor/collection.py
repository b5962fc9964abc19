"""Collecting from the runners: their events become facts, and the jobs of runners that are gone are finished."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby

from penstock.conductor.context import Context
from penstock.conductor.elements import Elements
from penstock.conductor.finishing import Finishing, refund_tries
from penstock.decide import Seen, fuse
from penstock.ledger import jobs
from penstock.ledger.applying import Applier, News, Prove
from penstock.ledger.events import MARKS
from penstock.ledger.pauses import may_be_mended, pause_stages_of
from penstock.site import FeedingSite

MARKED = tuple(f'"e":"{kind}"'.encode() for kind in (*MARKS, "halt"))
UNSEEN_S = 180.0  # three of its signs of life
LOOK_S, LOOK_AT_LEAST_S = 0.3, 15.0  # between looks at the event files of arrays
SLOWNESS = 20  # a look that took a second is not repeated for twenty


class Collector:
    """Reads what runners wrote since the last time, and settles the jobs that are over."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.ledger, self.graph = context.ledger, context.graph
        self.sites, self.clock, self.durations = context.sites, context.clock, context.durations
        self.applier = Applier(context.ledger, context.graph, context.values, context.allowances)
        self.finishing = Finishing(context)
        self.followed: dict[str, Elements] = {}
        self.look_at = 0.0

    def elements(self, site: str) -> Elements:
        """Return what follows the elements of one cluster."""
        if site not in self.followed:
            self.followed[site] = Elements(self.context, self.sites.cluster(site), self.read, self.read_last)
        return self.followed[site]

    def any_new_events(self) -> bool:
        """Whether a runner of this machine wrote something; cheap enough to ask a hundred times a second."""
        return any(self.has_news(row) for row in jobs.open_lives(self.ledger.db))

    def has_news(self, life: sqlite3.Row) -> bool:
        """Whether a runner of this machine wrote something that counts by now."""
        site, file = self.sites[life["site"]], (life["token"], life["element"], life["life"])
        if site.new_size(*file) <= life["offset"]:
            return False
        news = site.new_events(*file, life["offset"])
        return any(mark in news for mark in MARKED)

    def any_gone(self) -> bool:
        """Whether a runner of this machine ended that we do not know of yet."""
        return any(
            self.is_gone(site, job)
            for job in jobs.open_jobs(self.ledger.db)
            if (site := self.sites.feeding_site(job["site"]))
        )

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
        """Apply all new events and settle what ended; return how many attempts ended."""
        open_jobs = jobs.open_jobs(self.ledger.db)
        ended = sum(
            self.collect_runner(site, job)
            for job in open_jobs
            if (site := self.sites.feeding_site(job["site"]))
        )
        return ended + self.collect_arrays([job for job in open_jobs if not job["feed"]])

    def collect_runner(self, site: FeedingSite, job: sqlite3.Row) -> int:
        """Collect the events of one runner of this machine."""
        gone = self.is_gone(site, job)  # asked before the last read: nothing said before the end is missed
        read = self.read_last if gone else self.read
        ended = sum(read(job, life) for life in jobs.lives(self.ledger.db, job["id"]))
        if gone:
            self.finishing.finish_runner(site, job)
        return ended

    def collect_arrays(self, arrays: Sequence[sqlite3.Row]) -> int:
        """Collect the events of all arrays, now and then: a shared file system should not be asked all the time."""
        now = self.clock.monotonic()
        if not arrays or now < self.look_at:
            return 0
        ended = sum(self.elements(job["site"]).collect(job) for job in arrays)
        took = self.clock.monotonic() - now
        self.look_at = now + min(max(LOOK_S, SLOWNESS * took), LOOK_AT_LEAST_S)
        return ended

    def read(self, job: sqlite3.Row, life: sqlite3.Row) -> int:
        """Apply what one event file has new, as far as it counts by now; return how many attempts ended."""
        return sum(news.ended for news in self.pieces(job, life, self.sites[job["site"]].misfits))

    def read_last(self, job: sqlite3.Row, life: sqlite3.Row) -> int:
        """Apply all that a runner which is gone wrote: what no mark follows counts if its products prove it."""
        before = self.read(job, life)
        last = self.pieces(job, self.life(job, life), self.sites[job["site"]].unproven, last=True)
        return before + sum(news.ended for news in last)

    def pieces(
        self, job: sqlite3.Row, life: sqlite3.Row, prove: Prove, *, last: bool = False
    ) -> Iterator[News]:
        """Apply one event file piece by piece."""
        site, file = self.sites[job["site"]], (job["token"], life["element"], life["life"])
        offset, size = life["offset"], site.new_size(*file)
        while offset < size and (data := site.new_events(*file, offset)):
            news = self.applier.apply(
                self.life(job, life), job["token"], data,
                now=self.clock.now(), prove=prove, in_array=not job["feed"], last=last,
            )  # fmt: skip
            self.heed(job, news)
            offset += news.consumed
            if not news.consumed:
                break
            yield news

    def heed(self, job: sqlite3.Row, news: News) -> None:
        """Pause what must not go on."""
        if news.halt:
            refund_tries(self.ledger, job)
            if not may_be_mended(self.ledger, job):
                pause_stages_of(self.ledger, job, news.halt)
        self.durations.note(news.walls)
        for stage in news.failed:
            self.check_fuse(stage)

    def life(self, job: sqlite3.Row, life: sqlite3.Row) -> sqlite3.Row:
        """Read a life's row as it is now."""
        return self.ledger.db.execute(
            "SELECT * FROM life WHERE job = ? AND element = ? AND life = ?",
            (job["id"], life["element"], life["life"]),
        ).fetchone()

    def check_fuse(self, stage: str) -> None:
        """Pause a stage whose first attempts fail the same way."""
        if self.durations.succeeded(stage):
            return
        db, number = self.ledger.db, self.graph.ids[stage]
        since = int(self.ledger.meta(f"fuse.{stage}") or 0)
        rows = db.execute(
            "SELECT outcome, exit_code FROM attempt WHERE stage = ? AND id > ? AND NOT late ORDER BY id LIMIT 100",
            (number, since),
        )
        why = fuse([Seen(row[0], row[1]) for row in rows])
        if why is None:
            return
        said = db.execute(
            "SELECT why FROM attempt WHERE stage = ? AND why IS NOT NULL ORDER BY id DESC LIMIT 1", (number,)
        ).fetchone()
        why += f": {said[0]}" if said else ""
        with self.ledger.transaction():
            db.execute(
                "UPDATE stage SET paused = 'fuse', paused_why = ? WHERE id = ? AND paused IS NULL",
                (why, number),
            )
        self.revoke(f"t.state = 'queued' AND t.stage = {number}")

    def revoke_cancelled(self) -> None:
        """Tell the runners to drop tasks that a person cancelled or vetoed."""
        self.revoke("t.state IN ('failed', 'vetoed', 'gone')")

    def revoke(self, which: str) -> None:
        """Tell the runners not to go on with those of their tasks for which the SQL condition `which` holds."""
        for job in jobs.open_jobs(self.ledger.db):
            rows = self.ledger.db.execute(
                "SELECT b.element, t.stage, t.unit FROM batch b JOIN task t ON t.batch = b.id"
                f" WHERE b.job = ? AND {which} ORDER BY b.element",
                (job["id"],),
            ).fetchall()
            for element, tasks in groupby(rows, key=lambda row: row["element"]):
                taken = [(row["stage"], row["unit"]) for row in tasks]
                self.sites[job["site"]].revoke(job["token"], element, taken)
