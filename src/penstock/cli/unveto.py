"""`penstock unveto`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, stage_option, unit_argument
from penstock.cli.requests import ask_all
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock unveto 2020-01-17/01807"""
)
@unit_argument
@stage_option
@campaign_option
def unveto(unit: str, stage: str | None, root: Path) -> None:
    """Lift a veto of UNIT, which is then processed again. Who lifted it and when is recorded."""
    ask_all(root, Question("unveto", (unit,), stage))
