"""`penstock status`."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from penstock.cli.options import (
    DurationType,
    campaign_option,
    json_option,
    load_campaign,
    open_record,
    print_json,
)
from penstock.display import show_duration
from penstock.errors import NothingYet
from penstock.ledger import Ledger
from penstock.status import Status


@click.command(
    epilog="""\b
Examples:
  penstock status
  penstock status --watch
  penstock status --fresh 1h      # exit code 1 if nobody has worked for an hour
  penstock status --json | jq '.stages[].tasks.failed'"""
)
@campaign_option
@json_option
@click.option("-w", "--watch", is_flag=True, help="Keep showing it until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(0.2),
    default=1.0,
    metavar="SECONDS",
    help="How often to refresh, with --watch.",
)
@click.option(
    "--fresh",
    type=DurationType(),
    metavar="TIME",
    help="Exit with 1 if the last turn is older than that, such as 1h.",
)
@click.option("--problems", type=click.IntRange(0), default=10, show_default=True, help="How many to show.")
def status(root: Path, as_json: bool, watch: bool, every: float, fresh: float | None, problems: int) -> None:
    """Show where the campaign stands.

    Failed tasks are listed below the table with the reason and the command that prints their output. The exit code is 0
    even if tasks have failed. Before the first run it shows what that run would do. For cron and monitors, --fresh
    makes it 1 when nobody has taken a turn for so long.
    """
    if watch:
        _watch(root, every)
        return
    try:
        with open_record(root) as ledger:
            current, hint = Status.read(ledger, problems=problems), ""
    except NothingYet:
        current, hint = _foresee(root, problems), "`penstock plan` shows how, `penstock run` does it"
    if as_json:
        print_json(current.to_json())
    elif hint:
        _show(replace(current, driver="not run yet"))
        click.echo(hint)
    else:
        _show(current)
    if fresh is not None:
        refuse_old(current, fresh)


def refuse_old(current: Status, fresh: float) -> None:
    """Exit with 1, and say why, if the last turn is older than `fresh` seconds."""
    age = None if current.turned is None else time.time() - current.turned
    if age is not None and age <= fresh:
        return
    last = "no turn has been taken yet" if age is None else f"the last turn was {show_duration(age)} ago"
    click.echo(f"penstock: {last}: start `penstock up`, or see .penstock/conductor.log", err=True)
    sys.exit(1)


def _foresee(root: Path, problems: int) -> Status:
    from penstock.conductor.foreseen import foresee

    return foresee(load_campaign(root, ()), problems=problems)


def _show(current: Status) -> None:
    from penstock.cli.live import on_terminal

    if not on_terminal():
        click.echo(current.to_text())
        return
    from rich.console import Console

    Console(highlight=False).print(current)


def _watch(root: Path, every: float) -> None:
    from penstock.cli.live import observing, on_terminal

    with suppress(KeyboardInterrupt):
        _await_record(root, every)
        with open_record(root) as ledger:
            if not on_terminal():
                click.echo(Status.read(ledger).to_text())
        with observing() as observe, suppress(KeyboardInterrupt):
            older = None
            while True:  # opened anew: copies are replaced
                ledger = Ledger.open(root, readonly=True)
                observe(ledger)
                if older:
                    older.close()
                older = ledger
                time.sleep(every)


def _await_record(root: Path, every: float) -> None:
    """Wait until a first run has begun."""
    told = False
    while True:
        try:
            return Ledger.open(root, readonly=True).close()
        except NothingYet:
            if not told:
                click.echo("not run yet: waiting for `penstock run` (Ctrl-C stops)", err=True)
            told = True
            time.sleep(every)
