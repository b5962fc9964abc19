"""`penstock fetch`."""

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
  penstock fetch --stage spectra
  penstock fetch 2020-01-17/01807
  penstock fetch --file '*.png'
  penstock fetch --stage fit --where "snr < 3"
"""
)
@click.argument("units", nargs=-1, metavar="[UNIT...]", shell_complete=complete_unit)
@stage_option
@click.option("--file", metavar="PATTERN", help="Only products whose path matches, such as '*.png'.")
@click.option(
    "--where", metavar="EXPR", help="Only units that meet this condition, written as in a stage's `where`."
)
@campaign_option
def fetch(units: tuple[str, ...], stage: str | None, file: str | None, where: str | None, root: Path) -> None:
    """Bring products home that are still at the site where they were made.

    Without UNIT, --stage, --file or --where, all of them. Which products come home by themselves is said by `fetch` of
    the site. The running conductor brings them, or else this command.
    """
    ask_all(root, Question("fetch", units, stage, where, file=file))
