"""A conductor without a terminal: where its messages go, and what does not end it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click

from penstock.disk import make_private, private
from penstock.ledger import FOLDER

LOG, OLDER = "conductor.log", "conductor.log.1"
MOST_BYTES = 4 << 20  # of a log, before another one is begun; one older is kept

background_option = click.option(
    "--background", is_flag=True, hidden=True, help="Write to .penstock/conductor.log, and survive a hang-up."
)


def leave_terminal(root: Path) -> None:
    """Write to the log from now on, and go on when the terminal is closed."""
    make_private(root / FOLDER)
    signal.signal(signal.SIGHUP, go_on)
    write_to_log(root)


def go_on(number: int, frame: FrameType | None) -> None:
    """Do nothing; what is ignored instead would be ignored by every program that is started."""


def write_to_log(root: Path) -> None:
    """Let standard output and error be the log."""
    with open(root / FOLDER / LOG, "ab", opener=private) as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)


def keep_short(root: Path) -> None:
    """Begin another log when this one is long."""
    if os.fstat(1).st_size < MOST_BYTES:
        return
    with suppress(OSError):  # no room: it is tried again
        os.replace(root / FOLDER / LOG, root / FOLDER / OLDER)
        write_to_log(root)
