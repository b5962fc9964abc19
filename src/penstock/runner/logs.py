"""One log a worker slot; tasks are stretches of it."""

import os
import re
from typing import Optional

LIMIT = 10 * 1000 * 1000
HEAD = TAIL = 5 * 1000 * 1000
LOOK_BACK = 64 * 1024
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")


class SlotLog:
    """The log of one slot: opened to append, cut in the middle when a task writes too much."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._cut = 0
        self.fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
        self.offset = self.size()

    def size(self) -> int:
        return os.lseek(self.fd, 0, os.SEEK_END)

    def begin(self, offset: Optional[int] = None) -> int:
        """Start a task's stretch, by default at the log's end; return its offset."""
        self._cut = 0
        self.offset = self.size() if offset is None else offset
        return self.offset

    def tail(self, count: int = LOOK_BACK) -> str:
        """Return the end of the current task's stretch."""
        end = self.size()
        begin = max(self.offset, end - count)
        return os.pread(self.fd, end - begin, begin).decode("utf-8", "replace")

    def last_line(self) -> str:
        """Return the last line that is not blank, without control characters."""
        lines = [line.strip() for line in self.tail(4096).splitlines()]
        said = [line for line in lines if line]
        return CONTROL.sub("", said[-1])[:300] if said else ""

    def add(self, text: str) -> None:
        try:
            os.write(self.fd, text.encode("utf-8", "backslashreplace"))
        except OSError:
            return

    def trim(self) -> None:
        """Keep the first and the last 5 MB of the current task's stretch when it is over 10 MB."""
        size = self.size()
        if size - self.offset <= LIMIT + 200:
            return
        self._cut += size - self.offset - HEAD - TAIL
        note = "\n[… {} bytes left out here …]\n".format(self._cut).encode("utf-8")
        try:
            self._cut_out(size - TAIL, note)
        except OSError:  # the log was removed, or its disk is gone: the task's end will tell
            return

    def _cut_out(self, tail: int, note: bytes) -> None:
        with open(self._path, "r+b") as file:
            file.seek(tail)
            kept = note + file.read(TAIL)
            file.seek(self.offset + HEAD)
            file.write(kept)
            file.truncate()

    def close(self) -> None:
        """Close the log, and remove it when it is empty."""
        try:
            if self.size() == 0:
                os.unlink(self._path)
        except OSError:  # the job folder was removed
            return
        finally:
            os.close(self.fd)
