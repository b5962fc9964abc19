"""The tasks that are no longer ours: the conductor revoked them, in the file <i>.revoked, or a next life has them."""

import json
import os
import time
from typing import Callable, List, Optional, Set, Tuple

from .nfs import look_anew

#: so old may be what a network file system says before a product gets its name; without a new look, up to a minute
FRESH_S = 0.1


class Revocations:
    """The tasks that must not start, continue or be published any more."""

    def __init__(self, path: str, successor: str, on_successor: Callable[[], None]) -> None:
        self.all = False
        self._path = path
        self._successor = successor  # the event file of the next life, which has all tasks once it is there
        self._on_successor = on_successor
        self._folder = os.path.dirname(path)
        self._seen: Optional[Tuple[int, int, int]] = None
        self._tasks: Set[Tuple[int, int]] = set()
        self._stale_at = 0.0

    def refresh(self) -> None:
        if os.access(self._successor, os.F_OK):
            self.all = True
            self._on_successor()
        if not os.access(self._path, os.F_OK):
            self._watch_folder()
            return
        try:
            status = os.stat(self._path)
        except OSError:
            return
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        if seen != self._seen and self._read():
            self._seen = seen

    def _watch_folder(self) -> None:
        """Take the loss of the job's folder for the revocation of all: it is packed when we have been given up."""
        try:
            os.stat(self._folder)
        except FileNotFoundError:
            self.all = True
        except OSError:
            return  # a file system that is ill says nothing

    def cover(self, stage: int, unit: int) -> bool:
        """Return whether a task is revoked by now, whatever a network file system remembers."""
        now = time.monotonic()
        if now >= self._stale_at:
            self._stale_at = now + FRESH_S
            look_anew(self._folder)
        self.refresh()
        return self.covered(stage, unit)

    def covered(self, stage: int, unit: int) -> bool:
        """Return whether a task was revoked at the last look."""
        return self.all or (stage, unit) in self._tasks

    def _read(self) -> bool:
        try:
            with open(self._path, encoding="utf-8") as file:
                data = json.load(file)
        except (OSError, ValueError):
            return False
        self.all = self.all or bool(data.get("all"))
        tasks: List[Tuple[int, int]] = data.get("tasks") or []
        self._tasks.update((stage, unit) for stage, unit in tasks)
        return True
