"""The end of a job: its record is finished, what a killed runner left is removed, its folder is packed."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial

from penstock.conductor.context import Context
from penstock.decide import FREE_AT_MOST
from penstock.host import boot_id
from penstock.ledger import Ledger, jobs
from penstock.ledger.excerpt import write_excerpt
from penstock.ledger.experience import experience_of, learn
from penstock.ledger.jobs import Ending, Finisher
from penstock.ledger.pauses import pause_stages_of
from penstock.ledger.products import note_lying
from penstock.site import FeedingSite, JobSite
from penstock.site.evidence import nothing_at
from penstock.site.script import remedy_for

WORDLESS = "its runner ended without a message, "

#: runners in a row that never began: so many are taken for a broken place when they said why, or when they did not
FALSE_STARTS = {True: 2, False: FREE_AT_MOST}


#: products of the tasks that some elements still have, but for those that were made before
STILL = """
SELECT p.path, p.owned, t.state, b.element FROM batch b
JOIN task t ON t.batch = b.id AND t.state IN ('queued', 'running')
JOIN product p ON p.stage = t.stage AND p.unit = t.unit AND p.owned <> 1
WHERE b.job = ? AND b.element IN (SELECT value FROM json_each(?))
"""


class Finishing:
    """Finishes jobs whose runners are gone."""

    def __init__(self, context: Context) -> None:
        self.ledger, self.campaign, self.sites, self.clock = (
            context.ledger, context.campaign, context.sites, context.clock,
        )  # fmt: skip
        self.finisher = Finisher(context.ledger, context.graph, context.allowances)

    def finish_runner(self, site: FeedingSite, job: sqlite3.Row) -> None:
        """Finish the job of a runner of this machine, after the last of its events was read."""
        lives = jobs.lives(self.ledger.db, job["id"])
        left, words = all(life["left"] is not None for life in lives), runner_log(site, job["token"])
        damaged = self.note_damage(site, job) if not left or "damaged" in lives[-1]["left"] else False
        why = (
            lives[-1]["left"]
            if left
            else f"its runner ended {f'with: {words}' if words else 'without a message'}"
        )
        ending = Ending("lost", why, suspects=True, is_over=left or site.sees(job["native"]))
        if not left:
            site.end_leftovers(job["token"])
        self.note_what_lies(site, job, lives, ending)
        if not left:
            site.remove_leftovers(job["token"], [1], partial(self.is_kept, job))
        self.finisher.finish(job, ending, now=self.clock.now())
        if not damaged:
            self.count_starts(job, 1, began=any(life["native"] for life in lives), words=words, why=why)
        site.pack(job["token"], write_excerpt(self.ledger.db, job["token"]))

    def finish_elements(
        self, site: JobSite, job: sqlite3.Row, elements: Sequence[int], ending: Ending
    ) -> None:
        """Finish some elements of an array; the job's folder is packed with its last ones."""
        lives = [life for life in jobs.lives(self.ledger.db, job["id"]) if life["element"] in set(elements)]
        gone = sorted({life["element"] for life in lives if life["left"] is None})
        self.note_what_lies(site, job, lives, ending)
        if gone:
            site.remove_leftovers(job["token"], gone, partial(self.is_kept, job))
        self.finisher.finish(job, ending, now=self.clock.now(), elements=elements)
        if jobs.is_finished(self.ledger.db, job["id"]):
            site.pack(job["token"], write_excerpt(self.ledger.db, job["token"]))

    def count_elements(
        self, site: JobSite, job: sqlite3.Row, elements: Sequence[int], ending: Ending, *, false_start: bool
    ) -> Collection[str]:
        """Take in whether elements of an array began anything; return the files that were damaged and kept them from it."""
        damaged = self.note_damage(site, job) if false_start else ()
        if damaged:
            return damaged
        words = runner_log(site, job["token"]) if false_start else ""
        self.count_starts(job, len(elements), began=not false_start, words=words, why=ending.why)
        return ()

    def in_its_words(self, site: JobSite, job: sqlite3.Row, ending: Ending, *, false_start: bool) -> Ending:
        """Return an ending with what runners said outside of tasks, where nothing else tells why they ended."""
        if not false_start and not ending.why.startswith(WORDLESS):
            return ending
        words = runner_log(site, job["token"])
        if false_start:
            return ending._replace(why=why_not_begun(ending.why, words, site.name))
        return ending._replace(why=f"{ending.why}; its log says: {words}") if words else ending

    def note_what_lies(
        self, site: JobSite, job: sqlite3.Row, lives: Sequence[sqlite3.Row], ending: Ending
    ) -> None:
        """Note what killed runners may have published without a word, and where nothing lies.

        The one may be replaced. What comes to the other later is somebody else's.
        """
        elements = json.dumps(sorted({life["element"] for life in lives}))
        rows = self.ledger.db.execute(STILL, (job["id"], elements)).fetchall()
        unsaid = defaultdict[int, list[str]](list)
        for row in rows:
            if row["state"] == "queued" and not row["owned"]:
                unsaid[row["element"]].append(row["path"])
        ours = [
            path
            for life in lives
            if life["left"] is None and (paths := unsaid[life["element"]])
            for path in site.unsaid((job["token"], life["element"], life["life"]), paths, heard=heard(life))
        ]
        empty = nothing_at(
            self.campaign.root, [row["path"] for row in rows if row["owned"] and ending.is_over]
        )
        if ours or empty:
            with self.ledger.transaction() as db:
                note_lying(db, ours, empty)

    def note_damage(self, site: JobSite, job: sqlite3.Row) -> Collection[str]:
        """Record a job's damaged files as problems, and return their names."""
        damage = site.damage(job["token"])
        for name, why in damage.items():
            said = f"{why}: its job is closed and its tasks run again"
            if job["feed"]:
                site.set_aside(job["token"], name)
                said = f"{said}; the file is kept as {name}.damaged"
            self.ledger.set_problem(f"job {job['token']}, {name}", said, self.clock.now())
        return damage.keys()

    def count_starts(self, job: sqlite3.Row, n: int, *, began: bool, words: str, why: str) -> None:
        """Pause the stages of a job when too many runners of its site in a row could not start."""
        times = 0 if began else experience_of(self.ledger.db, job["site"]).false_starts + n
        learn(self.ledger, job["site"], false_starts=times)
        if times >= FALSE_STARTS[bool(words)]:
            said = f"{times} runners in a row could not start: {why}"
            pause_stages_of(self.ledger, job, said, now=self.clock.now())

    def is_kept(self, job: sqlite3.Row, scratch: str) -> bool:
        """Whether a failed attempt told people to look into this scratch folder."""
        sql = "SELECT 1 FROM attempt WHERE job = ? AND instr(why, ?) LIMIT 1"
        return self.ledger.db.execute(sql, (job["id"], scratch)).fetchone() is not None


