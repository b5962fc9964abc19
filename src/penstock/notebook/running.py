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
from penstock.config.saved import FILE as SAVED
from penstock.display import clean_log
from penstock.errors import DefinitionError, Held, LedgerError, NothingYet, PenstockError
from penstock.ledger import Ledger
from penstock.ledger.hosts.lease import Holder
from penstock.ledger.stored import stored_copy
from penstock.notebook.definition import of_cells
from penstock.notebook.script import Reached
from penstock.notebook.showing import Display
from penstock.notebook.tracebacks import with_cells
from penstock.record.stopping import stop
from penstock.status import Status
from penstock.unattended.detached import Started, find_holder, start

LOOK_S = 0.25
TRIES = 3  # to start a conductor while another one begins or ends
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
    with of_cells():
        config.check(campaign)
    if only_defined:
        raise Reached(campaign.root)
    options = [*units, *([f"--stage={stage}"] if stage else []), *(["--stale"] if stale else [])]
    options += [f"--set={pair}" for pair in campaign.overrides]
    display = Display()
    with interrupts() as is_pressed:
        if not is_at_work(campaign):
            begin(campaign, options, display, is_pressed)
        return watch(campaign, display, is_pressed)


def is_at_work(campaign: Campaign) -> bool:
    """Whether a conductor works on this definition; one of this notebook that works on an older one is stopped."""
    if not (working := find_holder(campaign.root)):
        return False
    if not (same := has_definition(campaign)):
        make_way(campaign, working)
    return same


def begin(
    campaign: Campaign, options: Sequence[str], display: Display, is_pressed: Callable[[], bool]
) -> None:
    """Start a conductor, unless one that an interrupted cell has just started is quicker."""
    display.begin(campaign.name)
    for tries_left in reversed(range(TRIES)):
        started = start(campaign.root, "run", options)
        if started.has_begun(is_pressed) or started.process.returncode in (0, 1):
            return
        is_held = started.process.returncode == Held.exit_code
        if is_held and is_at_work(campaign):
            return
        if not is_held or not tries_left:
            display.fail(campaign.name)
            raise why_ended(started)


def why_ended(started: Started) -> PenstockError:
    """Return what a conductor that ended at once has said last, without the file that was made of the cells."""
    code = started.process.returncode
    lines = clean_log(started.said()).strip().splitlines() or [f"the conductor ended with {code}"]
    said = lines[-1].removeprefix("penstock: ").replace(f"{started.log.parents[1] / SAVED}: ", "", 1)
    return DefinitionError(said) if code == DefinitionError.exit_code else PenstockError(said)


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
                code, lines = say_ending(ledger, stopped=False, allow_problems=False)
                return Ending(code, [*map(with_cells, lines)])
        time.sleep(LOOK_S)
    raise Detached(
        "no longer shown; the work goes on in the background: run the cell again to see it,"
        f" or stop it with `penstock down -C {campaign.root}`"
    )


def is_idle(status: Status, since: float) -> bool:
    """Whether a conductor that goes on for ever has looked since then, and has nothing to do."""
    left = sum(stage.left for stage in status.stages)
    return (status.turned or 0.0) > since and not (left or status.jobs or status.settling)
