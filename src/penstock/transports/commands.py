"""Commands of this machine, run without a shell and without our environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from penstock.transports.reply import Reply

MOST = 64 << 20  # bytes of an answer; a hundred thousand elements fit in a tenth of it


class Run(Protocol):
    """Runs the commands of a site; `penstock.testing` has one with faults."""

    def __call__(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Run a command to its end or its time limit; raises nothing but OSError when it cannot be started."""
        ...


def run_command(argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float) -> Reply:
    """Run a command of this machine; after `timeout_s` seconds it is killed, and its reply has no code."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            start_new_session=True,  # a Ctrl-C meant for us must not cut a submission in two
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return Reply(None, text_of(late.stdout), text_of(late.stderr))
    return Reply(done.returncode, text_of(done.stdout), text_of(done.stderr))


def text_of(data: bytes | None) -> str:
    """Return what a command wrote as text; bytes that are none become marks."""
    return (data or b"")[:MOST].decode(errors="replace")
