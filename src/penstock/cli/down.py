"""`penstock down`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option
from penstock.display import visible
from penstock.ledger.hosts.lease import Holder
from penstock.unattended.detached import find_holder


@click.command(
    epilog="""\b
Examples:
  penstock down
  penstock down --wait 300"""
)
@campaign_option
@click.option(
    "--wait", type=click.FloatRange(0), default=60.0, metavar="SECONDS", help="How long to wait at most [60]."
)
def down(root: Path, wait: float) -> None:
    """Stop the conductor that works on the campaign, here or on another host, and wait until it has stopped.

    Running work on this machine returns what it has not started, jobs at clusters continue; nothing is lost.
    """
    from penstock.unattended import installed

    if working := find_holder(root):
        stop(root, working, wait)
    else:
        click.echo("nothing is running")
    for starter in installed(root):
        click.echo(visible(starter.rest()))


def stop(root: Path, working: Holder, wait: float) -> None:
    """Stop the conductor, and say what goes on without it."""
    from penstock.conductor.summary import cluster_lines
    from penstock.ledger import Ledger
    from penstock.record import stopping

    stopping.stop(root, working, wait)
    click.echo(visible(f"down: {working} has stopped"))
    with Ledger.open(root, readonly=True) as ledger:
        for line in cluster_lines(ledger, command=working.command):
            click.echo(visible(line))
