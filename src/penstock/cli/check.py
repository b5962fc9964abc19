"""`penstock check`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, load_campaign, print_json, set_option
from penstock.display import visible


@click.command(
    epilog="""\b
Examples:
  penstock check
  penstock check --json           # the whole definition, with its defaults"""
)
@campaign_option
@set_option
@json_option
def check(root: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check the definition without running anything.

    Checks keys, stages, placeholders, programs and functions. The first mistake is reported with its file and
    line, and the exit code is 2.
    """
    from penstock.conductor.completeness import why_endless
    from penstock.site import Sites

    campaign = load_campaign(root, overrides)
    Sites(campaign).check()
    if as_json:
        from penstock.config import to_json

        print_json(to_json(campaign))
        return
    click.echo(f"{visible(campaign.name)}: the definition is valid")
    for stage in campaign.stages:
        each = "campaign" if stage.level == 0 else campaign.levels[stage.level - 1]
        upstream = f", after {', '.join(a.stage for a in stage.after)}" if stage.after else ""
        click.echo(visible(f"  {stage.name}: each {each}{upstream}"))
    if why := why_endless(campaign):
        click.echo(visible(f"note: {why}"))
