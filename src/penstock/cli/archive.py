"""`penstock archive`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option
from penstock.cli.requests import ask_together, dry_run_option, units_argument, why_option
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock archive 2019-11-03 --why "on tape R0117"
  penstock archive '2019-*' --why "disk array 3 retired" --dry-run"""
)
@units_argument
@why_option
@dry_run_option
@campaign_option
@json_option
def archive(units: tuple[str, ...], why: str, dry_run: bool, root: Path, as_json: bool) -> None:
    """Put units away whose data leave the disk on purpose.

    UNIT is a unit, a group with everything in it, or a pattern. An archived unit is never processed, nobody misses its
    files, and what was made of it stays and counts. Who archived it, when and why is recorded.
    """
    ask_together(root, Question("archive", units, why=why), dry_run=dry_run, as_json=as_json)
