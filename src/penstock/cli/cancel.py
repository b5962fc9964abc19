"""`penstock cancel`."""

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
  penstock cancel 2020-01-17/01807
  penstock cancel --stage calibrate
  penstock cancel --all"""
)
@click.argument("unit", required=False, metavar="[UNIT]", shell_complete=complete_unit)
@stage_option
@click.option("--all", "everything", is_flag=True, help="Everything that is queued or running.")
@campaign_option
def cancel(unit: str | None, stage: str | None, everything: bool, root: Path) -> None:
    """Cancel queued and running tasks; they count as failed until `penstock retry`.

    Name a UNIT (or a group, or a pattern), a stage, or --all. Elements of job arrays that have nothing left to do
    are cancelled at their scheduler, even when no conductor is running.

    To keep a unit from being processed at all, use `penstock veto`. To stop working, use `penstock down`.
    """
    if not (unit or stage or everything):
        raise click.UsageError("name a UNIT or a --stage, or use --all")
    ask_all(root, Question("cancel", (unit,) if unit else (), stage))
