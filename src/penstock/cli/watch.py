"""`penstock watch`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.background import background_option, leave_terminal, logging, tell_option
from penstock.cli.options import campaign_option, load_campaign, overwrite_option, set_option


@click.command(
    epilog="""\b
Examples:
  penstock watch
  penstock up                     # the same in the background"""
)
@campaign_option
@set_option
@click.option("--until-done", is_flag=True, help="Exit when nothing more can change, as `run` does.")
@background_option
@tell_option
@overwrite_option
def watch(
    root: Path,
    overrides: tuple[str, ...],
    until_done: bool,
    background: bool,
    tell: int | None,
    overwrite: bool,
) -> None:
    """Keep working as new data arrive, until stopped (Ctrl-C, or `penstock down`)."""
    from penstock.cli.drive import drive
    from penstock.conductor.completeness import refuse_endless

    if background:
        leave_terminal(root, tell)
    campaign = load_campaign(root, overrides)
    if not until_done:
        refuse_endless(campaign)
    drive(
        campaign,
        command="up" if background else "watch",
        overwrite=overwrite,
        work=lambda conductor, observe: conductor.watch(
            observe=logging(observe, tell) if background else observe, until_done=until_done
        ),
    )
