"""The sessions of one connection: a server allows so many at once, and says so only by refusing one more.

Each is a lock on a file, so that all processes here count together and a killed one counts no more.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.errors import Unreachable

USUAL = 10  # of sshd_config(5), MaxSessions
PATIENCE_S, LOOK_S = 600.0, 0.02


class Sessions:
    """The sessions of the connection whose socket is `socket`."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    @property
    def most(self) -> int:
        """How many there may be at once, as far as is known."""
        try:
            return int(self.path("most").read_text("ascii"))
        except (OSError, ValueError):
            return USUAL

    def path(self, name: str) -> Path:
        """Return a file beside the socket."""
        return self.socket.with_name(f"{self.socket.name}.{name}")

    @contextmanager
    def one(self) -> Generator[int]:
        """Have one of them, as soon as one is free; yields its number."""
        until = time.monotonic() + PATIENCE_S
        while (taken := self.take()) is None:
            if time.monotonic() > until:
                raise Unreachable(f"all {self.most} sessions of the connection are taken: end what uses them")
            time.sleep(LOOK_S)
        number, file = taken
        try:
            yield number
        finally:
            os.close(file)

    def take(self) -> tuple[int, int] | None:
        """Lock one that is free; return its number and its open file."""
        for number in range(1, self.most + 1):
            if (file := locked(self.path(str(number)))) is not None:
                os.pwrite(file, f"{time.monotonic_ns():020}".encode(), 0)
                return number, file
        return None

    def learn(self, refused: int) -> int:
        """Take in that one was refused: there may be no more than began before it. Return how many these are."""
        began = began_at(self.path(str(refused)))
        others = [self.path(str(number)) for number in range(1, self.most + 1) if number != refused]
        earlier = sum(is_taken(path) and began_at(path) < began for path in others)
        draft = self.path(f"most.{refused}")
        draft.write_text(str(max(1, min(earlier, self.most))), "ascii")
        draft.replace(self.path("most"))
        return earlier

    def forget(self) -> None:
        """Forget what was learned: another connection may have another server."""
        self.path("most").unlink(missing_ok=True)


def locked(path: Path) -> int | None:
    """Open and lock a file; None when somebody has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    os.close(file)
    return None


def began_at(path: Path) -> int:
    """Return when a session began, by the clock that all processes here share."""
    return int(path.read_text("ascii") or 0)


def is_taken(path: Path) -> bool:
    """Whether somebody has a session."""
    if (file := locked(path)) is None:
        return True
    os.close(file)
    return False
