"""What an attempt left running when its process ended: found among the orphans that became ours, by its mark."""

import os
import signal
import time
from typing import Iterable, List, Set

from .children import Children
from .errands import NEVER
from .offspring import Offspring, find_below, kill, name_of, send
from .orphans import TASK, read_mark
from .slots import Attempt
from .spec import Job

LINGER_S = 0.2  # what is about to end may do so: a `tee` or `gzip` behind a shell's >( )
GIVE_UP_S = 5.0


class Leftovers:
    """Orphans of the element's tasks."""

    def __init__(self, job: Job, children: Children) -> None:
        self._job = job
        self._children = children
        self._offspring = Offspring(job.mark)
        self._spared = self._offspring.find()  # what the job's set-up lines started is not ours to end
        self.blind = self._offspring.blind

    def of(self, attempt: Attempt, running: Iterable[Attempt]) -> List[int]:
        """Return the processes that an ended attempt left; negative: a whole process group."""
        if self.blind:
            return [-attempt.group] if _is_there(-attempt.group) else []
        strangers = self._strangers()
        if not strangers:
            return []
        others = {self._mark(each) for each in running if each is not attempt}
        return [pid for pid in strangers if self._belongs(pid, attempt, others)]

    def end(self, attempt: Attempt, left: List[int], now: float) -> bool:
        """Let what an attempt left end itself, then kill it; return whether there is still something to wait for."""
        if attempt.kill_at == NEVER:
            attempt.kill_at = now + LINGER_S
        if now < attempt.kill_at and attempt.killed_at == NEVER:
            return True
        if attempt.killed_at == NEVER:
            attempt.killed_at = now
            if not attempt.ending:
                names = ", ".join(name_of(pid) for pid in left)
                attempt.slot.log.add("penstock: ended what the task left running: {}\n".format(names))
        send(left, signal.SIGKILL)
        return now < attempt.killed_at + GIVE_UP_S

    def below(self, attempt: Attempt) -> Set[int]:
        """Return the processes of an attempt that still runs, but for its first."""
        return find_below(attempt.group) if attempt.group else set()

    def end_all(self) -> None:
        """Kill all that is left, and wait until it is gone."""
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            left = [pid for pid in self._strangers() if self._read(pid) or not self._spared]
            if not kill(left):
                return
            time.sleep(0.002)

    def _strangers(self) -> Set[int]:
        return self._offspring.find().difference(self._spared, self._children.known)

    def _belongs(self, pid: int, attempt: Attempt, others: Set[str]) -> bool:
        """Return whether a process is an attempt's; one that hides its mark belongs to the only attempt that runs."""
        if pid in attempt.kin:
            return True
        mark = self._read(pid)
        return mark not in others if mark else not (others or self._spared)

    def _read(self, pid: int) -> str:
        mark = read_mark(pid, TASK)
        return mark if mark.startswith(self._job.mark + "/") else ""

    def _mark(self, attempt: Attempt) -> str:
        return self._job.mark_slot(attempt.slot.number, worker=attempt.in_worker)


def ask_to_end(attempt: Attempt) -> None:
    """Send SIGTERM to an attempt's processes that left its group."""
    send([pid for pid in attempt.kin if _group_of(pid) != attempt.group], signal.SIGTERM)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _is_there(group: int) -> bool:
    try:
        os.kill(group, 0)
    except OSError:
        return False
    return group < -1
