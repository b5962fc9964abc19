"""What identifies a process on one machine, also after a reboot."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class Process:
    """A process by host, boot, pid and start time: pids alone are reused.

    `space` is the process namespace that its pid is of, as containers have their own; None: an older penstock did
    not say.
    """

    host: str
    boot: str
    pid: int
    start: str
    space: str | None = None

    @property
    def here(self) -> bool:
        """Whether it was started on this host."""
        return self.host == hostname()

    @property
    def dead(self) -> bool:
        """Whether it is known to have ended; False for another host's, of which nothing is known."""
        return self.dead_to(hostname())

    def dead_to(self, host: str) -> bool:
        """Whether it is known on `host` to have ended."""
        if self.host != host or "" in (self.boot, boot_id()):
            return False
        return self.boot != boot_id() or (sees(self.space) and start_time(self.pid) != self.start)

    def seen_from(self, host: str) -> bool:
        """Whether `host` can see if it runs; else one has to wait until it counts as ended."""
        known = self.host == host and "" not in (self.boot, boot_id())
        return known and (self.boot != boot_id() or sees(self.space))


def hostname() -> str:
    """Return this host's name."""
    return os.uname().nodename  # what socket.gethostname() returns, without its import


def machine_id() -> str:
    """Return what tells this machine from others of the same name: machine-id(5), or the name where there is none."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip() or hostname()
    except OSError:
        return hostname()


@cache
def boot_id() -> str:
    """Return the id that the kernel made at boot; empty where /proc is not mounted."""
    try:
        return BOOT_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@cache
def space_id() -> str:
    """Return the process namespace that we are in, e.g. `pid:[4026531836]`; empty where that is unknown."""
    try:
        return os.readlink(SPACE)
    except OSError:
        return ""


def sees(space: str | None) -> bool:
    """Whether a process of this namespace that is not in our /proc has ended: not so in another, or where /proc is hidden."""
    return space in (None, space_id()) and start_time(os.getpid()) is not None


def start_time(pid: int) -> str | None:
    """Return when `pid` started, in clock ticks since boot; None if there is no such living process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields[19]


def this_process(host: str | None = None) -> Process:
    """Describe the running process."""
    pid = os.getpid()
    return Process(host or hostname(), boot_id(), pid, start_time(pid) or "", space_id())
