"""`penstock reopen`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option
from penstock.cli.requests import ask_all, units_argument, why_option
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock reopen 2020-01-17 --why "run 1808 was copied late" """
)
@units_argument
@why_option
@campaign_option
def reopen(units: tuple[str, ...], why: str, root: Path) -> None:
    """Open a closed group: what came late runs, and its tasks can be redone.

    UNIT is a closed group. Its seal is kept beside the next one, under its number. The group stays open until
    `penstock close`.
    """
    ask_all(root, Question("reopen", units, why=why))
