"""Running a conductor in the foreground: progress, signals, ending."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from penstock.cli.live import Observe
from penstock.cli.manners import PROGRESS, Manner
from penstock.config.editors import renew_schema
from penstock.display import visible

if TYPE_CHECKING:
    from penstock.campaign import Campaign
    from penstock.conductor import Conductor, Ending
    from penstock.site import FeedingSite, Sites

Work = Callable[["Conductor", Observe], "Ending"]


def drive(
    campaign: Campaign,
    *,
    command: str,
    work: Work,
    accept_gone: bool = False,
    allow_problems: bool = False,
    overwrite: bool = False,
    site: FeedingSite | None = None,
    manner: Manner = PROGRESS,
) -> None:
    """Hold the campaign, let `work` drive its conductor, report how it ended, and exit with its code.

    A `run` that was stopped exits with 1, so that what was to follow it does not; in the background only what did not
    end as it should counts, so that it is not started again after a `down`.
    """
    from penstock.conductor import Conductor

    with (
        Conductor(
            campaign,
            command=command,
            accept_gone=accept_gone,
            allow_problems=allow_problems,
            overwrite=overwrite,
            site=site,
        ) as conductor,
        stopping(conductor),
        manner.observing(conductor.ledger) as observe,
    ):
        tell_note(conductor)
        renew_schema(campaign.file)
        ending = work(conductor, observe)
    manner.tell(ending)
    sys.exit({"run": 1 if conductor.stopping else ending.code, "up": 0}.get(command, ending.code))


def turn(campaign: Campaign) -> None:
    """Take one turn and report what it did; what could never go on so is refused before anything is recorded."""
    from penstock.conductor import Conductor
    from penstock.conductor.completeness import refuse_endless
    from penstock.ledger.experience import absences

    refuse_endless(campaign)

    with Conductor(campaign, command="tick") as conductor:
        tell_note(conductor)
        renew_schema(campaign.file)
        done = conductor.tick()
        for line in (str(done), *absences(conductor.ledger.db, conductor.clock.now())):
            click.echo(visible(line))


def tell_note(conductor: Conductor) -> None:
    """Print on stderr what people must know about the record before the work begins."""
    if note := conductor.ledger.note:
        click.echo(f"penstock: {visible(note)}", err=True)


@contextmanager
def stopping(conductor: Conductor) -> Generator[None]:
    """Make Ctrl-C and SIGTERM ask `conductor` to stop; a second one exits at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, leave)
        conductor.ask_stop()
        say(f"stopping: {promise(conductor.sites)} (again: exit at once)")

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        say("stopped: running work continues by itself, and the same command picks it up again")
        sys.exit(1)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def promise(sites: Sites) -> str:
    """Describe what happens to active work: here it returns the rest, at clusters it continues."""
    clusters = [name for name in sites.used() if not sites.feeding_site(name)]
    here = "running work returns what it has not started" if len(clusters) < len(sites.used()) else ""
    there = f"jobs at {', '.join(clusters)} continue" if clusters else ""
    return ", ".join(filter(None, [here, there]))


def say(line: str) -> None:
    """Print on stderr through Python's own stream: the live table puts itself below it."""
    try:
        print(line, file=sys.stderr, flush=True)
    except RuntimeError:  # the signal came in the middle of another print
        os.write(2, f"{line}\n".encode())
