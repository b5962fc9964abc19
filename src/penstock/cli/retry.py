"""`penstock retry`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, stage_option
from penstock.cli.requests import ask_all, find_targets


@click.command(
    epilog="""\b
Examples:
  penstock retry --all
  penstock retry --stage calibrate
  penstock retry '2020-01-17/*'"""
)
@click.argument("unit", required=False, metavar="[UNIT]", shell_complete=complete_unit)
@stage_option
@click.option("--all", "everything", is_flag=True, help="All that failed.")
@campaign_option
def retry(unit: str | None, stage: str | None, everything: bool, root: Path) -> None:
    """Give failed tasks another try, with all their retries; resume a paused stage.

    What waits for a later try is tried at once. Name a UNIT (or a group, or a pattern), a stage, or --all.
    """
    if not (unit or stage or everything):
        raise click.UsageError("name a UNIT, a --stage, or say --all")
    ask_all(root, "retry", find_targets(root, unit, stage))
