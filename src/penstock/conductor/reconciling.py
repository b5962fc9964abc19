"""Asking the scheduler, as little as possible: only about silent elements and jobs that may never have been accepted.

A question that fails changes nothing. An answer without an element is not an end: only when two valid answers, two
minutes apart, do not list it, and its history was asked too, is it lost (RULES 9).
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from penstock.clock import is_ahead
from penstock.conductor.capacity import Capacity
from penstock.conductor.context import Context
from penstock.conductor.elements import Elements
from penstock.errors import OutOfReach, SiteError, SiteFull, SubmitRejected
from penstock.host import boot_id
from penstock.ledger import jobs
from penstock.ledger.experience import ASK_AT_MOST_S, Experience, experience_of, learn, longer
from penstock.ledger.jobs import Ending
from penstock.ledger.pauses import pause_stages_of
from penstock.ledger.reading.queuestate import SILENT_S
from penstock.schedulers.model import Known, Phase, Request, Sighting
from penstock.site import ClusterJobs
from penstock.site.cluster import SUBMIT_S

QUEUED_S = 60.0  # an element that has not begun is asked about after so long
ASK_EVERY_S = 30.0  # between two commands to one site
SLOWNESS = 20  # a scheduler that took a second is left alone for twenty
LOST_S = 120.0
PATIENCE_S = 600.0  # with a history that does not answer, before an absent element is lost without it
HANDED_IN_AT_MOST = 3

#: elements of which nothing was heard for a while, or that a signal ended: what they are asked about
SILENT = """
SELECT e.*, l.native AS claimed, l.left FROM element e
JOIN job j ON j.id = e.job
LEFT JOIN life l ON l.job = e.job AND l.element = e.element
    AND l.life = (SELECT max(life) FROM life WHERE job = e.job AND element = e.element)
WHERE e.job = ? AND NOT e.finished AND e.ended IS NULL
    AND (CASE WHEN l.news IS NULL THEN j.submitted <= ? ELSE l.news <= ? OR l.left IS NOT NULL END)
