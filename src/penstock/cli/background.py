"""A conductor without a terminal: where its messages go, and what does not end it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from penstock.disk import make_private, private
from penstock.ledger import FOLDER
from penstock.unattended.detached import LOG

if TYPE_CHECKING:
    from penstock.cli.live import Observe
    from penstock.ledger import Ledger

OLDER = f"{LOG}.1"
MOST_BYTES = 4 << 20  # of a log, before another one is begun; one older is kept

background_option = click.option(
    "--background", is_flag=True, hidden=True, help="Write to .penstock/conductor.log, and survive a hang-up."
)

tell_option = click.option(
    "--tell", type=int, hidden=True, help="Where to write when the first turn is done."
)


def leave_terminal(root: Path, news: int | None = None) -> None:
    """Write to the log from now on, and go on when the terminal is closed; keep `news` from what is started."""
    if news is not None:
        os.set_inheritable(news, False)
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


def logging(observe: Observe, news: int | None) -> Observe:
    """Return an `observe` that keeps the log short, and whose first call also tells `up` that the start succeeded."""
    waiting = [] if news is None else [news]

    def tell_and_observe(ledger: Ledger) -> None:
        if waiting:
            with (
                suppress(BrokenPipeError),
                open(waiting.pop(), "wb") as pipe,
            ):  # what is written goes at its end
                pipe.write(b"1")
        keep_short(ledger.root)
        observe(ledger)

    return tell_and_observe
