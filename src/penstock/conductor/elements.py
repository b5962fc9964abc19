"""The elements of arrays: their event files are found and read, and they are finished when they are over."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import get_args

from penstock.conductor.context import Context
from penstock.conductor.finishing import WORDLESS, Finishing
from penstock.conductor.hearing import Hearing, Jobs
from penstock.decide import Outcome
from penstock.errors import QueryFailed, SiteError
from penstock.ledger import jobs
from penstock.ledger.events import ASKED
from penstock.ledger.jobs import Ending
from penstock.schedulers.model import Known, Phase
from penstock.site.folders import SCRIPT, SPEC
from penstock.site.protocols import ClusterJobs, Life

OUTCOMES = frozenset(get_args(Outcome))

#: elements that may be over: their last life wrote that it left, or the scheduler says so; `unfinished` counts their tasks
OVER = """
SELECT e.*, l.left, l.host, l.begun, (
    SELECT count(*) FROM batch b JOIN task t ON t.batch = b.id
    WHERE b.job = e.job AND b.element = e.element AND t.state IN ('queued', 'running')
) AS unfinished
FROM element e
LEFT JOIN life l ON l.job = e.job AND l.element = e.element
    AND l.life = (SELECT max(life) FROM life WHERE job = e.job AND element = e.element)
WHERE e.job = ? AND NOT e.finished AND (l.left IS NOT NULL OR e.ended IS NOT NULL)
"""


#: elements that have no task left: of what a person took away, or that began nothing and whose tasks went elsewhere since
NOTHING_LEFT = """
WITH mine AS (
    SELECT b.element, t.state FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ?1 AND b.state <> 'finished'
)
SELECT e.element, e.cancelled, max(l.life) AS claimed FROM element e LEFT JOIN life l ON l.job = e.job AND l.element = e.element
WHERE e.job = ?1 AND NOT e.finished AND e.ended IS NULL
    AND e.element NOT IN (SELECT element FROM mine WHERE state IN ('queued', 'running'))
