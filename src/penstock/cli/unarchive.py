"""`penstock unarchive`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option
from penstock.cli.requests import ask_together, dry_run_option, units_argument
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock unarchive 2019-11-03"""
)
@units_argument
@dry_run_option
@campaign_option
@json_option
def unarchive(units: tuple[str, ...], dry_run: bool, root: Path, as_json: bool) -> None:
    """Bring archived units back.

    UNIT is a unit, a group with everything in it, or a pattern. What is brought back is processed once the next scan
    finds its files.
    """
    ask_together(root, Question("unarchive", units), dry_run=dry_run, as_json=as_json)
