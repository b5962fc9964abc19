"""Whether the site can still work: space on the disks, the memory killer's count."""

import os
from typing import Iterable, List, Optional

ROOM_BYTES = 1 << 20


def disk_trouble(folders: Iterable[str]) -> Optional[str]:
    """Return what is wrong with the file systems of some folders, or None."""
    for folder in folders:
        try:
            status = os.statvfs(folder)
        except OSError:
            continue
        if status.f_flag & os.ST_RDONLY:
            return "the file system of {} is read-only".format(folder)
        if status.f_bavail * status.f_frsize < ROOM_BYTES:
            return "the disk of {} is full".format(folder)
        if status.f_files and not status.f_favail:
            return "the disk of {} has no room for another file".format(folder)
    return None


def first_missing(paths: Iterable[str]) -> Optional[str]:
    """Return the first path at which nothing is."""
    return next((path for path in paths if not os.path.exists(path)), None)


def free_bytes(folder: str) -> Optional[int]:
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize


def memory_of(pids: Iterable[int]) -> Optional[int]:
    """Return the resident bytes of some processes together; None where this host does not show them."""
    pages = 0
    for pid in pids:
        try:
            with open("/proc/{}/statm".format(pid), encoding="utf-8") as file:
                pages += int(file.read().split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") or None


class OomCounter:
    """How many processes of our control group the kernel has killed for lack of memory."""

    def __init__(self, path: Optional[str] = None) -> None:
        self._path = find_oom_file() if path is None else path
        self._count = self._read()

    def grew(self) -> bool:
        """Return whether the count grew since it was last read."""
        before, self._count = self._count, self._read()
        return self._count > before

    def _read(self) -> int:
        try:
            with open(self._path, encoding="utf-8") as file:
                rows = [line.split() for line in file]
        except OSError:
            return 0
        return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == "oom_kill"), 0)


def find_oom_file(proc: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup") -> str:
    """Return the file that counts: memory.events (version 2) or memory.oom_control (version 1)."""
    try:
        with open(proc, encoding="utf-8") as file:
            rows: List[List[str]] = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return ""
    for _, controllers, path in rows:
        if "memory" in controllers.split(","):
            return os.path.join(mount, "memory", path.lstrip("/"), "memory.oom_control")
    for _, controllers, path in rows:
        if not controllers:
            return os.path.join(mount, path.lstrip("/"), "memory.events")
    return ""
