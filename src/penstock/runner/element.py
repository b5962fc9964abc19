"""One life of an element: takes tasks from the queue, runs them in slots, writes events, exits."""

import os
import time
from typing import List, Optional, Set

from .attempts import Attempts
from .children import Children
from .claim import Claim
from .errors import Damaged, Unwell
from .feed import Feed
from .files import remove, remove_empty
from .folders import remove_earlier_lives
from .group import End, Group
from .health import free_bytes, memory_of
from .revoked import Revocations
from .scratch import remove_earlier_scratch
from .signals import Signals
from .slots import Slot
from .work import FULL, Queue, Work

STARTS_A_TURN = 100
MARGIN_S = 5.0
TICK_S = 1.0
POLL_S = (0.005, 0.05)


class Element:
    """The loop around the slots of one element."""

    def __init__(self, claim: Claim, signals: Signals, born: float) -> None:
        job = claim.job
        feed = Feed(job.folder, offset=_offset(claim), growing=job.spec.feed)
        self._claim = claim
        self._job = job
        self._events = claim.events
        self._signals = signals
        self._born = born
        successor = job.file("{}.jsonl".format(job.life + 1))
        self._revocations = Revocations(job.file("revoked"), successor, claim.events.mute)
        self._group = Group(claim.events, self._revocations)
        self._queue = Queue(feed, job.spec.stages, claim.past, self._group.note_batch)
        self._children = Children()
        self._children.watch(signals.fd, self._woken)
        self._attempts = Attempts(job, claim.events, self._children, self._ended)
        if job.spec.walltime_s is not None:
            self._attempts.over_at = born + job.spec.walltime_s - 2 * MARGIN_S
        self._stopping: Optional[str] = None  # why what is left is given back
        self._hungry = False  # a worker has nothing to start
        self._share = 1.0  # of the element, that a task of the last batch takes
        self._touched: Set[str] = set()  # product folders where an earlier life may have left something
        self._late = False  # a task was given back because of the deadline
        self._busy_at = time.monotonic()
        self._poll_s = POLL_S[0]
        self._tick_at = 0.0
        self._beat_at = self._busy_at + job.spec.beat_s

    def abort(self) -> None:
        """Kill what runs, because it can no longer be watched."""
        self._events.push()
        self._attempts.abort()

    def run(self) -> bool:
        """Run until there is a reason to exit; return whether all events were written."""
        remove_earlier_scratch(self._job, self._claim.past.whys)
        why = None
        while why is None:
            self._heed()
            if not self._stopping:
                self._fill()
            if self._hungry or self._stopping or self._group_is_due():
                self._flush()
            if self._stopping:
                self._give_rest()
            why = self._why_leave()
            if why is None:
                self._pause()
        return self._leave(why)

    def _heed(self) -> None:
        """Act on signals and on the clock."""
        now = time.monotonic()
        if self._signals.asked:
            self._attempts.leaving = True
            self._stop("asked to stop")
        if self._signals.insisted:
            self._attempts.stop_all("the job was asked twice to stop")
        if now >= min(self._tick_at, self._attempts.next_at):
            self._tick(now)

    def _tick(self, now: float) -> None:
        self._tick_at = now + TICK_S
        self._attempts.tick(now)
        self._revocations.refresh()
        self._attempts.stop_revoked(self._revocations)
        if self._revocations.all:
            self._stop("revoked")
        if now >= self._beat_at:
            self._beat(now)

    def _beat(self, now: float) -> None:
        self._beat_at = now + self._job.spec.beat_s
        pids = [os.getpid()] + [attempt.group for attempt in self._attempts.running]
        self._events.emit("beat", {"rss": memory_of(pids), "free": free_bytes(self._job.spec.root)})

    def _stop(self, why: str) -> None:
        self._stopping = self._stopping or why

    def _halt(self, why: str) -> None:
        if self._stopping != "batch halted":
            self._events.emit("halt", {"why": why})
            self._stopping = "batch halted"

    def _fill(self) -> None:
        """Start tasks while there is room and there are tasks."""
        self._hungry = False
        for _ in range(STARTS_A_TURN):
            try:
                work = self._queue.next(self._attempts.load)
            except Damaged as why:
                self._stop(str(why))
                return
            if work is None:
                self._hungry = self._queue.empty and self._attempts.load + self._share <= FULL
                return
            self._busy_at = time.monotonic()
            self._poll_s = POLL_S[0]
            self._share = work.batch.share
            self._take_up(work)
            if self._stopping or self._signals.asked:
                return
        self._tick_at = 0.0

    def _take_up(self, work: Work) -> None:
        """Start a chain where earlier lives left it."""
        link = self._queue.resume(work)
        if self._job.life > 1:
            self._touched.update(
                folder for each in work.chain() for folder in each.folders(self._job.spec.root)
            )
        if link:
            self._begin(link)
        else:
            self._queue.finish(work)

    def _begin(self, work: Work, slot: Optional[Slot] = None) -> None:
        self._revocations.refresh()
        why = self._why_not(work)
        if why is not None:
            self._give_chain(work, why)
            return
        works = [work, *self._more_like(work)]
        try:
            self._attempts.start(works, slot or self._attempts.free_slot())
        except Unwell as unwell:
            self._halt(str(unwell))
            for each in works:
                self._give_chain(each, "batch halted")

    def _more_like(self, work: Work) -> List[Work]:
        """Take out the tasks that are sent together with a tiny one."""
        more: List[Work] = []
        for _ in range(self._attempts.appetite(work) - 1):
            other = self._queue.next_like(work)
            if other is None:
                break
            why = self._why_not(other)
            if why is None:
                more.append(other)
            else:
                self._give_chain(other, why)
        return more

    def _why_not(self, work: Work) -> Optional[str]:
        if self._stopping:
            return self._stopping
        if self._revocations.covered(*work.id):
            return "revoked"
        if self._has_time(work):
            return None
        self._late = True
        return "deadline"

    def _has_time(self, work: Work) -> bool:
        walltime = self._job.spec.walltime_s
        if walltime is None:
            return True
        need = self._attempts.longest.get(work.stage.name)
        if need is None:
            need = work.stage.limit_s or 0.0
        return time.monotonic() - self._born + need + MARGIN_S <= walltime

    def _ended(self, end: End, slot: Slot) -> None:
        """Take an ended attempt; continue with the task that follows it."""
        self._busy_at = time.monotonic()
        self._group.add(end, slot.folders.take_fresh())
        if end.outcome == "node_failure":
            self._halt(end.why)
        follower = end.work.follower()
        if follower and end.ok:
            self._begin(follower, slot)
        else:  # an end that is not well gives the followers back too
            self._queue.finish(end.work)

    def _give_chain(self, work: Work, why: str) -> None:
        for link in work.chain():
            self._group.give(link.id, why)
        self._queue.finish(work)

    def _give_rest(self) -> None:
        try:
            for work in self._queue.rest():
                link = self._queue.resume(work)
                for late in link.chain() if link else ():
                    self._group.give(late.id, self._stopping or "")
                self._queue.finish(work)
        except Damaged as why:
            self._stop(str(why))
        self._flush()

    def _group_is_due(self) -> bool:
        return self._group.due is not None and time.monotonic() >= self._group.due

    def _flush(self) -> None:
        self._group.flush()
        trouble = self._group.trouble or self._events.trouble
        if trouble:
            self._halt(trouble)
        for slot in self._attempts.slots:
            slot.folders.shrink(slot.attempt.folders if slot.attempt else ())

    def _why_leave(self) -> Optional[str]:
        if self._attempts.running or self._group.due is not None:
            return None
        if self._stopping:
            return self._stopping
        if self._late and self._queue.empty:
            return "deadline"
        if self._queue.over:
            return "done"
        idle = time.monotonic() - self._busy_at
        return "idle" if self._queue.empty and idle > self._job.spec.idle_s else None

    def _pause(self) -> None:
        """Write what ended, then wait until a child ends or writes, a signal comes, or something is due."""
        self._events.push()
        until = min(self._tick_at, self._attempts.next_at, self._group.due or self._tick_at)
        now = time.monotonic()
        if self._hungry and not self._stopping:
            until = min(until, now + self._poll_s)
            self._poll_s = min(POLL_S[1], self._poll_s * 1.2)
        self._children.wait(until - now)

    def _woken(self) -> None:
        self._signals.drain()
        self._children.reap()

    def _leave(self, why: str) -> bool:
        self._attempts.close()
        for folder in self._touched:
            remove_earlier_lives(self._job, folder)
        folder = os.path.join(self._job.folder, "tmp")
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                if name.startswith(self._job.tag + "."):
                    remove(os.path.join(folder, name))
            remove_empty(folder)
        self._events.emit("leave", {"why": why})
        self._events.sync()
        written = self._events.drain(self._job.spec.grace_s)
        self._events.release()
        return written


def _offset(claim: Claim) -> int:
    spec = claim.job.spec
    return 0 if spec.feed else spec.offsets[claim.job.element - 1]
