"""Processes of this machine: known by when they started, also to somebody who did not start them."""

import os
import signal
from typing import Iterable, List, NamedTuple, Optional

from ..identity import ELEMENT, JOB, boot_id
from ..orphans import list_processes, read_mark


class Process(NamedTuple):
    """The process of an element."""

    pid: int
    start: str
    boot: str

    def lives(self) -> bool:
        """Whether it still runs."""
        return self.boot == boot_id() and start_of(self.pid) == self.start

    def age_s(self) -> float:
        """Return how long ago it started, whatever became of the clock."""
        with open("/proc/uptime", encoding="ascii") as file:
            up = float(file.read().split()[0])
        return up - int(self.start) / os.sysconf("SC_CLK_TCK")


class End(NamedTuple):
    """How an element ended; `schedulers/local` knows the words."""

    word: str
    code: Optional[int] = None
    signal: Optional[int] = None


def this_process() -> Process:
    """Return the one that asks."""
    return Process(os.getpid(), start_of(os.getpid()) or "", boot_id())


def wait_for(pid: int) -> Optional[End]:
    """Return how a child ended, if it has; it stays, so that no other process gets its number."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    if found.si_code == os.CLD_EXITED:
        return End("exited", found.si_status)
    return End("killed", None, found.si_status)


def left_of(token: str, element: int, *, session: Optional[int]) -> List[int]:
    """Return what lives of an element: by its environment, and by its session where that is surely its own."""
    return [
        pid
        for pid in list_processes()
        if start_of(pid)
        and (
            (session and session_of(pid) == session)
            or (read_mark(pid, JOB) == token and read_mark(pid, ELEMENT) == str(element))
        )
    ]


def kill(pids: Iterable[int]) -> bool:
    """Kill processes; return whether there were some."""
    found = list(pids)
    for pid in found:
        send(pid, signal.SIGKILL)
    return bool(found)


def send(pid: int, number: int) -> None:
    """Send a signal to a process, which may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def start_of(pid: int) -> Optional[str]:
    """Return when a living process started, in ticks since the boot."""
    fields = _fields_of(pid)
    return fields[19].decode("ascii") if fields else None


def session_of(pid: int) -> Optional[int]:
    """Return the session of a living process."""
    fields = _fields_of(pid)
    return int(fields[3]) if fields else None


def _fields_of(pid: int) -> List[bytes]:
    """Return the fields of /proc/PID/stat from the state on; none when it is dead."""
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in (b"Z", b"X") else fields
