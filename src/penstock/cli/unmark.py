"""`penstock unmark`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, stage_option
from penstock.cli.requests import ask_together, dry_run_option, units_argument
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock unmark 2019-11-03 --stage calibrate"""
)
@units_argument
@stage_option
@dry_run_option
@campaign_option
@json_option
def unmark(units: tuple[str, ...], stage: str | None, dry_run: bool, root: Path, as_json: bool) -> None:
    """Take back a mark, so that penstock does these tasks.

    UNIT is a unit, a group with everything in it, or a pattern.
    """
    ask_together(root, Question("unmark", units, stage), dry_run=dry_run, as_json=as_json)
