"""`penstock unveto`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import campaign_option, stage_option
from penstock.cli.requests import ask_all, units_argument
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock unveto 2020-01-17/01807"""
)
@units_argument
@stage_option
@campaign_option
def unveto(units: tuple[str, ...], stage: str | None, root: Path) -> None:
    """Lift vetoes, so that each UNIT is processed again. Who lifted them and when is recorded."""
    ask_all(root, Question("unveto", units, stage))
