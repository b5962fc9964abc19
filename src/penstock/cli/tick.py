"""`penstock tick`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.background import background_option, keep_short, leave_terminal
from penstock.cli.options import campaign_option, load_campaign, set_option
from penstock.errors import Held


@click.command(
    epilog="""\b
Examples:
  penstock tick
  penstock up --install=cron      # a turn every five minutes"""
)
@campaign_option
@set_option
@background_option
def tick(root: Path, overrides: tuple[str, ...], background: bool) -> None:
    """Do one turn of work, then exit (for cron).

    Finds new units, collects results, submits what is ready. When another conductor is already running, says so
    and exits with 0.
    """
    from penstock.cli.drive import turn

    if background:
        leave_terminal(root)
        keep_short(root)
    try:
        turn(load_campaign(root, overrides))
    except Held as error:
        click.echo(f"nothing to do: {error}")
