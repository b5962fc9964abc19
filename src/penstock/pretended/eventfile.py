"""An event file as a runner writes it, with what can go wrong with files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

#: what is wrong with lines of an event file
LineFault = Literal["duplicates", "garbage", "other token", "long lines"]
TOO_LONG = 1_200_000  # more than a conductor reads at once


class EventFile:
    """The event file of one life of one element; `path` None keeps it in memory.

    A `late` one is not written: its readers see what `show` shows them.
    """

    def __init__(
        self,
        token: str,
        path: Path | None,
        now: Callable[[], float],
        *,
        faults: Iterable[LineFault] = (),
        element: int = 1,
        life: int = 1,
        late: bool = False,
    ) -> None:
        self.token, self.path, self.now, self.faults = token, path, now, frozenset(faults)
        self.element, self.life, self.late, self.shown = element, life, late, 0
        self.data, self.count = bytearray(), 0

    def write(self, kind: str, **fields: Any) -> None:
        """Append one event, with the faults that this file has."""
        self.count += 1
        event = {
            "t": self.token, "i": self.element, "l": self.life, "n": self.count, "at": self.now(), "e": kind, **fields
        }  # fmt: skip
        self.append(b"".join(line + b"\n" for line in spoiled(event, self.faults)))

    def append(self, data: bytes) -> None:
        """Append raw bytes, a whole line or not."""
        self.data += data
        if not self.late:
            self.show(len(self.data))

    def show(self, length: int) -> None:
        """Let readers see the file up to this length."""
        if (
            length > self.shown and self.path and self.path.parent.is_dir()
        ):  # it is packed when its job is finished
            with self.path.open("ab") as file:
                file.write(self.data[self.shown : length])
        self.shown = max(self.shown, length)

    def lose_tail(self, count: int) -> None:
        """Forget the last bytes, as a file system does that lost its power."""
        del self.data[len(self.data) - min(count, len(self.data)) :]
        if self.shown > len(self.data):
            self.shown = len(self.data)
            if self.path and self.path.parent.is_dir():
                self.path.write_bytes(self.data)


def spoiled(event: dict[str, Any], faults: frozenset[LineFault]) -> list[bytes]:
    """Return the lines that a file with these faults holds for one event."""
    line = json.dumps(event, separators=(",", ":")).encode()
    lines = [line]
    if "duplicates" in faults:
        lines.append(line)
    if "garbage" in faults:
        lines[:0] = [b'{"t": "\xff\xfe', b"\0" * 20, b"[1, 2"]
    if "other token" in faults:
        lines.insert(0, json.dumps({**event, "t": "pother00000"}).encode())
    if "long lines" in faults:
        lines.insert(0, b'{"t": "' + b"x" * TOO_LONG + b'"}')
    return lines
