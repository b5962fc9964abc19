"""`penstock retry`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, stage_option
from penstock.cli.requests import ask_all
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock retry --all
  penstock retry --stage calibrate
  penstock retry '2020-01-17/*'"""
)
@click.argument("unit", required=False, metavar="[UNIT]", shell_complete=complete_unit)
@stage_option
@click.option("--all", "everything", is_flag=True, help="Everything that failed.")
@campaign_option
def retry(unit: str | None, stage: str | None, everything: bool, root: Path) -> None:
    """Retry failed tasks, with all their retries; resume a paused stage.

    Tasks that wait to be retried are retried at once. Name a UNIT (or a group, or a pattern), a stage, or --all.
    """
    if not (unit or stage or everything):
        raise click.UsageError("name a UNIT or a --stage, or use --all")
    ask_all(root, Question("retry", (unit,) if unit else (), stage))
