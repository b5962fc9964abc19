"""`penstock watch`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, load_campaign, set_option


@click.command(
    epilog="""\b
Examples:
  penstock watch
  penstock up                     # the same in the background"""
)
@campaign_option
@set_option
@click.option("--until-done", is_flag=True, help="End when nothing can change by itself, as `run` does.")
@click.option("--detached", is_flag=True, hidden=True)
def watch(root: Path, overrides: tuple[str, ...], until_done: bool, detached: bool) -> None:
    """Work, and go on as new data come, until stopped (Ctrl-C, or `penstock down`)."""
    from penstock.cli.drive import drive

    drive(
        load_campaign(root, overrides),
        command="up" if detached else "watch",
        work=lambda conductor, observe: conductor.watch(observe=observe, until_done=until_done),
    )
