"""Attempts: started, watched, stopped and brought to an end, one a slot."""

import signal
import sys
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence

from .children import Children
from .commands import Launcher
from .contents import digest_inputs
from .copies import copy_first
from .errands import NEVER
from .errors import TaskFailure, Unwell
from .events import Events
from .forks import inspect, inspect_apart
from .group import End
from .health import OomCounter, disk_trouble, first_missing
from .leftovers import Leftovers, ask_to_end
from .logs import LIMIT
from .nfs import FreshListings
from .outcomes import Result, outcome_of_death, outcome_of_exit, split_status, was_killed
from .patterns import Patterns
from .products import Made, explained, find_products, is_heavy
from .revoked import Revocations
from .share import Shares
from .slots import Attempt, Slot, abandon_attempt, prepare_attempt, signal_group
from .spec import Job
from .work import Work
from .workers import Workers

DRAIN_S = 0.02  # how often it is asked whether what an attempt left is gone
BLIND = "penstock runner: /proc does not show the runner's processes: what tasks leave running in their own sessions is not found"
AHEAD = 32  # at most so many tiny tasks are handed to a worker at once,
AHEAD_S = 0.01  # and not more than take so long together
KEEPS_SCRATCH = ("error", "missing_product", "timeout", "out_of_memory")
ENDED_BY_OTHERS = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU)


