"""Hearing from the runners: their events become facts, and those that went silent are looked after."""

from __future__ import annotations

import sqlite3

from penstock.conductor.context import Context
from penstock.conductor.settling import Settlement, pardon, pause_stages_of
from penstock.decide import Seen, fuse
from penstock.ledger import jobs
from penstock.ledger.events import Applier, News


class Collector:
    """Reads what runners wrote since the last time, and settles the jobs that are over."""

    def __init__(self, context: Context) -> None:
        self.ledger, self.campaign, self.graph = context.ledger, context.campaign, context.graph
        self.site, self.clock, self.measured = context.site, context.clock, context.measured
        self.applier = Applier(context.ledger, context.graph, context.values, context.allowances)
        self.settlement = Settlement(context)

    def any_news(self) -> bool:
        """Whether an event file is longer than what was read of it; cheap enough to ask a hundred times a second."""
        return any(
            self.site.news_size(row["token"], row["element"], row["life"]) > row["offset"]
            for row in jobs.open_lives(self.ledger.db)
        )

    def any_gone(self) -> bool:
        """Whether a runner ended that we do not know of yet."""
        return any(self.is_gone(job) for job in jobs.open_jobs(self.ledger.db))

    def collect(self) -> int:
        """Apply all new events and settle the jobs that ended; return how many attempts ended."""
        ended = 0
        for job in jobs.open_jobs(self.ledger.db):
            gone = self.is_gone(job)  # asked before the last read: nothing said before the end is missed
            for life in jobs.lives(self.ledger.db, job["id"]):
                ended += self.read(job, life)
            if gone:
                self.settlement.settle(job)
        return ended

    def read(self, job: sqlite3.Row, life: sqlite3.Row) -> int:
        """Apply what one event file has new."""
        ended, file = 0, (job["token"], life["element"], life["life"])
        offset, size = life["offset"], self.site.news_size(*file)
        while offset < size and (data := self.site.news(*file, offset)):
            news = self.applier.apply(self.life(job, life), job["token"], data, now=self.clock.now())
            ended += news.ended
            self.heed(job, news)
            offset += news.consumed
            if not news.consumed:
                break
        return ended

    def heed(self, job: sqlite3.Row, news: News) -> None:
        """Pause what must not go on."""
        if news.halt:
            pardon(self.ledger, job)
            if job["epoch"] == self.ledger.epoch:  # what was wrong under an earlier conductor may be mended
                pause_stages_of(self.ledger, job, news.halt)
        self.measured.note(news.walls)
        for stage in news.failed:
            self.check_fuse(stage)

    def life(self, job: sqlite3.Row, life: sqlite3.Row) -> sqlite3.Row:
        """Read a life's row as it is now."""
        return self.ledger.db.execute(
            "SELECT * FROM life WHERE job = ? AND element = ? AND life = ?",
            (job["id"], life["element"], life["life"]),
        ).fetchone()

    def is_gone(self, job: sqlite3.Row) -> bool:
        """Whether the process of a local job has ended, or never came to be."""
        return job["native"] is not None and not self.site.alive(job["native"])

    def check_fuse(self, stage: str) -> None:
        """Pause a stage whose first attempts fail alike."""
        if self.measured.succeeded(stage):
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
        with self.ledger.transaction():
            db.execute(
                "UPDATE stage SET paused = 'fuse', paused_why = ? WHERE id = ? AND paused IS NULL",
                (why, number),
            )
        self.revoke(f"t.state = 'queued' AND t.stage = {number}")

    def revoke_departed(self) -> None:
        """Tell the runners to drop tasks that a person took away from them."""
        self.revoke("t.state IN ('failed', 'vetoed')")

    def revoke(self, which: str) -> None:
        """Tell the runners not to go on with those of their tasks for which the SQL condition `which` holds."""
        for job in jobs.open_jobs(self.ledger.db):
            rows = self.ledger.db.execute(
                f"SELECT t.stage, t.unit FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ? AND {which}",
                (job["id"],),
            )
            self.site.revoke(job["token"], [(stage, unit) for stage, unit in rows])