"""


class Silence(NamedTuple):
    """A job and those of its elements that are silent."""

    job: sqlite3.Row
    elements: Sequence[sqlite3.Row]

    def known(self) -> set[Known]:
        """Return what to ask about: the job as it was recorded, and as its runners know it."""
        natives = {row["claimed"] for row in self.elements if row["claimed"]} | {self.job["native"]}
        return {Known(self.job["token"], native, self.job["elements"]) for native in natives}


class Reconciler:
    """Keeps the record in agreement with one cluster's scheduler."""

    def __init__(self, context: Context, site: ClusterJobs, elements: Elements) -> None:
        self.ledger, self.clock, self.site, self.elements = context.ledger, context.clock, site, elements
        self.context = context
        self.capacity = Capacity(context.ledger, context.campaign, site, context.clock)
        self.silent_s: float = getattr(site.scheduler, "SILENT_S", SILENT_S)
        self.may_be_cancelled = True  # somebody may have taken tasks away while nobody was at work
        self.forget_other_clock()

    def turn(self) -> None:
        """Ask one question, if there is one and enough time has passed."""
        open_jobs = [job for job in jobs.open_jobs(self.ledger.db) if job["site"] == self.site.name]
        for job in open_jobs:
            self.adopt_by_claim(job)
        if not open_jobs:
            self.note_trouble(None)  # nobody waits for its answers any more
        self.cancel_leftover(open_jobs)
        if open_jobs and not is_ahead(self.known.ask_due, self.clock.now(), ASK_AT_MOST_S):
            self.ask_in_pace(open_jobs)

    @property
    def known(self) -> Experience:
        """What was learned of the site."""
        return experience_of(self.ledger.db, self.site.name)

    def ask_in_pace(self, open_jobs: Sequence[sqlite3.Row]) -> None:
        """Ask, and say when to ask again: the later, the longer an answer takes and the more often there was none."""
        try:
            failures = 0
            if not self.ask(open_jobs):
                return
            self.note_trouble(None)
        except OutOfReach:
            raise
        except SiteError as error:
            failures = self.known.failures + 1
            self.note_trouble(str(error))
        pause = longer(max(ASK_EVERY_S, SLOWNESS * self.site.took_s), failures, at_most=ASK_AT_MOST_S)
        learn(self.ledger, self.site.name, failures=failures, ask_due=self.clock.now() + pause)

    def note_cancelled(self) -> None:
        """Cancel elements with nothing left to do at once: a person waits for that, so there is no pause."""
        self.may_be_cancelled = True
        learn(self.ledger, self.site.name, cancel_due=None)

    def cancel_leftover(self, open_jobs: Sequence[sqlite3.Row]) -> None:
        """Cancel elements whose tasks were cancelled or vetoed; what fails, or has no id yet, is tried again later."""
        due, now = self.known.cancel_due, self.clock.now()
        if is_ahead(due, now, ASK_EVERY_S) or (due is None and not self.may_be_cancelled):
            return
        try:
            if sum(self.elements.cancel_leftover(job) for job in open_jobs):
                self.note_trouble(None)
            again = any(job["native"] is None for job in open_jobs)
        except OutOfReach:
            raise
        except SiteError as error:
            self.note_trouble(str(error))
            again = True
        self.may_be_cancelled = False
        learn(self.ledger, self.site.name, cancel_due=self.clock.now() + ASK_EVERY_S if again else None)

    def ask(self, open_jobs: Sequence[sqlite3.Row]) -> bool:
        """Ask about jobs that may never have been accepted, else about silent elements; return whether anything was asked."""
        planned = [job for job in open_jobs if job["native"] is None]
        if self.look_for([job for job in planned if self.may_be_there(job)]):
            return True
        silent = self.silent([job for job in open_jobs if job["native"] is not None])
        if not silent:
            return False
        self.ask_about(silent)
        return True

    def forget_other_clock(self) -> None:
        """Count absences anew when the monotonic clock is another one than that of the conductor before (RULES 10)."""
        boot = boot_id()
        if self.known.boot == boot:
            return
        with self.ledger.transaction() as db:
            which = "NOT finished AND job IN (SELECT id FROM job WHERE site = ?)"
            db.execute(f"UPDATE element SET absent = NULL WHERE {which}", (self.site.name,))
            ended = f"UPDATE element SET ended = ? WHERE ended IS NOT NULL AND {which}"
            db.execute(ended, (self.clock.monotonic(), self.site.name))
        learn(self.ledger, self.site.name, boot=boot, history_asked=False, history_answered=None)

    # jobs without an id

    def adopt_by_claim(self, job: sqlite3.Row) -> None:
        """Take the id of a job from a runner that is already at work."""
        if job["native"] is None:
            claimed = next(
                (life["native"] for life in jobs.lives(self.ledger.db, job["id"]) if life["native"]), None
            )
            if claimed:
                jobs.submitted(self.ledger, job["id"], claimed, self.clock.now())

    def may_be_there(self, job: sqlite3.Row) -> bool:
        """Whether a job without id may have been submitted; one that never was is forgotten here."""
        if self.site.is_placed(job["token"]):
            return True
        self.forget(job, "never submitted")
        return False

    def look_for(self, planned: Sequence[sqlite3.Row]) -> bool:
        """Look for jobs by their names; submit again what is surely not there."""
        if not planned:
            return False
        found = self.site.find([job["token"] for job in planned])
        for job in planned:
            if native := found.get(job["token"]):
                jobs.submitted(self.ledger, job["id"], native, self.clock.now())
            elif self.is_over_due(job) and not self.site.event_files([job["token"]]):
                self.submit_again(job)
        return True

    def is_over_due(self, job: sqlite3.Row) -> bool:
        """Whether the command that last submitted a job has ended long ago, whatever its result."""
        return self.clock.now() > (job["submitted"] or job["created"]) + SUBMIT_S + 60

    def submit_again(self, job: sqlite3.Row) -> None:
        """Submit the same job under the same token, a few times at most."""
        if job["tries"] >= HANDED_IN_AT_MOST:
            why = f"site '{self.site.name}' was sent job {job['token']} {job['tries']} times, but does not list it"
            self.forget(job, why)
            said = f"{why}: see what its submit command says"
            pause_stages_of(self.ledger, job, said, now=self.clock.now())
            return
        if self.elements.finishing.note_damage(self.site, job):
            self.forget(job, "its files are damaged")
            return
        jobs.hand_in(self.ledger, job["id"], self.clock.now())
        self.ledger.check_held()
        request = request_of(job)
        try:
            native = self.site.submit(request)
        except SubmitRejected as error:
            self.forget(job, str(error))
            if not self.capacity.is_worth_another_try(request):
                pause_stages_of(self.ledger, job, str(error), now=self.clock.now())
            return
        except SiteFull as error:
            self.forget(job, str(error))
            return
        jobs.submitted(self.ledger, job["id"], native, self.clock.now())

    def forget(self, job: sqlite3.Row, why: str) -> None:
        """Take back all tasks of a job that the scheduler never had."""
        every = range(1, job["elements"] + 1)
        self.elements.finishing.finish_elements(self.site, job, every, Ending("unstarted", why))

    # silent elements

    def silent(self, submitted: Sequence[sqlite3.Row]) -> list[Silence]:
        """Return the silent elements of these jobs."""
        now, ask = self.clock.now(), self.ledger.db.execute
        before = now - QUEUED_S, now - self.silent_s
        found = [Silence(j, ask(SILENT, (j["id"], *before)).fetchall()) for j in submitted]
        return [silence for silence in found if silence.elements]

    def ask_about(self, silent: Sequence[Silence]) -> None:
        """Ask the queue, or in turn with it the history about those that the queue does not know.

        Of a history only ends count: one that never heard of an end says for ever that a job runs.
        """
        absent = [
            Silence(s.job, rows)
            for s in silent
            if (rows := [r for r in s.elements if r["absent"] is not None])
        ]
        if absent and self.has_history() and not self.known.history_asked:
            learn(self.ledger, self.site.name, history_asked=True)
            sightings = [s for s in self.site.history(known_to(absent)) if s.phase is Phase.ENDED]
            learn(self.ledger, self.site.name, history_answered=self.clock.monotonic())
            self.note(absent, sightings, of_queue=False)
        else:
            learn(self.ledger, self.site.name, history_asked=False)
            self.note(silent, self.site.queue(known_to(silent)), of_queue=True)

    def has_history(self) -> bool:
        """Whether this scheduler keeps a history, and is configured to."""
        return self.known.accounting is not False and self.site.scheduler.history([]) is not None

    def history_answered_since(self, at: float) -> bool:
        """Whether the history answered after a time of the monotonic clock."""
        answered = self.known.history_answered
        return answered is not None and answered > at

    def note(self, silent: Sequence[Silence], sightings: Sequence[Sighting], *, of_queue: bool) -> None:
        """Record what an answer says of each silent element, and give up those that are lost."""
        for silence in silent:
            seen = seen_of(silence, sightings)
            known = {r["element"]: s for r in silence.elements if (s := sighting_of(r, seen))}
            self.record(silence, known)
            if of_queue:
                taken = {s.native for s in sightings if s.token not in ("", silence.job["token"])}
                self.give_up_lost(silence, known, named=bool(seen), taken=taken)

    def record(self, silence: Silence, known: Mapping[int, Sighting]) -> None:
        """Record the states of elements."""
        now, rows = self.clock.monotonic(), list[tuple[object, ...]]()
        for row in silence.elements:
            if s := known.get(row["element"]):
                ended = now if s.phase is Phase.ENDED else None
                starts = s.starts.timestamp() if s.starts else None
                reason = s.reason or (f"by {s.by}" if s.by else "")
                facts = (s.phase.value, s.word, reason, s.node, starts, s.outcome)
                rows.append((*facts, None, ended, row["job"], row["element"]))
        if rows:
            with self.ledger.transaction() as db:
                db.executemany(
                    "UPDATE element SET phase = ?, word = ?, reason = ?, node = ?, starts = ?, outcome = ?, absent = ?,"
                    " ended = ? WHERE job = ? AND element = ?",
                    rows,
                )

    def give_up_lost(
        self, silence: Silence, known: Mapping[int, Sighting], *, named: bool, taken: Collection[str]
    ) -> None:
        """Count how long the queue has not known elements, and take back what is lost.

        `named` says that the answer knows others of the same job: then it is not the job that was lost. The ids in
        `taken` are other jobs' by now.
        """
        now = self.clock.monotonic()
        missing = [row for row in silence.elements if row["element"] not in known]
        fresh = [(now, row["job"], row["element"]) for row in missing if row["absent"] is None]
        with self.ledger.transaction() as db:
            db.executemany("UPDATE element SET absent = ? WHERE job = ? AND element = ?", fresh)
        groups = defaultdict[Ending, list[int]](list)
        for row in missing:
            if row["absent"] is not None and self.is_lost(row["absent"], now):
                groups[self.taken_out if named and self.never_began(row) else self.lost].append(
                    row["element"]
                )
        for ending, elements in groups.items():
            if silent := self.still_silent(silence.job, elements):
                self.elements.revoke(silence.job, silent)
                self.cancel(silence, silent, taken)
                self.elements.give_up(silence.job, silent, ending)

    @property
    def lost(self) -> Ending:
        return Ending(
            "lost", f"no news, and {self.site.name} no longer lists it", suspects=True, is_over=False
        )

    @property
    def taken_out(self) -> Ending:
        why = f"cancelled at {self.site.name}: it was pending, and is no longer in the queue"
        return Ending("cancelled", f"{why}; `penstock retry` submits it again")

    def never_began(self, row: sqlite3.Row) -> bool:
        """Whether an absent element waited when it was last seen, and the accounting, asked since, knows no end of it.

        What a person takes out of an array that waits leaves no other trace, neither at Slurm nor at Grid Engine.
        """
        waited = row["claimed"] is None and row["phase"] in (Phase.PENDING.value, Phase.HELD.value)
        return waited and self.history_answered_since(row["absent"])

    def still_silent(self, job: sqlite3.Row, elements: Sequence[int]) -> list[int]:
        """Read the event files once more, as an answer may have taken long, and return who is still silent."""
        self.elements.collect([job])
        silent = {row["element"] for silence in self.silent([job]) for row in silence.elements}
        return [element for element in elements if element in silent]

    def cancel(self, silence: Silence, elements: Sequence[int], taken: Collection[str]) -> None:
        """Cancel elements under every id that they are known by; what fails here is revoked already."""
        for known in silence.known():
            if known.native in taken:
                continue
            with suppress(SiteError):
                self.site.cancel(known, elements)

    def is_lost(self, absent: float, now: float) -> bool:
        """Whether an element that the queue has not known since `absent` will not be heard of again."""
        asked = not self.has_history() or self.history_answered_since(absent) or now - absent >= PATIENCE_S
        return now - absent >= LOST_S and asked

    def note_trouble(self, why: str | None) -> None:
        """Record as a problem that a site does not answer, until it does."""
        self.ledger.set_problem(f"site {self.site.name}", why, self.clock.now())


