"""Batches of task lines, read from tasks.jsonl as they arrive."""

import os
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Sequence

from .errors import Damaged
from .sealed import digest_of, unseal

HEADER_BYTES = 4096
NUMBERS = ("batch", "workers", "tasks", "bytes")


class Batch:
    """Task lines of one batch, and how many run at a time."""

    __slots__ = ("devices", "left", "lines", "number", "share")

    def __init__(self, number: int, workers: int, lines: Deque[bytes], devices: Sequence[str] = ()) -> None:
        self.number = number
        self.share = 1.0 / max(1, workers)
        self.lines = lines
        self.left = len(lines)
        self.devices = tuple(devices)


class Feed:
    """The batches of one element: one of a static array, or those that are appended to a feed."""

    def __init__(self, folder: str, *, offset: int, growing: bool) -> None:
        self.growing = growing
        self._path = os.path.join(folder, "tasks.jsonl")
        self._closed = os.path.join(folder, "closed")
        self._offset = offset
        self._fd = os.open(self._path, os.O_RDONLY)
        self._count = 0

    def next_batch(self) -> Optional[Batch]:
        """Return the next batch when all its bytes have arrived."""
        size = os.fstat(self._fd).st_size  # first: whoever closes the feed counts what it holds after that
        if self.over() or size <= self._offset:
            return None
        head, newline, _ = os.pread(self._fd, HEADER_BYTES, self._offset).partition(b"\n")
        if not newline:
            return None
        header = self._header(head)
        begin = self._offset + len(head) + 1
        if size < begin + header["bytes"]:
            return None
        body = self._read(begin, header["bytes"])
        if header.get("body") not in (None, digest_of(body).decode("ascii")):
            raise self._damaged("holds other tasks than were written")
        batch = self._batch(header, body)
        self._offset = begin + header["bytes"]
        self._count += 1
        return batch

    def over(self) -> bool:
        """Return whether no more batches will count."""
        if not self.growing:
            return self._count == 1
        if not os.access(self._closed, os.F_OK):
            return os.fstat(self._fd).st_nlink == 0  # somebody removed the job
        with open(self._closed, encoding="utf-8") as file:
            text = file.read().strip()
        return text.isdigit() and self._count >= int(text)

    def _header(self, line: bytes) -> Dict[str, Any]:
        header = unseal(line)
        if header and all(isinstance(header.get(name), int) for name in NUMBERS):
            return header
        raise self._damaged("is no batch header")

    def _read(self, begin: int, count: int) -> bytes:
        parts: List[bytes] = []
        while count:
            part = os.pread(self._fd, count, begin)
            if not part:
                raise self._damaged("ends inside a batch")
            parts.append(part)
            begin += len(part)
            count -= len(part)
        return b"".join(parts)

    def _batch(self, header: Dict[str, Any], data: bytes) -> Batch:
        lines = deque(data.split(b"\n"))
        if lines.pop() or len(lines) != header["tasks"]:
            raise self._damaged("holds a batch that is not {} lines".format(header["tasks"]))
        return Batch(header["batch"], header["workers"], lines, header.get("devices") or ())

    def _damaged(self, what: str) -> Damaged:
        return Damaged("{} is damaged: it {} at byte {}".format(self._path, what, self._offset))
