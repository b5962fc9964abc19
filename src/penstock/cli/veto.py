"""`penstock veto`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from penstock.cli.options import campaign_option, stage_option
from penstock.cli.requests import ask_all, units_argument
from penstock.record.asking import Question


@click.command(
    epilog="""\b
Examples:
  penstock veto 2020-01-17/01807 --why "clouds"
  penstock veto 2020-01-17 --stage calibrate --why "lamp was off"
  penstock veto 2020-01-17 --until 2026-12-01 --why "new pedestals are being taken" """
)
@units_argument
@click.option("--why", required=True, metavar="TEXT", help="The reason, for the record.")
@click.option("--until", metavar="TIME", help="Lift it at that time: a date, or date and time, in UTC.")
@stage_option
@campaign_option
def veto(units: tuple[str, ...], why: str, until: str | None, stage: str | None, root: Path) -> None:
    """Keep units from being processed, and record why.

    UNIT is a unit, a group with everything in it, a pattern, or `/`, the whole campaign. Who vetoed it and when is
    recorded; what is done stays done. It may be asked for before the first `run`.
    """
    if not why.strip():
        raise click.BadParameter("give the reason with --why: others will ask", param_hint="--why")
    ask_all(root, Question("veto", units, stage, why=why, until=moment(until) if until else None))


def moment(text: str) -> float:
    """Read a time to come; raises BadParameter."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a time: write it like 2026-12-01 or 2026-12-01T18:00 (UTC)",
            param_hint="--until",
        ) from None
    at = (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
    if at <= time.time():
        raise click.BadParameter(f"{text} is over: give a time to come (UTC)", param_hint="--until")
    return at