GROUP BY e.element
HAVING claimed IS NULL OR e.element IN (SELECT element FROM mine WHERE state IN ('failed', 'vetoed', 'gone'))
"""


class Elements:
    """Follows the elements of the arrays of one cluster."""

    def __init__(self, context: Context, site: ClusterJobs, hearing: Hearing) -> None:
        self.ledger, self.clock, self.site, self.hearing = context.ledger, context.clock, site, hearing
        self.finishing = Finishing(context)

    def collect(self, arrays: Sequence[sqlite3.Row]) -> int:
        """Hear the elements of these jobs, by one question, and finish those that are over; return how many attempts ended."""
        heard = {job["token"]: job for job in arrays}
        known = self.hearing.known(heard)
        new = self.site.new_events(known, [*heard])
        self.note_lives(heard, [life for life in new if life not in known])
        ended = self.hearing.apply(self.site, new, heard)
        for job in arrays:
            self.finish_over(job)
        return ended

    def find_lives(self, job: sqlite3.Row) -> None:
        """Look which elements of a job have begun by now."""
        heard = {job["token"]: job}
        known = self.hearing.known(heard)
        self.note_lives(heard, [life for life in self.site.event_files([*heard]) if life not in known])

    def note_lives(self, heard: Jobs, new: Sequence[Life]) -> None:
        """Take in the event files that appeared since the last look."""
        if new:
            with self.ledger.transaction() as db:
                rows = [(heard[token]["id"], element, life) for token, element, life in new]
                db.executemany("INSERT INTO life (job, element, life) VALUES (?, ?, ?)", rows)
                unsaid = "UPDATE element SET ended = NULL, absent = NULL WHERE job = ? AND element = ?"
                db.executemany(unsaid, [row[:2] for row in rows])  # it was said of what came before this life

    def finish_over(self, job: sqlite3.Row) -> None:
        """Finish the elements from which nothing more can come."""
        now, endings = self.clock.monotonic(), defaultdict[tuple[Ending, bool], list[int]](list)
        damaged = set[str]()
        for row in self.ledger.db.execute(OVER, (job["id"],)).fetchall():
            if ending := ending_of(row, self.site.name, now=now, visibility_s=self.site.site.visibility_s):
                endings[ending, is_false_start(row)].append(row["element"])
        for (ending, false_start), elements in endings.items():
            if ending.outcome == "node_failure":  # a node that is only cut off works on, and must not
                self.revoke(job, elements)
            self.hearing.hear_last(self.site, job, elements)
            told = self.finishing.in_its_words(self.site, job, ending, false_start=false_start)
            damaged.update(
                self.finishing.count_elements(self.site, job, elements, told, false_start=false_start)
            )
            self.finishing.finish_elements(self.site, job, elements, told)
        if damaged & {SPEC, SCRIPT}:
            self.call_off(job)

    def call_off(self, job: sqlite3.Row) -> None:
        """Take back and cancel the elements that did not begin: what all of them read is damaged."""
        self.find_lives(job)
        sql = (
            "SELECT element FROM element e WHERE job = ? AND NOT finished"
            " AND NOT EXISTS (SELECT 1 FROM life WHERE job = e.job AND element = e.element)"
        )
        if waiting := [row[0] for row in self.ledger.db.execute(sql, (job["id"],))]:
            self.revoke(job, waiting)
            with suppress(SiteError):  # then they leave by themselves, one by one
                self.site.cancel(Known(job["token"], job["native"], job["elements"]), waiting)
            self.finishing.finish_elements(
                self.site, job, waiting, Ending("unstarted", "its files are damaged")
            )

    def cancel_leftover(self, job: sqlite3.Row) -> int:
        """Cancel elements with nothing left to do, by one command; return how many that was.

        Those that claimed nothing yet are over with that; the others are still to leave. Raises SiteError.
        """
        self.find_lives(job)
        rows = self.ledger.db.execute(NOTHING_LEFT, (job["id"],)).fetchall()
        gone = [row["element"] for row in rows if not row["cancelled"]]
        if not gone or job["native"] is None:
            return 0
        known = Known(job["token"], job["native"], job["elements"])
        reply = self.site.cancel(known, None if len(gone) == job["elements"] else gone)
        if reply.code != 0 and self.any_waits(known, gone):
            raise QueryFailed(
                f"the scheduler did not cancel elements with nothing left to do ({reply.words})"
            )
        self.note_cancelled(job, gone)
        if idle := [row["element"] for row in rows if row["claimed"] is None]:
            self.finishing.finish_elements(
                self.site, job, idle, Ending("cancelled", "nothing was left to do")
            )
        return len(gone)

    def note_cancelled(self, job: sqlite3.Row, elements: Sequence[int]) -> None:
        """Record that elements were cancelled, so that it is done once, and their ends are expected."""
        with self.ledger.transaction() as db:
            sql = "UPDATE element SET cancelled = 1 WHERE job = ? AND element = ?"
            db.executemany(sql, [(job["id"], element) for element in elements])

    def any_waits(self, job: Known, elements: list[int]) -> bool:
        """Whether some of these elements are still in the queue; schedulers also complain of cancelling what is over."""
        told = [seen for seen in self.site.queue([job]) if seen.token in ("", job.token)]
        left = [seen for seen in told if seen.phase is not Phase.ENDED]
        return any(seen.element is None or seen.element in elements for seen in left)

    def revoke(self, job: sqlite3.Row, elements: Sequence[int]) -> None:
        """Tell elements that were given up not to continue, in case they still run."""
        which = json.dumps(list(elements))
        rows = self.ledger.db.execute(
            "SELECT b.element, t.stage, t.unit FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ?"
            " AND b.element IN (SELECT value FROM json_each(?)) AND t.state IN ('queued', 'running')",
            (job["id"], which),
        )
        left = defaultdict[int, list[tuple[int, int]]](list)
        for element, stage, unit in rows:
            left[element].append((stage, unit))
        if left:
            self.site.revoke(job["token"], left)

    def give_up(self, job: sqlite3.Row, elements: Sequence[int], ending: Ending) -> None:
        """Take back the tasks of revoked elements.

        A job of which nothing ever began is one false start, however large: a scheduler may lose one (RULES 13).
        """
        self.hearing.hear_last(self.site, job, elements)
        began = any(life["begun"] for life in jobs.lives(self.ledger.db, job["id"]))
        false_start = ending.outcome == "lost" and not began
        told = self.finishing.in_its_words(self.site, job, ending, false_start=false_start)
        self.finishing.count_elements(self.site, job, elements[:1], told, false_start=false_start)
        self.finishing.finish_elements(self.site, job, elements, told)


def is_false_start(row: sqlite3.Row) -> bool:
    """Whether an element ended before it began any task, for a reason that would be there again the next time."""
    if row["cancelled"]:
        return False
    nobodys_wish = row["outcome"] in (None, "timeout", "out_of_memory")
    return not row["begun"] and nobodys_wish and row["left"] in (None, ASKED, "deadline")


def ending_of(row: sqlite3.Row, site: str, *, now: float, visibility_s: float) -> Ending | None:
    """Return how an element ended for its remaining tasks; None: more may come, or only the scheduler knows why it ended."""
    if row["left"] is not None and (row["left"] != ASKED or not row["unfinished"]):
        return Ending("lost", row["left"], suspects=True)
    if row["ended"] is None or (row["left"] is None and now < row["ended"] + visibility_s):
        return None
    said = " ".join(filter(None, [row["word"], row["reason"] and f"({row['reason']})"]))
    host = row["node"] or row["host"] or None
    if row["outcome"] == "cancelled":
        return Ending(
            "cancelled", f"cancelled at {site}: {said}; `penstock retry` submits it again", host=host
        )
    if row["outcome"] in OUTCOMES:
        is_over = row["outcome"] != "node_failure"  # the node may only be cut off
        return Ending(row["outcome"], f"{site} ended it: {said}", host=host, is_over=is_over)
    if row["left"] is not None:
        return Ending("preempted", f"{site} asked it to stop: {said}", host=host)
    return Ending("lost", f"{WORDLESS}{site} says {said}", suspects=True, host=host)
