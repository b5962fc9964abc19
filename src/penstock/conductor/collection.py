"""Hearing from the runners: their events become facts, and those that went silent are looked after."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from penstock.conductor.context import Context
from penstock.decide import Seen, fuse
from penstock.ledger import jobs
from penstock.ledger.events import Applier, News
from penstock.ledger.jobs import Ending, Settler
from penstock.schedulers.local import LOG


class Collector:
    """Reads what runners wrote since the last time, and settles the jobs that are over."""

    def __init__(self, context: Context) -> None:
        self.ledger, self.campaign, self.graph = context.ledger, context.campaign, context.graph
        self.site, self.clock, self.measured = context.site, context.clock, context.measured
        self.applier = Applier(context.ledger, context.graph, context.values, context.allowances)
        self.settler = Settler(context.ledger, context.graph, context.allowances)
        self.sizes: dict[tuple[str, int, int], int] = {}

    def any_news(self) -> bool:
        """Whether an event file grew since it was last read; cheap enough to ask a hundred times a second."""
        return any(self.site.news_size(*file) > size for file, size in self.sizes.items())

    def any_gone(self) -> bool:
        """Whether a runner ended that we do not know of yet."""
        return any(self.is_gone(job) for job in jobs.open_jobs(self.ledger.db))

    def collect(self) -> int:
        """Apply all new events and settle the jobs that ended; return how many attempts ended."""
        ended = 0
        self.sizes.clear()
        for job in jobs.open_jobs(self.ledger.db):
            gone = self.is_gone(
                job
            )  # asked before the last read, so that nothing said before the end is missed
            for life in jobs.lives(self.ledger.db, job["id"]):
                ended += self.read(job, life)
            if gone:
                self.settle(job)
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
        self.sizes[file] = size
        return ended

    def heed(self, job: sqlite3.Row, news: News) -> None:
        """Pause what must not go on."""
        if news.halt:
            self.pause_stages_of(job, news.halt)
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

    def settle(self, job: sqlite3.Row) -> None:
        """Close the books of a job whose runner is gone."""
        lives = jobs.lives(self.ledger.db, job["id"])
        left = all(life["left"] is not None for life in lives)
        if not left:
            self.site.end_leftovers(job["token"])
            self.clean_up(job)
        why = lives[-1]["left"] if left else "its runner ended without a word" + self.words_of(job)
        started = any(life["native"] for life in lives)
        self.settler.settle(job, Ending("lost", why, suspects=True), now=self.clock.now())
        if not started:
            self.count_false_start(job, why)
        self.pack(job)

    def words_of(self, job: sqlite3.Row) -> str:
        """Return what the runner said on its standard error, if anything."""
        words = self.site.last_words(job["token"])
        return f": {words.splitlines()[-1]}" if words else ""

    def count_false_start(self, job: sqlite3.Row, why: str) -> None:
        """Pause the stages of a job that starts nothing for the second time (RULES 13)."""
        times = int(self.ledger.meta("false_starts") or 0) + 1
        with self.ledger.transaction():
            self.ledger.set_meta("false_starts", str(times % 2))
        if times >= 2:
            self.pause_stages_of(job, f"two runners in a row could not start: {why}")

    def pause_stages_of(self, job: sqlite3.Row, why: str) -> None:
        """Pause the stages that a job worked for, until a person has mended the place."""
        with self.ledger.transaction() as db:
            db.execute(
                "UPDATE stage SET paused = 'halt', paused_why = ? WHERE id IN (SELECT stage FROM batch WHERE job = ?)",
                (why, job["id"]),
            )

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
        self.revoke(stage)

    def revoke_departed(self) -> None:
        """Tell the runners to drop tasks that a person took away from them."""
        for job in jobs.open_jobs(self.ledger.db):
            rows = self.ledger.db.execute(
                "SELECT t.stage, t.unit FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ?"
                " AND t.state IN ('failed', 'vetoed')",
                (job["id"],),
            ).fetchall()
            if rows:
                self.site.revoke(job["token"], json.dumps({"tasks": [list(row) for row in rows]}).encode())

    def revoke(self, stage: str) -> None:
        """Tell the runners not to start what they still have of a stage."""
        for job in jobs.open_jobs(self.ledger.db):
            rows = self.ledger.db.execute(
                "SELECT t.stage, t.unit FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ? AND t.stage = ?"
                " AND t.state = 'queued'",
                (job["id"], self.graph.ids[stage]),
            ).fetchall()
            if rows:
                self.site.revoke(job["token"], json.dumps({"tasks": [list(row) for row in rows]}).encode())

    def clean_up(self, job: sqlite3.Row) -> None:
        """Remove the private folders that a killed runner left beside products."""
        for folder in self.folders_of(job):
            for leftover in folder.glob(f"{job['token']}.*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def folders_of(self, job: sqlite3.Row) -> Iterable[Path]:
        """Return the folders for temporary products that the tasks of a job could have used."""
        rows = self.ledger.db.execute(
            "SELECT DISTINCT p.path FROM batch b JOIN task t ON t.batch = b.id JOIN product p"
            " ON p.stage = t.stage AND p.unit = t.unit WHERE b.job = ?",
            (job["id"],),
        )
        return {self.campaign.root / Path(row[0]).parent / ".penstock" for row in rows}

    def pack(self, job: sqlite3.Row) -> None:
        """Remove what nobody reads again of a settled job."""
        folder = self.site.job_folder(job["token"])
        for name in ("closed", "1.revoked", LOG):
            path = folder / name
            if path.exists() and (name != LOG or not path.stat().st_size):
                path.unlink()