def heard(life: sqlite3.Row) -> int | None:
    """Return how many bytes of an event file were read, which is all if it has no more; None: its last ones may be lost.

    What is written outlives its process: only a machine that went down takes lines with it.
    """
    whole = not life["unread"] and boot_id() and life["boot"] == boot_id()
    return life["offset"] if whole else None


def why_not_begun(said: str, words: str, site: str) -> str:
    """Explain why elements of a cluster started nothing, and what to fix.

    >>> why_not_begun("its runner ended without a message, hpc says FAILED", "module: not found", "hpc")
    "module: not found (hpc says FAILED): correct the site's `python`, `container` or `setup`, and try `penstock site test hpc`"
    """
    trial = f"try `penstock site test {site}`"
    if not words:
        return f"{said}: {trial}"
    return f"{words} ({said.removeprefix(WORDLESS)}): {remedy_for(words)}, and {trial}"


def runner_log(site: JobSite, token: str) -> str:
    """Return the last two different lines that a runner, or the script that starts it, wrote on its standard error."""
    said = dict.fromkeys(line.strip() for line in site.runner_log(token).splitlines())
    return "; ".join([*said][-2:])


def refund_tries(ledger: Ledger, job: sqlite3.Row) -> None:
    """Refund the free tries of tasks that failed because of their site, however often a full disk is tried again."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE task SET free = free - 1 WHERE free > 0 AND (stage, unit) IN"
            " (SELECT stage, unit FROM attempt WHERE job = ? AND outcome = 'node_failure')",
            (job["id"],),
        )
