"""Starting a conductor in a session of its own, so that it outlives whoever starts it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from penstock.disk import make_private, private
from penstock.errors import LedgerError
from penstock.ledger import FOLDER
from penstock.ledger.hosts import lease
from penstock.ledger.hosts.lease import Holder

LOG = "conductor.log"  # in `.penstock`
LOOK_S = 0.2
PATIENCE_S = 30.0  # for the first turn, which may find millions of units


class Started(NamedTuple):
    """A conductor that was just started, the end of a pipe on which it reports that its first turn is done, and its log."""

    process: subprocess.Popen[bytes]
    news: int
    log: Path
    began: int  # where in the log it begins

    def has_begun(self, is_left: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the first turn, unless nobody waits any more; False when it ended before."""
        until, readable = time.monotonic() + PATIENCE_S, list[int]()
        while not readable and time.monotonic() < until and not is_left():
            readable, _, _ = select.select([self.news], [], [], LOOK_S)
        begun = not readable or os.read(self.news, 1) != b""
        os.close(self.news)
        if not begun:
            self.process.wait()
        return begun

    def said(self) -> bytes:
        """Return what it wrote since it was started."""
        return self.log.read_bytes()[self.began :]


def start(root: Path, command: str, options: Sequence[str]) -> Started:
    """Start `command` on the campaign in `root`, which has `--background` and `--tell`."""
    make_private(root / FOLDER)
    log = root / FOLDER / LOG
    began = log.stat().st_size if log.exists() else 0
    news, tell = os.pipe()
    words = [command, "--background", f"--tell={tell}", "-C", str(root), *options]
    with open(log, "ab", opener=private) as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "penstock", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=root,
            start_new_session=True,
            pass_fds=[tell],
        )
    os.close(tell)
    return Started(child, news, log, began)


def find_holder(root: Path) -> Holder | None:
    """Return the running conductor of the campaign in `root`, if there is one."""
    try:
        return lease.find_holder(root, time.time())
    except LedgerError:  # nothing was run here yet
        return None