class Attempts:
    """All slots of the element."""

    def __init__(
        self, job: Job, events: Events, children: Children, on_end: Callable[[End, Slot], None]
    ) -> None:
        self.slots: List[Slot] = []
        self.load = 0.0
        self.next_at = NEVER  # when `tick` must be called
        self.longest: Dict[str, float] = {}
        self.over_at = NEVER  # when the job's time is over
        self.leaving = False  # we were asked to stop, and the tasks may have been asked too
        self._pace: Dict[str, float] = {}
        self._job = job
        self._events = events
        self._children = children
        self._on_end = on_end
        self._launcher = Launcher(job)
        self._sight = FreshListings(job.spec.root, job.folder)
        self._shares = Shares(job)
        self._workers = Workers(job, children, on_reply=self._replied, on_death=self._worker_died)
        self._leftovers = Leftovers(job, children)
        if self._leftovers.blind:
            print(BLIND, file=sys.stderr, flush=True)
        self._patterns = Patterns(children)
        self._oom = OomCounter()

    @property
    def running(self) -> List[Attempt]:
        return [slot.attempt for slot in self.slots if slot.attempt]

    def free_slot(self) -> Slot:
        for slot in self.slots:
            if slot.attempt is None:
                return slot
        self.slots.append(Slot(self._job, len(self.slots) + 1))
        return self.slots[-1]

    def appetite(self, work: Work) -> int:
        """Return how many tasks like this one to hand to a slot at once: several when they are tiny."""
        pace = self._pace.get(work.stage.name)
        if pace is None or not work.plain:
            return 1
        fair = int(len(work.batch.lines) * work.batch.share / 2)
        return max(1, min(AHEAD, int(AHEAD_S / max(pace, 1e-6)), fair))

    def start(self, works: Sequence[Work], slot: Slot) -> None:
        """Begin attempts; raises Unwell, with nothing begun, when the site does not allow it."""
        attempts = [Attempt(work, slot) for work in works]
        first = attempts[0]
        for work in works:
            if work.task.get("inputs"):
                self._sight.refresh(work.task["inputs"])
        first.begin()
        slot.attempt = None
        unfit = None if first.work.plain else prepare_attempt(self._job, first)
        try:
            self._events.announce([self._start_line(attempt, unfit) for attempt in attempts])
        except Unwell:
            abandon_attempt(first)
            raise
        slot.attempt = first
        slot.ahead.extend(attempts[1:])
        self.load += first.work.batch.share
        if unfit:
            self._launch(first, unfit)
        else:
            copy_first(first, self._children, partial(self._launch, first))
        self.next_at = min(self.next_at, first.limit_at)

    def _start_line(self, attempt: Attempt, unfit: Optional[Exception]) -> str:
        """Write that a task begins; `clear`: files under the names of its products are its own from now on."""
        work = attempt.work
        clear = ',"clear":1' if attempt.planned and not unfit else ""
        return self._events.line(
            "start", '"s":%d,"u":%d,"w":%d%s' % (work.stage.id, work.unit, attempt.slot.number, clear)
        )

    def _launch(self, attempt: Attempt, unfit: Optional[Exception]) -> None:
        try:
            if unfit:
                raise unfit
            if attempt.in_worker:
                self._hand_over(attempt.slot)
            else:
                self._spawn(attempt)
        except TaskFailure as trouble:
            self._complete(attempt, Result(trouble.outcome, str(trouble), trouble.verdict))

    def _spawn(self, attempt: Attempt) -> None:
        work, slot = attempt.work, attempt.slot.number
        env = self._launcher.environment(work.stage, slot, self._shares.of(work, slot), attempt.env)
        attempt.group = self._launcher.start(attempt.argv, env, attempt.slot.log.fd, attempt.scratch)
        self._children.follow(attempt.group, partial(self._exited, attempt))

    def _hand_over(self, slot: Slot) -> None:
        """Send the slot's worker all tasks that the slot holds."""
        attempts = ([slot.attempt] if slot.attempt else []) + list(slot.ahead)
        self._workers.hand_over(slot, attempts, self._shares.of(attempts[0].work, slot.number))
        for attempt in attempts:
            attempt.group = slot.worker.pid if slot.worker else 0

    def stop(self, attempt: Attempt, outcome: str, why: str) -> None:
        """Ask an attempt to end, and kill it when it does not."""
        if attempt.ending:
            return
        attempt.ending = (outcome, why)
        attempt.limit_at = NEVER
        if attempt.errand:
            attempt.errand.kill()
            return
        if attempt.in_worker:
            attempt.slot.doomed = True
        attempt.kin |= self._leftovers.below(attempt)
        signal_group(attempt.group, signal.SIGTERM)
        ask_to_end(attempt)
        attempt.kill_at = time.monotonic() + self._job.spec.grace_s
        self.next_at = min(self.next_at, attempt.kill_at)

    def stop_all(self, why: str) -> None:
        for attempt in self.running:
            for waiting in attempt.slot.ahead:
                waiting.ending = waiting.ending or ("cancelled", why)
            self.stop(attempt, "cancelled", why)

    def stop_revoked(self, revocations: Revocations) -> None:
        why = "revoked while it ran"
        for attempt in self.running:
            for waiting in attempt.slot.ahead:
                if revocations.covered(*waiting.work.id):
                    waiting.ending = waiting.ending or ("cancelled", why)
            if revocations.covered(*attempt.work.id):
                self.stop(attempt, "cancelled", why)

    def tick(self, now: float) -> None:
        """Check limits, process groups that must end, and logs."""
        for slot in self.slots:
            if slot.attempt:
                self._workers.hear(slot)
        self.next_at = NEVER
        for attempt in self.running:
            self._check(attempt, now)
            if attempt.slot.attempt is attempt:
                self.next_at = min(self.next_at, self._due(attempt, now))

    def _due(self, attempt: Attempt, now: float) -> float:
        """Return when an attempt must be checked again."""
        if attempt.errand:
            return min(attempt.errand.until, attempt.limit_at)
        if attempt.exit is not None:
            return now + DRAIN_S
        return min(attempt.limit_at, attempt.kill_at if attempt.killed_at == NEVER else NEVER)

    def _check(self, attempt: Attempt, now: float) -> None:
        if attempt.errand and (now >= attempt.errand.until or (self.leaving and attempt.errand.dispensable)):
            attempt.errand.kill()
        elif attempt.errand is None and attempt.exit is not None:
            self._wind_up(attempt, now)
            return
        if now >= attempt.limit_at:
            limit = attempt.work.stage.limit_s or 0
            self.stop(attempt, "timeout", "it ran longer than its limit of {:g} s".format(limit))
        if now >= attempt.kill_at and attempt.killed_at == NEVER:
            attempt.kin |= self._leftovers.below(attempt)
            signal_group(attempt.group, signal.SIGKILL)
            attempt.killed_at = now
        attempt.slot.log.trim()

    def close(self) -> None:
        """Dismiss the workers; remove private folders and empty logs."""
        for slot in self.slots:
            self._workers.dismiss(slot)
            slot.folders.close()
            slot.log.close()
        self._leftovers.end_all()

    def abort(self) -> None:
        """Kill what runs, because it can no longer be watched."""
        for attempt in self.running:
            signal_group(attempt.group, signal.SIGKILL)
        self._leftovers.end_all()

    def _exited(self, attempt: Attempt, status: int, usage: Any) -> None:
        attempt.cpu = usage.ru_utime + usage.ru_stime
        attempt.rss = usage.ru_maxrss * 1024
        self._lead_is_gone(attempt, status)

    def _replied(self, slot: Slot, message: Any) -> None:
        attempt = slot.attempt
        if attempt is None:
            return
        outcome, why, verdict, result, children, rows, left, code, *measured = message
        attempt.wall, attempt.cpu, attempt.rss, attempt.log_end = measured
        made = [Made(*row) for row in rows]
        reply = Result(outcome, why, verdict, None, None, result, children, tuple(made))
        if code is not None:
            reply = outcome_of_exit(attempt.work.stage, attempt.argv, code << 8, slot.log)
        if left:  # the worker ends itself
            attempt.reply = reply
            attempt.limit_at = NEVER
            attempt.kill_at = min(attempt.kill_at, time.monotonic() + self._job.spec.grace_s)
            self.next_at = min(self.next_at, attempt.kill_at)
        elif attempt.ending:
            self._complete(attempt, Result(*attempt.ending))
        else:
            slot.doomed = False  # it was told to end before this task, and did not
            self._judge(attempt, reply)

    def _worker_died(self, slot: Slot, status: int, usage: Any) -> None:
        attempt, doomed, slot.doomed = slot.attempt, slot.doomed, False
        if attempt is None or attempt.errand or not attempt.in_worker:  # idle, be it beside a command
            return
        if not attempt.ending and not attempt.reply and doomed:  # it was not meant
            self._launch(attempt, None)
            return
        if not attempt.reply:
            attempt.cpu = usage.ru_utime + usage.ru_stime
            attempt.rss = usage.ru_maxrss * 1024
        self._lead_is_gone(attempt, status)

    def _lead_is_gone(self, attempt: Attempt, status: int) -> None:
        now = time.monotonic()
        attempt.exit = status
        attempt.limit_at = NEVER
        if attempt.reply:  # what it left had its time
            attempt.kill_at = now
        self._wind_up(attempt, now)

    def _wind_up(self, attempt: Attempt, now: float) -> None:
        """Conclude an attempt as soon as nothing of it runs any more."""
        left = self._leftovers.of(attempt, self.running)
        if left and self._leftovers.end(attempt, left, now):
            self.next_at = min(self.next_at, now + DRAIN_S)
            return
        if attempt.ending:
            self._stopped(attempt)
        elif attempt.reply:
            self._judge(attempt, attempt.reply)
        elif attempt.work.stage.python:
            self._complete(attempt, self._explain_death(outcome_of_death(attempt.exit or 0)))
        else:
            result = outcome_of_exit(attempt.work.stage, attempt.argv, attempt.exit or 0, attempt.slot.log)
            self._judge(attempt, result)

    def _judge(self, attempt: Attempt, result: Result) -> None:
        """Go on with the end of what ran: with its log and products if it was well."""
        if attempt.work.stage.python:
            (self._take_products if attempt.reply else self._complete)(attempt, result)
        elif result.outcome == "ok":
            self._patterns.hold(attempt, result, self._take_products)
        else:
            self._complete(attempt, self._explain_death(result))

    def _explain_death(self, result: Result) -> Result:
        if was_killed(result) and self._oom.grew():
            return result._replace(
                outcome="out_of_memory", why="killed by the kernel: it used too much memory"
            )
        if self.leaving and result.signal in ENDED_BY_OTHERS:
            return result._replace(outcome="cancelled", why=result.why + " when the job was asked to stop")
        return result

    def _stopped(self, attempt: Attempt) -> None:
        code, number = split_status(attempt.exit or 0)
        self._complete(attempt, Result(*(attempt.ending or ("cancelled", "")), code=code, signal=number))

    def _take_products(self, attempt: Attempt, result: Result) -> None:
        if result.outcome != "ok":
            self._complete(attempt, result)
            return
        try:
            with explained():
                found = find_products(attempt.planned, attempt.scratch)
        except TaskFailure as trouble:
            told = {"outcome": trouble.outcome, "why": str(trouble), "verdict": trouble.verdict}
            self._complete(attempt, result._replace(**told))
            return
        inspected = partial(self._inspected, attempt, result)
        if is_heavy(found):
            attempt.ask(self._children, partial(inspect_apart, found), inspected)
        else:
            inspected(inspect(found, durable=False))

    def _inspected(self, attempt: Attempt, result: Result, message: Any) -> None:
        attempt.errand = None
        if message is None:
            outcome, why = attempt.ending or ("error", "the process that hashed the products died")
            message = ((), outcome, why)
        made, outcome, why = message
        made = tuple([Made(*row) for row in made])
        self._complete(attempt, result._replace(outcome=outcome, why=why, made=made))

    def _complete(self, attempt: Attempt, result: Result) -> None:
        work, slot, finish = attempt.work, attempt.slot, partial(self._finish, attempt)
        attempt.limit_at = attempt.kill_at = NEVER
        if attempt.wall < 0:
            attempt.wall = time.monotonic() - attempt.begun
        if attempt.log_end < 0:
            attempt.log_end = slot.log.size()
        if result.outcome == "ok":
            self._learn(work.stage.name, attempt.wall)
            digest_inputs(self._job, attempt, self._children, result, finish, self.over_at)
        else:
            self._patterns.hold(attempt, self._diagnose(attempt, result), self._finish)

    def _finish(self, attempt: Attempt, result: Result) -> None:
        """Pass an end on, and free the slot for the next task."""
        work, slot = attempt.work, attempt.slot
        if attempt.log_end - attempt.offset > LIMIT:
            slot.log.trim()
            attempt.log_end = slot.log.size()
        result = self._tidy(attempt, result)
        slot.attempt = None
        if not slot.ahead:
            self.load = max(0.0, self.load - work.batch.share)
        self._on_end(End(attempt, result, wall=attempt.wall, log_end=attempt.log_end), slot)
        if slot.ahead and slot.attempt is None:
            self._promote(slot, attempt.log_end)

    def _promote(self, slot: Slot, log_end: int) -> None:
        """Let the next of the tasks that were sent ahead use the slot."""
        attempt = slot.ahead.popleft()
        attempt.begin(log_end)
        self.next_at = min(self.next_at, attempt.limit_at)
        if slot.worker is None and attempt.ending:
            self._stopped(attempt)
        elif slot.worker is None:
            self._launch(attempt, None)

    def _learn(self, stage: str, wall: float) -> None:
        self.longest[stage] = max(wall, self.longest.get(stage, 0.0))
        self._pace[stage] = 0.8 * self._pace.get(stage, wall) + 0.2 * wall

    def _diagnose(self, attempt: Attempt, result: Result) -> Result:
        """Distinguish a task's failure from its site's."""
        if result.outcome in ("error", "missing_product"):
            places = attempt.folders or [self._job.spec.root]
            own = [attempt.private] if attempt.private else []
            trouble = disk_trouble([*places, *own, self._job.folder])
            if trouble:
                return result._replace(outcome="node_failure", why="{} ({})".format(trouble, result.why))
            taken = first_missing(self._job.spec.programs_of(attempt.work.stage))
            if taken:
                why = "the program {} is no longer there at this site ({})".format(taken, result.why)
                return result._replace(outcome="unstarted", why=why, verdict="")
        return result

    def _tidy(self, attempt: Attempt, result: Result) -> Result:
        """Remove what was made for an attempt; the scratch folder of a failed one is kept, and its reason says so.

        On a node's own disk nothing is kept.
        """
        is_kept = result.outcome in KEEPS_SCRATCH and not attempt.work.stage.scratch_at
        if attempt.scratch and is_kept:
            kept = "{}; its scratch folder is kept: {}".format(result.why, attempt.scratch)
            result = result._replace(why=kept)
        else:
            attempt.remove_private()
        if attempt.planned:
            attempt.slot.folders.sweep(attempt.folders)
        return result
