"""The end of a job: its books are closed, what a killed runner left is removed, its folder is packed."""

from __future__ import annotations

import sqlite3

from penstock.conductor.context import Context
from penstock.conductor.feeds import product_folders
from penstock.decide import FREE_AT_MOST
from penstock.ledger import FOLDER, Ledger, jobs
from penstock.ledger.jobs import Ending, Settler
from penstock.runner.folders import remove, remove_empty
from penstock.runner.scratch import remove_scratch

#: runners in a row that never began: so many are taken for a broken place when they said why, or when they did not
FALSE_STARTS = {True: 2, False: FREE_AT_MOST}


class Settlement:
    """Closes the books of jobs whose runners are gone."""

    def __init__(self, context: Context) -> None:
        self.ledger, self.campaign, self.site, self.clock = (
            context.ledger, context.campaign, context.site, context.clock,
        )  # fmt: skip
        self.settler = Settler(context.ledger, context.graph, context.allowances)

    def settle(self, job: sqlite3.Row) -> None:
        """Close the books of one job, after the last of its events was read."""
        lives = jobs.lives(self.ledger.db, job["id"])
        left, words = all(life["left"] is not None for life in lives), self.last_words(job)
        if not left:
            self.site.end_leftovers(job["token"])
            self.remove_leftovers(job)
        why = (
            lives[-1]["left"] if left else ": ".join(filter(None, ["its runner ended without a word", words]))
        )
        self.settler.settle(job, Ending("lost", why, suspects=True), now=self.clock.now())
        self.count_start(job, began=any(life["native"] for life in lives), words=words, why=why)
        self.site.pack(job["token"])

    def last_words(self, job: sqlite3.Row) -> str:
        """Return the last line that the runner wrote on its standard error, if any."""
        return (self.site.last_words(job["token"]).splitlines() or [""])[-1]

    def count_start(self, job: sqlite3.Row, *, began: bool, words: str, why: str) -> None:
        """Pause the stages of a job when too many runners in a row could not begin (RULES 13)."""
        before = int(self.ledger.meta("false_starts") or 0)
        times = 0 if began else before + 1
        if times != before:
            with self.ledger.transaction():
                self.ledger.set_meta("false_starts", str(times))
        if times >= FALSE_STARTS[bool(words)]:
            pause_stages_of(self.ledger, job, f"{times} runners in a row could not start: {why}")

    def remove_leftovers(self, job: sqlite3.Row) -> None:
        """Remove what a killed runner left beside products and in scratch."""
        root, token = self.campaign.root, job["token"]
        for name in product_folders(self.site.fed(token)):
            private = root / name / FOLDER
            for leftover in private.glob(f"{token}.*"):
                remove(str(leftover))
            remove_empty(str(private))
        for scratch in (root / FOLDER / "scratch").glob(f"{token}.*"):
            if not self.is_kept(job, scratch.name):
                remove_scratch(str(scratch))

    def is_kept(self, job: sqlite3.Row, scratch: str) -> bool:
        """Whether a failed attempt told people to look into this scratch folder."""
        sql = "SELECT 1 FROM attempt WHERE job = ? AND instr(why, ?) LIMIT 1"
        return self.ledger.db.execute(sql, (job["id"], scratch)).fetchone() is not None


def pause_stages_of(ledger: Ledger, job: sqlite3.Row, why: str) -> None:
    """Pause the stages that a job worked for, until a person has mended the place."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE stage SET paused = 'halt', paused_why = ? WHERE id IN (SELECT stage FROM batch WHERE job = ?)",
            (why, job["id"]),
        )


def pardon(ledger: Ledger, job: sqlite3.Row) -> None:
    """Let what failed because the place was unwell cost nothing, however often a full disk is tried again."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE task SET free = free - 1 WHERE free > 0 AND (stage, unit) IN"
            " (SELECT stage, unit FROM attempt WHERE job = ? AND outcome = 'node_failure')",
            (job["id"],),
        )
