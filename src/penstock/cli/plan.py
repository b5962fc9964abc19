"""`penstock plan`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, load_campaign, print_json, set_option
from penstock.display import visible


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

    Tells the tasks of each stage by state, the batches they would go in, the exact first commands, and the
    reasons.
    """
    from penstock.conductor.plan import plan as make_plan

    planned = make_plan(load_campaign(root, overrides))
    if as_json:
        print_json(planned.to_json())
    else:
        for line in planned.to_text().split("\n"):
            click.echo(visible(line))
