"""Attempts: started, watched, stopped and brought to an end, one a slot."""

import os
import signal
import time
from functools import partial
from typing import Any, Callable, Dict, List

from .children import Children
from .commands import Launcher
from .events import Events
from .forks import fork_inspector, inspect
from .group import End
from .health import OomCounter, disk_trouble
from .judge import Result, apply_rules, judge_death, judge_exit, split_status, was_out_of_memory
from .products import Made, find_products, is_heavy
from .revoked import Revocations
from .scratch import remove_scratch
from .slots import NEVER, Attempt, Slot, abandon_attempt, prepare_attempt, signal_group
from .spec import Job
from .trouble import Missing, Unfit, Unwell
from .work import Work
from .worker import Reply
from .workers import Workers

DRAIN_S = 0.05  # how often a stopped group is asked whether it is gone
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
        self._job = job
        self._events = events
        self._children = children
        self._on_end = on_end
        self._launcher = Launcher(job)
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

    def start(self, work: Work, slot: Slot) -> None:
        """Begin an attempt; raises Unwell, with nothing begun, when the place does not allow it."""
        attempt = Attempt(work, slot)
        unfit = prepare_attempt(self._job, attempt)
        try:
            self._events.announce("start", {"s": work.stage.id, "u": work.unit, "w": slot.number})
        except Unwell:
            abandon_attempt(attempt)
            raise
        slot.attempt = attempt
        self.load += work.batch.share
        try:
            if unfit:
                raise Unfit(unfit)
            self._launch(attempt)
        except Unfit as why:
            self._complete(attempt, Result("error", str(why)))
        except Unwell as why:
            self._complete(attempt, Result("node_failure", str(why)))

    def stop(self, attempt: Attempt, outcome: str, why: str) -> None:
        """Ask an attempt to end, and kill it when it does not."""
        if attempt.ending:
            return
        attempt.ending = (outcome, why)
        attempt.limit_at = NEVER
        if attempt.inspector:
            signal_group(attempt.pid, signal.SIGKILL)
            return
        signal_group(attempt.pid, signal.SIGTERM)
        attempt.kill_at = time.monotonic() + self._job.spec.grace_s
        self.next_at = min(self.next_at, attempt.kill_at)

    def stop_all(self, why: str) -> None:
        for attempt in self.running:
            self.stop(attempt, "cancelled", why)

    def stop_revoked(self, revocations: Revocations) -> None:
        for attempt in self.running:
            if revocations.cover(*attempt.work.id):
                self.stop(attempt, "cancelled", "revoked while it ran")

    def tick(self, now: float) -> None:
        """Look at limits, at groups that must go, and at the logs."""
        self.next_at = NEVER
        for attempt in self.running:
            if now >= attempt.limit_at:
                limit = attempt.work.stage.limit_s or 0
                self.stop(attempt, "timeout", "it ran longer than its limit of {:g} s".format(limit))
            if now >= attempt.kill_at:
                signal_group(attempt.pid, signal.SIGKILL)
                attempt.kill_at = NEVER
                attempt.killed = True
            if attempt.exit and (attempt.killed or not signal_group(attempt.pid, 0)):
                self._stopped(attempt)
                continue
            attempt.slot.log.trim()
            drain_at = now + DRAIN_S if attempt.exit else NEVER
            self.next_at = min(self.next_at, attempt.limit_at, attempt.kill_at, drain_at)

    def close(self) -> None:
        """Let the workers go; remove private folders, and logs that say nothing."""
        for slot in self.slots:
            self._workers.dismiss(slot)
            slot.folders.close()
            slot.log.close()

    def _launch(self, attempt: Attempt) -> None:
        stage = attempt.work.stage
        if stage.python:
            attempt.pid = self._workers.hand_over(attempt)
        else:
            env = self._launcher.environment(attempt.env)
            attempt.pid = self._launcher.start(attempt.argv, env, attempt.slot.log.fd, attempt.scratch)
            self._children.follow(attempt.pid, partial(self._exited, attempt))
        if stage.limit_s is not None:
            attempt.limit_at = attempt.begun + stage.limit_s
            self.next_at = min(self.next_at, attempt.limit_at)

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
            signal_group(attempt.pid, signal.SIGKILL)
            self._complete(attempt, self._explain_death(result))

    def _replied(self, slot: Slot, message: Any) -> None:
        attempt = slot.attempt
        if attempt is None or attempt.ending:
            return
        reply = Reply(*message)
        attempt.cpu, attempt.rss = reply.cpu, reply.rss
        made = tuple([Made(*row) for row in reply.made])
        result = Result(reply.outcome, reply.why, reply.verdict, None, None, reply.result, reply.children, made)
        self._complete(attempt, result)

    def _worker_died(self, slot: Slot, status: int, usage: Any) -> None:
        attempt = slot.attempt
        if attempt is None:
            return
        attempt.cpu = usage.ru_utime + usage.ru_stime
        attempt.rss = usage.ru_maxrss * 1024
        if attempt.ending:
            self._stopping(attempt, status)
        else:
            signal_group(attempt.pid, signal.SIGKILL)
            self._complete(attempt, self._explain_death(judge_death(status)))

    def _explain_death(self, result: Result) -> Result:
        if result.signal == signal.SIGKILL or result.code == 128 + signal.SIGKILL:
            if was_out_of_memory(result, self._oom.grew()):
                return result._replace(outcome="out_of_memory", why="killed by the kernel: it used too much memory")
        if self.leaving and result.signal in ENDED_BY_OTHERS:
            return result._replace(outcome="cancelled", why=result.why + " when the job was asked to stop")
        return result

    def _stopping(self, attempt: Attempt, status: int) -> None:
        """The leader of a stopped group is gone: wait for the others until the grace is over."""
        attempt.exit = status
        if attempt.killed or not signal_group(attempt.pid, 0):
            self._stopped(attempt)
        else:
            self.next_at = min(self.next_at, time.monotonic() + DRAIN_S)

    def _stopped(self, attempt: Attempt) -> None:
        outcome, why = attempt.ending or ("cancelled", "")
        code, number = split_status(attempt.exit or 0)
        self._complete(attempt, Result(outcome, why, code=code, signal=number))

    def _take_products(self, attempt: Attempt, result: Result) -> None:
        try:
            found = find_products(attempt.planned, attempt.scratch)
        except Missing as missing:
            self._complete(attempt, result._replace(outcome="missing_product", why=str(missing)))
            return
        if not is_heavy(found):
            self._inspected(attempt, result, inspect(found, durable=False))
            return
        attempt.pid, attempt.inspector = fork_inspector(found)
        self._children.listen(attempt.inspector, partial(self._inspected, attempt, result))
        self._children.follow(attempt.pid, partial(self._inspector_died, attempt, result))

    def _inspected(self, attempt: Attempt, result: Result, message: Any) -> None:
        made, why, well = message
        if why:
            result = result._replace(outcome="error" if well else "node_failure", why=why)
        self._complete(attempt, result._replace(made=tuple([Made(*row) for row in made])))

    def _inspector_died(self, attempt: Attempt, result: Result, status: int, usage: Any) -> None:
        if attempt.slot.attempt is not attempt:
            return
        if attempt.inspector:
            self._children.receive(attempt.inspector)
        if attempt.slot.attempt is not attempt:
            return
        outcome, why = attempt.ending or ("error", "the process that hashed the products died")
        self._complete(attempt, result._replace(outcome=outcome, why=why))

    def _complete(self, attempt: Attempt, result: Result) -> None:
        work, slot = attempt.work, attempt.slot
        wall = time.monotonic() - attempt.begun
        if result.outcome != "ok":
            result = self._diagnose(attempt, result)
        else:
            self.longest[work.stage.name] = max(wall, self.longest.get(work.stage.name, 0.0))
        slot.log.trim()
        fields = self._fields(attempt, result, wall)
        self._tidy(attempt, result.outcome)
        slot.attempt = None
        self.load = self.load - work.batch.share if len(self.running) else 0.0
        self._on_end(End(work, fields, result), slot)

    def _diagnose(self, attempt: Attempt, result: Result) -> Result:
        """Tell a task's failure from the place's, and let the stage's rules judge the first."""
        if result.outcome in ("error", "missing_product"):
            places = attempt.folders or [self._job.spec.root]
            trouble = disk_trouble(places + [self._job.folder])
            if trouble:
                return result._replace(outcome="node_failure", why="{} ({})".format(trouble, result.why))
        result = apply_rules(attempt.work.stage, result, attempt.slot.log)
        if attempt.scratch and result.outcome in KEEPS_SCRATCH:
            return result._replace(why="{}; its scratch folder is kept: {}".format(result.why, attempt.scratch))
        return result

    def _fields(self, attempt: Attempt, result: Result, wall: float) -> Dict[str, Any]:
        work, slot = attempt.work, attempt.slot
        fields: Dict[str, Any] = {
            "s": work.stage.id,
            "u": work.unit,
            "w": slot.number,
            "o": result.outcome,
            "wall": round(wall, 4),
            "cpu": round(attempt.cpu, 6),
            "rss": attempt.rss,
            "code": result.code,
            "signal": result.signal,
            "log": [slot.number, attempt.offset, slot.log.size() - attempt.offset],
            "products": {made.name: [made.shown, made.size, made.digest] for made in result.made},
        }
        if result.why:
            fields["why"] = result.why
        if result.verdict:
            fields["verdict"] = result.verdict
        return fields

    def _tidy(self, attempt: Attempt, outcome: str) -> None:
        if attempt.inspector:
            self._children.mute(attempt.inspector)
            os.close(attempt.inspector.fd)
        if attempt.scratch and outcome not in KEEPS_SCRATCH:
            remove_scratch(attempt.scratch)
        if attempt.planned:
            attempt.slot.folders.sweep(attempt.folders)
