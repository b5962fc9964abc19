"""`penstock status`."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, open_record, print_json
from penstock.ledger import Ledger
from penstock.status import Status


@click.command(
    epilog="""\b
Examples:
  penstock status
  penstock status --watch
  penstock status --json | jq '.stages[].tasks.failed'"""
)
@campaign_option
@json_option
@click.option("-w", "--watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0.2), default=1.0, metavar="SECONDS", help="How often, with --watch."
)
@click.option("--problems", type=click.IntRange(0), default=10, show_default=True, help="How many to name.")
def status(root: Path, as_json: bool, watch: bool, every: float, problems: int) -> None:
    """Show where the campaign stands.

    Failed tasks stand below the table with the reason and the command that prints their output. Ends with 0
    also when tasks have failed: the question was answered.
    """
    if watch:
        _watch(root, every)
        return
    with open_record(root) as ledger:
        current = Status.read(ledger, problems=problems)
    if as_json:
        print_json(current.to_json())
    else:
        _show(current)


def _show(current: Status) -> None:
    from penstock.cli.live import on_terminal

    if not on_terminal():
        click.echo(current.to_text())
        return
    from rich.console import Console

    Console(highlight=False).print(current)


def _watch(root: Path, every: float) -> None:
    from penstock.cli.live import observing, on_terminal

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
