"""What all starters have in common, and how their tools are called."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Protocol

from penstock.unattended.program import Program

PATIENCE_S = 100.0  # a unit may take 90 s to stop


class Starter(Protocol):
    """Something that starts a conductor by itself, also after a reboot."""

    def __init__(self, program: Program) -> None: ...

    @classmethod
    def works(cls) -> bool:
        """Whether it can be used here."""
        ...

    def is_installed(self) -> bool:
        """Whether it starts the conductor of this campaign."""
        ...

    def draft(self) -> str:
        """Return what is installed, as text."""
        ...

    def install(self) -> str:
        """Install it, in place of an earlier one; return what was done."""
        ...

    def remove(self) -> str:
        """Remove it; return what was done."""
        ...

    def start(self) -> str | None:
        """Start the conductor again after a `down`, and return what was done; None: it starts none that stays."""
        ...

    def rest(self) -> str:
        """Let it start nothing more after a `down`, as far as it can; return until when."""
        ...

    def warnings(self) -> Iterator[str]:
        """Yield why it would not start the conductor after a reboot, or end it too early: a sentence each."""
        ...


def call(*words: str, data: bytes | None = None) -> tuple[int, bytes, bytes]:
    """Run one of the system's tools; return its code, output and errors; 127 when it is not there."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words, input=data, stdin=None if data is not None else subprocess.DEVNULL, capture_output=True,
            env=environment, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return 127, b"", f"{words[0]} is not installed".encode()
    except subprocess.TimeoutExpired:
        return 124, b"", f"{words[0]} did not answer in time".encode()
    return done.returncode, done.stdout, done.stderr


def words_of(answer: bytes) -> str:
    """Return a tool's message in one line."""
    return " ".join(answer.decode(errors="replace").split())[:300]
