"""`penstock veto`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, stage_option, unit_argument
from penstock.cli.requests import ask_all
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock veto 2020-01-17/01807 --why "clouds"
  penstock veto 2020-01-17 --stage calibrate --why "lamp was off" """
)
@unit_argument
@click.option("--why", required=True, metavar="TEXT", help="The reason, for the record.")
@stage_option
@campaign_option
def veto(unit: str, why: str, stage: str | None, root: Path) -> None:
    """Keep a unit from being processed, and record why.

    UNIT is a unit, a group with everything in it, a pattern, or `/`, the whole campaign. Who vetoed it and when is
    recorded; what is done stays done.
    """
    if not why.strip():
        raise click.BadParameter("give the reason with --why: others will ask", param_hint="--why")
    ask_all(root, Question("veto", (unit,), stage, why=why))
