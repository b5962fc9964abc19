"""What tells one process on one machine from any other, also after a reboot."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Process:
    """A process by host, boot, pid and start time: pids alone come back."""

    host: str
    boot: str
    pid: int
    start: str

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
        return self.host == host and (self.boot != boot_id() or start_time(self.pid) != self.start)


def hostname() -> str:
    """Return this host's name."""
    return os.uname().nodename  # what socket.gethostname() returns, without its import


@cache
def boot_id() -> str:
    """Return the id that the kernel made at boot."""
    return BOOT_ID.read_text().strip()


def start_time(pid: int) -> str | None:
    """Return when `pid` started, in clock ticks since boot; None if there is no such living process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields[19]


def this_process(host: str | None = None) -> Process:
    """Describe the running process."""
    pid = os.getpid()
    return Process(host or hostname(), boot_id(), pid, start_time(pid) or "")
