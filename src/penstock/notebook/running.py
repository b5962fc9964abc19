"""Running a campaign from a notebook: the conductor is a process of its own, and what is seen here is its record.

Whatever happens to the kernel, the work goes on; whoever runs the cell again sees it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress

from penstock import config
from penstock.campaign import Campaign
from penstock.conductor import Ending
from penstock.conductor.inbound import any_to_come
from penstock.conductor.summary import say_ending
from penstock.display import clean_log
from penstock.errors import Held, LedgerError, NothingYet, PenstockError
from penstock.ledger import Ledger
from penstock.ledger.hosts.lease import Holder
from penstock.ledger.stored import stored_copy
from penstock.notebook.script import Reached
from penstock.notebook.showing import Display
from penstock.record.stopping import stop
from penstock.status import Status
from penstock.unattended.detached import find_holder, start

LOOK_S = 0.25
BACKGROUND = "up"  # how a conductor without a terminal calls itself
PATIENCE_S = 60.0  # for a conductor that works on an older definition, to return what it has not started

only_defined = False  # in a script that leaves its definition for the shell


class Detached(KeyboardInterrupt):
    """Somebody looked away: the work goes on."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        return [str(self)]


def run(campaign: Campaign, units: Sequence[str], *, stage: str | None, stale: bool) -> Ending:
    """Have the work done in the background, show it, and return how it ended.

    Raises Held if somebody else works on the campaign, and Detached when it is interrupted.
    """
    config.check(campaign)
    if only_defined:
        raise Reached(campaign.root)
    display = Display()
    with interrupts() as is_pressed:
        if working := find_holder(campaign.root):
            if has_definition(campaign):
                return watch(campaign, display, is_pressed)
            make_way(campaign, working)
        options = [*units, *([f"--stage={stage}"] if stage else []), *(["--stale"] if stale else [])]
        options += [f"--set={pair}" for pair in campaign.overrides]
        display.begin(campaign.name)
        started = start(campaign.root, "run", options)
        if not started.has_begun(is_pressed) and started.process.returncode not in (0, 1):
            raise PenstockError(clean_log(started.said()).strip().splitlines()[-1])
        return watch(campaign, display, is_pressed)


@contextmanager
def interrupts() -> Generator[Callable[[], bool]]:
    """Note interrupts, and raise them nowhere, so that two of them are as one; give whether there was one.

    Only the main thread gets them; in another one nothing is changed.
    """
    pressed = list[int]()
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def has_definition(campaign: Campaign) -> bool:
    """Whether what is at work has this definition."""
    with suppress(NothingYet, LedgerError), Ledger.open(campaign.root, readonly=True) as ledger:
        copy = stored_copy(ledger.db)
        return copy is not None and copy["digest"] == config.to_json(campaign)["digest"]
    return False


def make_way(campaign: Campaign, working: Holder) -> None:
    """Stop the conductor that this notebook started with an older definition."""
    if working.command != BACKGROUND or not working.process.here:
        raise Held(f"{campaign.root} is held by {working}: wait for it, or stop it with `penstock down`")
    stop(campaign.root, working, PATIENCE_S)


def watch(campaign: Campaign, display: Display, is_pressed: Callable[[], bool]) -> Ending:
    """Show the status until nobody is at work any more; raises Detached after an interrupt."""
    began = time.time()
    while not is_pressed():
        at_work = find_holder(campaign.root)
        with Ledger.open(campaign.root, readonly=True) as ledger:
            display.show(status := Status.read(ledger))
            if not at_work or (is_idle(status, began) and not any_to_come(ledger)):
                return Ending(*say_ending(ledger, stopped=False, allow_problems=False))
        time.sleep(LOOK_S)
    raise Detached(
        "no longer shown; the work goes on in the background: run the cell again to see it,"
        f" or stop it with `penstock down -C {campaign.root}`"
    )


def is_idle(status: Status, since: float) -> bool:
    """Whether a conductor that goes on for ever has looked since then, and has nothing to do."""
    left = sum(stage.left for stage in status.stages)
    return (status.turned or 0.0) > since and not (left or status.jobs or status.settling)
