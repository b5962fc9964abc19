"""`penstock mark`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, stage_option
from penstock.cli.requests import ask_together, dry_run_option, units_argument, why_option
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock mark 2019-11-03 --why "done with the old program"
  penstock mark '2019-*' --stage calibrate --why "as published" --dry-run"""
)
@units_argument
@why_option
@stage_option
@click.option(
    "--left-out",
    is_flag=True,
    help="Also units that the `where` of a stage leaves out: they count as done if it takes them one day.",
)
@dry_run_option
@campaign_option
@json_option
def mark(
    units: tuple[str, ...],
    why: str,
    stage: str | None,
    left_out: bool,
    dry_run: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Count tasks as done that somebody else did.

    UNIT is a unit, a group with everything in it, or a pattern. Nothing is run; what lies where the products belong is
    recorded as the product, and stays yours: `redo` does not replace it. Who marked it, when and why is recorded.
    It may be asked for before the first `run`, so that this does not do again what is there.
    """
    question = Question("mark", units, stage, why=why, left_out=left_out)
    ask_together(root, question, dry_run=dry_run, as_json=as_json)
