"""The event file: one JSON object a line, one write a line or a group of lines."""

import errno
import json
import os
import time
from typing import Any, Dict, Iterable, List, Optional

from .errors import Unwell, say_error

LINE_LIMIT = 1000000
RESERVE_BYTES = 256 * 1024

encode = json.JSONEncoder(separators=(",", ":")).encode


def members(fields: Dict[str, Any]) -> str:
    """Render the members of a JSON object, to be put into a line.

    >>> members({"s": 3, "why": "x"})
    '"s":3,"why":"x"'
    """
    return encode(fields)[1:-1]


class Events:
    """Append events of one life; keep what could not be written until it can be."""

    def __init__(self, fd: int, token: str, element: int, life: int, reserve: str) -> None:
        self.fd = fd
        self.trouble: Optional[str] = None
        self._head = '{{"t":{},"i":{},"l":{},"n":'.format(encode(token), element, life)
        self._count = 0
        self._reserve = reserve
        self._held: List[str] = []
        self._backlog = b""
        self._muted = False

    def mute(self) -> None:
        """Write nothing any more, also of what is held: a next life of the element found us dead, and tells what happens."""
        self._muted = True

    def line(self, kind: str, inside: str, at: Optional[float] = None) -> str:
        """Render the next line around its members."""
        self._count += 1
        when = time.time() if at is None else at
        return '%s%d,"at":%.3f,"e":"%s",%s}\n' % (self._head, self._count, when, kind, inside)

    def hold(self, line: str) -> None:
        """Keep a line for the next write, which `push` makes if nothing else does: one call for all that came at once."""
        self._held.append(line)

    def push(self) -> None:
        """Write what is held."""
        if self._held:
            self.write(())

    def write(self, lines: Iterable[str]) -> None:
        """Append lines; what the disk has no space for is kept and tried again with the next ones."""
        held, self._held = self._held, []
        data = self._backlog + "".join([*held, *lines]).encode("ascii")
        self._backlog = data[self._append(data) :]

    def emit(self, kind: str, fields: Dict[str, Any]) -> None:
        self.write([self.line(kind, members(fields))])

    def announce(self, lines: Iterable[str]) -> None:
        """Append lines that must be in the file before what they announce happens; else raise Unwell."""
        self.push()
        data = "".join(lines).encode("ascii")
        written = 0 if self._backlog else self._append(data)
        if written < len(data):
            if written:
                self._backlog = data[written:]
            raise Unwell(self.trouble or "earlier events could not be written")

    def sync(self) -> None:
        try:
            os.fsync(self.fd)
        except OSError as error:
            self.trouble = "events cannot be made durable: {}".format(error.strerror)

    def drain(self, seconds: float) -> bool:
        """Try for some time to write what is left; return whether all is written."""
        until = time.monotonic() + seconds
        self.write([])
        while self._backlog and time.monotonic() < until:
            time.sleep(0.5)
            self.write([])
        return not self._backlog

    def release(self) -> None:
        """Remove the reserve: all events are written."""
        self._free_reserve()

    def _append(self, data: bytes) -> int:
        done = len(data) if self._muted else 0
        while done < len(data):
            try:
                done += os.write(self.fd, data[done:] if done else data)
            except OSError as error:
                self.trouble = "events cannot be written: {}".format(say_error(error))
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._free_reserve():
                    return done
        return done

    def _free_reserve(self) -> bool:
        try:
            os.unlink(self._reserve)
        except OSError:
            return False
        return True


def make_reserve(path: str) -> None:
    """Reserve space for the last events; raises OSError when there is none."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        left = RESERVE_BYTES
        while left:  # what did not fit says why at the next try
            left -= os.write(fd, bytes(left))
        os.fsync(fd)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(fd)
