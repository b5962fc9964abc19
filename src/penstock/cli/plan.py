"""`penstock plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli.options import campaign_option, json_option, load_campaign, print_json, set_option
from penstock.display import visible

if TYPE_CHECKING:
    from penstock.campaign import Campaign
    from penstock.conductor.scope import Only


@click.command(
    epilog="""\b
Examples:
  penstock plan
  penstock plan --set stage.psd.params.window=2048"""
)
@campaign_option
@set_option
@json_option
def plan(root: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show what `run` would do, and why; nothing is written.

    Shows the tasks of each stage by state, the batches they would be in, the first exact commands, and the
    reasons.
    """
    show_plan(load_campaign(root, overrides), only=None, as_json=as_json)


def show_plan(campaign: Campaign, *, only: Only | None, as_json: bool) -> None:
    """Print what `run` would do with all, or with `only` what was asked for."""
    from penstock.conductor.plan import plan as make_plan

    planned = make_plan(campaign, only=only)
    if as_json:
        print_json(planned.to_json())
    else:
        for line in planned.to_text().split("\n"):
            click.echo(visible(line))
