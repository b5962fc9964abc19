"""Progress while a conductor works: a live table on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from penstock.display import visible
from penstock.status import Status, show_progress

if TYPE_CHECKING:
    from penstock.ledger import Ledger

Observe = Callable[["Ledger"], None]
QUIET_S = 10.0


def on_terminal() -> bool:
    """Whether the output goes to a terminal."""
    return sys.stdout.isatty()


@contextmanager
def observing() -> Generator[Observe]:
    """Give a function that shows the status each time it is called with the ledger."""
    if not on_terminal():
        lines = Lines()
        yield lines.observe
        lines.finish()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(highlight=False), auto_refresh=False, transient=False) as live:
        yield lambda ledger: live.update(Status.read(ledger), refresh=True)


class Lines:
    """Prints what changed, at most each `QUIET_S`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._printed = -QUIET_S
        self._shown: dict[str, Mapping[str, int]] = {}
        self._told = set[str]()
        self._ledger: Ledger | None = None

    def observe(self, ledger: Ledger) -> None:
        """Check for changes, and print them if enough time has passed."""
        self._ledger = ledger
        if self._clock() - self._printed >= QUIET_S:
            self._print(ledger)
            self._printed = self._clock()

    def finish(self) -> None:
        """Print what has changed since the last line."""
        if self._ledger:
            self._print(self._ledger)

    def _print(self, ledger: Ledger) -> None:
        status = Status.read(ledger)
        for stage in status.stages:
            before = self._shown.get(stage.name)
            self._shown[stage.name] = stage.tasks
            if before != stage.tasks and (before or stage.left):  # what was final from the start is no news
                click.echo(f"{time.strftime('%H:%M:%S')} {show_progress(stage)}")
        for note in (note for _, note in status.sites if note not in self._told):
            click.echo(f"{time.strftime('%H:%M:%S')} {visible(note)}")
        self._told = {note for _, note in status.sites}