def request_of(job: sqlite3.Row) -> Request:
    """Return what a job asks for, as it was recorded."""
    asked: dict[str, Any] = json.loads(job["request"])
    excluded = tuple(str(node) for node in asked.pop("excluded"))
    return Request(**asked, excluded=excluded)


def known_to(silent: Sequence[Silence]) -> list[Known]:
    """Return the jobs to ask about, the oldest first."""
    return sorted({known for s in silent for known in s.known()}, key=lambda known: str(known.native))


def seen_of(silence: Silence, sightings: Sequence[Sighting]) -> dict[int | None, list[Sighting]]:
    """Return the sightings of one job by element."""
    seen = defaultdict[int | None, list[Sighting]](list)
    token, natives = silence.job["token"], {known.native for known in silence.known()}
    for sighting in sightings:
        if sighting.token == token or (not sighting.token and sighting.native in natives):
            seen[sighting.element].append(sighting)
    return seen


def sighting_of(row: sqlite3.Row, seen: Mapping[int | None, Sequence[Sighting]]) -> Sighting | None:
    """Return what an answer says of one element; what it says of a double of its runner does not count."""
    found = seen.get(row["element"]) or seen.get(None) or ()
    ours = [s for s in found if row["claimed"] in (None, s.native)]
    return next((s for s in ours if s.phase is not Phase.ENDED), ours[-1] if ours else None)
