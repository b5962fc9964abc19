"""`penstock check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli.options import campaign_option, json_option, load_campaign, print_json, set_option
from penstock.display import visible

if TYPE_CHECKING:
    from penstock.campaign import Campaign


@click.command(
    epilog="""\b
Examples:
  penstock check
  penstock check --notify         # do mails arrive?
  penstock check --json           # the whole definition, with its defaults"""
)
@campaign_option
@set_option
@click.option("--notify", is_flag=True, help="Also send a trial message through each channel of [notify].")
@json_option
def check(root: Path, overrides: tuple[str, ...], notify: bool, as_json: bool) -> None:
    """Check the definition without running anything.

    Checks keys, stages, placeholders, programs and functions. The first mistake is reported with its file and
    line, and the exit code is 2. With --notify it is 1 if a message could not be sent.
    """
    from penstock.conductor.completeness import why_endless
    from penstock.config.editors import renew_schema
    from penstock.site import Sites

    campaign = load_campaign(root, overrides)
    Sites(campaign).check()
    renew_schema(campaign.file)
    tried = try_channels(campaign) if notify else {}
    if as_json:
        from penstock.config import to_json

        print_json({**to_json(campaign), **({"tried": tried} if notify else {})})
        sys.exit(1 if any(tried.values()) else 0)
    click.echo(f"{visible(campaign.name)}: the definition is valid")
    for stage in campaign.stages:
        each = "campaign" if stage.level == 0 else campaign.levels[stage.level - 1]
        upstream = f", after {', '.join(a.stage for a in stage.after)}" if stage.after else ""
        click.echo(visible(f"  {stage.name}: each {each}{upstream}"))
    if why := why_endless(campaign):
        click.echo(visible(f"note: {why}"))
    if notify and not tried:
        click.echo("there is no channel to try: add a table [notify.NAME] to the definition")
    for name, failed in tried.items():
        click.echo(visible(f"{name}: {failed or 'a trial message was sent'}"))
    sys.exit(1 if any(tried.values()) else 0)


def try_channels(campaign: Campaign) -> dict[str, str | None]:
    """Send a trial message through each channel; return why that failed, or to whom."""
    from penstock.notify.trial import try_channel

    return {name: try_channel(campaign, channel) for name, channel in campaign.notify.items()}
