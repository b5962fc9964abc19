"""Attempts: started, watched, stopped and brought to an end, one a slot."""

import os
import signal
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence

from .children import Children
from .commands import Launcher
from .events import Events
from .forks import fork_inspector, inspect
from .group import End
from .health import OomCounter, disk_trouble
from .judge import Result, apply_rules, judge_death, judge_exit, split_status, was_killed
from .logs import LIMIT
from .products import Made, explained, find_products, is_heavy
from .revoked import Revocations
from .scratch import remove_scratch
from .sight import Sight
from .slots import NEVER, Attempt, Slot, abandon_attempt, prepare_attempt, signal_group
from .spec import Job
from .trouble import Trouble, Unwell
from .work import Work
from .workers import Workers

DRAIN_S = 0.05  # how often a stopped group is asked whether it is gone
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
        self.leaving = False  # we were asked to stop, and the tasks may have been asked too
        self._pace: Dict[str, float] = {}
        self._job = job
        self._events = events
        self._children = children
        self._on_end = on_end
        self._launcher = Launcher(job)
        self._sight = Sight(job.spec.root, job.folder)
        self._workers = Workers(job, children, on_reply=self._replied, on_death=self._worker_died)
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
        """Return how many tasks like this one to start at once in a slot: several when they are tiny."""
        pace = self._pace.get(work.stage.name)
        if pace is None or not work.plain:
            return 1
        fair = int(len(work.batch.lines) * work.batch.share / 2)
        return max(1, min(AHEAD, int(AHEAD_S / max(pace, 1e-6)), fair))

    def start(self, works: Sequence[Work], slot: Slot) -> None:
        """Begin attempts; raises Unwell, with nothing begun, when the place does not allow it."""
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
        self._launch(first, unfit)

    def _start_line(self, attempt: Attempt, unfit: Optional[Exception]) -> str:
        """Write that a task begins; `clear`: what lies under the names of its products from now on is its own."""
        work = attempt.work
        clear = ',"clear":1' if attempt.planned and not unfit else ""
        return self._events.line(
            "start", '"s":%d,"u":%d,"w":%d%s' % (work.stage.id, work.unit, attempt.slot.number, clear)
        )

    def _launch(self, attempt: Attempt, unfit: Optional[Exception]) -> None:
        try:
            if unfit:
                raise unfit
            if attempt.work.stage.python:
                self._hand_over(attempt.slot)
            else:
                self._spawn(attempt)
        except Trouble as trouble:
            self._complete(attempt, Result(trouble.outcome, str(trouble), trouble.verdict))
        else:
            self.next_at = min(self.next_at, attempt.limit_at)

    def _spawn(self, attempt: Attempt) -> None:
        env = self._launcher.environment(attempt.work.stage, attempt.env)
        attempt.group = self._launcher.start(attempt.argv, env, attempt.slot.log.fd, attempt.scratch)
        self._children.follow(attempt.group, partial(self._exited, attempt))

    def _hand_over(self, slot: Slot) -> None:
        """Give the slot's worker all that the slot holds."""
        attempts = ([slot.attempt] if slot.attempt else []) + list(slot.ahead)
        self._workers.hand_over(slot, attempts)
        for attempt in attempts:
            attempt.group = slot.worker.pid if slot.worker else 0

    def stop(self, attempt: Attempt, outcome: str, why: str) -> None:
        """Ask an attempt to end, and kill it when it does not."""
        if attempt.ending:
            return
        attempt.ending = (outcome, why)
        attempt.limit_at = NEVER
        if attempt.inspector:
            signal_group(attempt.group, signal.SIGKILL)
            return
        if attempt.work.stage.python:
            attempt.slot.doomed = True
        signal_group(attempt.group, signal.SIGTERM)
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
                if revocations.cover(*waiting.work.id):
                    waiting.ending = waiting.ending or ("cancelled", why)
            if revocations.cover(*attempt.work.id):
                self.stop(attempt, "cancelled", why)

    def tick(self, now: float) -> None:
        """Look at limits, at groups that must go, and at the logs."""
        for slot in self.slots:
            if slot.attempt:
                self._workers.hear(slot)
        self.next_at = NEVER
        for attempt in self.running:
            self._check(attempt, now)
            if attempt.slot.attempt is attempt:
                drain_at = now + DRAIN_S if attempt.exit is not None else NEVER
                self.next_at = min(self.next_at, attempt.limit_at, attempt.kill_at, drain_at)

    def _check(self, attempt: Attempt, now: float) -> None:
        if now >= attempt.limit_at:
            limit = attempt.work.stage.limit_s or 0
            self.stop(attempt, "timeout", "it ran longer than its limit of {:g} s".format(limit))
        if now >= attempt.kill_at:
            signal_group(attempt.group, signal.SIGKILL)
            attempt.kill_at = NEVER
            attempt.killed = True
        if attempt.exit is not None and (attempt.killed or not signal_group(attempt.group, 0)):
            self._stopped(attempt)
        else:
            attempt.slot.log.trim()

    def close(self) -> None:
        """Let the workers go; remove private folders, and logs that say nothing."""
        for slot in self.slots:
            self._workers.dismiss(slot)
            slot.folders.close()
            slot.log.close()

    def _exited(self, attempt: Attempt, status: int, usage: Any) -> None:
        attempt.limit_at = NEVER
        attempt.cpu = usage.ru_utime + usage.ru_stime
        attempt.rss = usage.ru_maxrss * 1024
        if attempt.ending:
            self._stopping(attempt, status)
            return
        result = judge_exit(attempt.work.stage, attempt.argv, status, attempt.slot.log)
        if result.outcome == "ok":
            self._take_products(attempt, result)
        else:
            signal_group(attempt.group, signal.SIGKILL)
            self._complete(attempt, self._explain_death(result))

    def _replied(self, slot: Slot, message: Any) -> None:
        attempt = slot.attempt
        if attempt is None:
            return
        outcome, why, verdict, result, children, rows, wall, attempt.cpu, attempt.rss, log_end = message
        if attempt.ending:
            ended = Result(*attempt.ending)
        else:
            slot.doomed = False  # it was told to end before this task, and did not
            made = tuple([Made(*row) for row in rows])
            ended = Result(outcome, why, verdict, None, None, result, children, made)
        self._complete(attempt, ended, wall=wall, log_end=log_end)

    def _worker_died(self, slot: Slot, status: int, usage: Any) -> None:
        attempt, doomed, slot.doomed = slot.attempt, slot.doomed, False
        if attempt is None or not attempt.work.stage.python:  # it was idle, be it beside a command
            return
        if not attempt.ending and doomed:  # it was not meant
            self._launch(attempt, None)
            return
        attempt.cpu = usage.ru_utime + usage.ru_stime
        attempt.rss = usage.ru_maxrss * 1024
        if attempt.ending:
            self._stopping(attempt, status)
        else:
            signal_group(attempt.group, signal.SIGKILL)
            self._complete(attempt, self._explain_death(judge_death(status)))

    def _explain_death(self, result: Result) -> Result:
        if was_killed(result) and self._oom.grew():
            return result._replace(
                outcome="out_of_memory", why="killed by the kernel: it used too much memory"
            )
        if self.leaving and result.signal in ENDED_BY_OTHERS:
            return result._replace(outcome="cancelled", why=result.why + " when the job was asked to stop")
        return result

    def _stopping(self, attempt: Attempt, status: int) -> None:
        """The leader of a stopped group is gone: wait for the others until the grace is over."""
        attempt.exit = status
        if attempt.killed or not signal_group(attempt.group, 0):
            self._stopped(attempt)
        else:
            self.next_at = min(self.next_at, time.monotonic() + DRAIN_S)

    def _stopped(self, attempt: Attempt) -> None:
        outcome, why = attempt.ending or ("cancelled", "")
        code, number = split_status(attempt.exit or 0)
        self._complete(attempt, Result(outcome, why, code=code, signal=number))

    def _take_products(self, attempt: Attempt, result: Result) -> None:
        try:
            with explained():
                found = find_products(attempt.planned, attempt.scratch)
        except Trouble as trouble:
            told = {"outcome": trouble.outcome, "why": str(trouble), "verdict": trouble.verdict}
            self._complete(attempt, result._replace(**told))
            return
        if not is_heavy(found):
            self._inspected(attempt, result, inspect(found, durable=False))
            return
        try:
            attempt.group, attempt.inspector = fork_inspector(found)
        except OSError:  # no process is to be had: the loop must wait
            self._inspected(attempt, result, inspect(found, durable=False))
            return
        self._children.watch(attempt.inspector.fd, partial(self._hear_inspector, attempt, result))
        self._children.follow(attempt.group, partial(self._inspector_died, attempt, result))

    def _hear_inspector(self, attempt: Attempt, result: Result) -> None:
        for message in attempt.inspector.read() if attempt.inspector else []:
            self._inspected(attempt, result, message)

    def _inspected(self, attempt: Attempt, result: Result, message: Any) -> None:
        made, outcome, why = message
        made = tuple([Made(*row) for row in made])
        self._complete(attempt, result._replace(outcome=outcome, why=why, made=made))

    def _inspector_died(self, attempt: Attempt, result: Result, status: int, usage: Any) -> None:
        if attempt.inspector:
            self._children.call(attempt.inspector.fd, partial(self._hear_inspector, attempt, result))
        if attempt.slot.attempt is attempt:
            outcome, why = attempt.ending or ("error", "the process that hashed the products died")
            self._complete(attempt, result._replace(outcome=outcome, why=why))

    def _complete(self, attempt: Attempt, result: Result, *, wall: float = -1.0, log_end: int = -1) -> None:
        work, slot = attempt.work, attempt.slot
        wall = wall if wall >= 0 else time.monotonic() - attempt.begun
        log_end = log_end if log_end >= 0 else slot.log.size()
        if result.outcome == "ok":
            self._learn(work.stage.name, wall)
        else:
            result = self._diagnose(attempt, result)
        if log_end - attempt.offset > LIMIT:
            slot.log.trim()
            log_end = slot.log.size()
        self._tidy(attempt, result.outcome)
        slot.attempt = None
        if not slot.ahead:
            self.load = max(0.0, self.load - work.batch.share)
        self._on_end(End(attempt, result, wall=wall, log_end=log_end), slot)
        if slot.ahead and slot.attempt is None:
            self._promote(slot, log_end)

    def _promote(self, slot: Slot, log_end: int) -> None:
        """Let the next of the tasks that were handed over take up the slot."""
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
        """Tell a task's failure from the place's, and let the stage's rules judge the first."""
        if result.outcome in ("error", "missing_product"):
            places = attempt.folders or [self._job.spec.root]
            trouble = disk_trouble([*places, self._job.folder])
            if trouble:
                return result._replace(outcome="node_failure", why="{} ({})".format(trouble, result.why))
        result = apply_rules(attempt.work.stage, result, attempt.slot.log)
        if attempt.scratch and result.outcome in KEEPS_SCRATCH:
            return result._replace(
                why="{}; its scratch folder is kept: {}".format(result.why, attempt.scratch)
            )
        return result

    def _tidy(self, attempt: Attempt, outcome: str) -> None:
        if attempt.inspector:
            self._children.ignore(attempt.inspector.fd)
            os.close(attempt.inspector.fd)
            attempt.inspector = None
        if attempt.scratch and outcome not in KEEPS_SCRATCH:
            remove_scratch(attempt.scratch)
        if attempt.planned:
            attempt.slot.folders.sweep(attempt.folders)
