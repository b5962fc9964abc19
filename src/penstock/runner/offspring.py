"""Our children as the kernel lists them: also orphans that it made ours."""

import os
import signal
from typing import Iterable, Set

from .identity import parent_of
from .orphans import find_orphans, list_processes
from .prctl import ADOPT_ORPHANS, set_option


class Offspring:
    """The children of this process; where it cannot adopt, all that carry the mark of its job."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._adopts = set_option(ADOPT_ORPHANS, 1)
        try:
            self._file = os.open("/proc/self/task/{0}/children".format(os.getpid()), os.O_RDONLY)
        except OSError:  # no /proc, or a kernel without CONFIG_PROC_CHILDREN
            self._file = -1

    @property
    def blind(self) -> bool:
        """Return whether this host hides our processes from us."""
        return self._file < 0 and os.getpid() not in list_processes()

    def find(self) -> Set[int]:
        if not self._adopts:
            return set(find_orphans(self._mark))
        try:  # a tenth of the time of reading a list
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return set()
        if self._file >= 0:
            return {int(pid) for pid in os.pread(self._file, 1 << 16, 0).split()}
        return {pid for pid in list_processes() if parent_of(pid) == os.getpid()}


def find_below(pid: int) -> Set[int]:
    """Return what descends from a process now."""
    parents = {each: parent_of(each) for each in list_processes()}
    found: Set[int] = set()
    fresh = {pid}
    while fresh:
        fresh = {each for each, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes, as far as they still exist."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue


def reap(pids: Iterable[int]) -> Set[int]:
    """Take the exits of children that ended; return those that did not."""
    left: Set[int] = set()
    for pid in pids:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                left.add(pid)
        except ChildProcessError:  # it is not our child: it counts as long as it is there
            if os.path.exists("/proc/{}".format(pid)):
                left.add(pid)
    return left


def kill(pids: Iterable[int]) -> Set[int]:
    """Kill children; return those that still exist."""
    pids = set(pids)
    send(pids, signal.SIGKILL)
    return reap(pids)


def name_of(pid: int) -> str:
    """Name a process for people.

    >>> name_of(4711)                                            # doctest: +SKIP
    'sleep (4711)'
    """
    try:
        with open("/proc/{}/comm".format(pid), encoding="utf-8", errors="replace") as file:
            return "{} ({})".format(file.read().strip(), pid)
    except OSError:
        return str(pid)
