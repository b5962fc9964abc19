"""`penstock tick`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, load_campaign, set_option
from penstock.errors import Held


@click.command(
    epilog="""\b
Example, in a crontab:
  */5 * * * * penstock tick -C /data/winter"""
)
@campaign_option
@set_option
def tick(root: Path, overrides: tuple[str, ...]) -> None:
    """Do one turn of work, then exit (for cron).

    Finds new units, collects results, submits what is ready. When another conductor is already running, says so
    and exits with 0.
    """
    from penstock.cli.drive import turn

    try:
        turn(load_campaign(root, overrides))
    except Held as error:
        click.echo(f"nothing to do: {error}")
