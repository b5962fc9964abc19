"""`penstock why`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.options import (
    campaign_option,
    json_option,
    open_record,
    print_json,
    stage_option,
    unit_argument,
)
from penstock.display import Labels, show_command, visible
from penstock.explain import explain, find_units
from penstock.ledger import Ledger
from penstock.ledger.reading.decided import archived_of

SHOWN = 20


@click.command(
    epilog="""\b
Examples:
  penstock why 2020-01-17/01807
  penstock why raw/run1807.fits --stage calibrate
  penstock why '2020-01-17/*' --stage calibrate"""
)
@unit_argument
@stage_option
@campaign_option
@json_option
def why(unit: str, stage: str | None, root: Path, as_json: bool) -> None:
    """Explain the state of a unit's tasks, and what would change it.

    UNIT is a name as `penstock units` prints it, a group, a pattern with `*`, or the path of a file or a
    product. Shows each task's reason, what it waits for and why that waits, and its attempts with what was
    decided. `penstock history` tells all that happened since the unit was first seen.
    """
    with open_record(root) as ledger:
        found = find_units(ledger, unit, stage)
        told = [e for u in found[:SHOWN] for e in explain(ledger, u, stage)]
        if as_json:
            print_json([explanation.to_json() for explanation in told])
            return
        for explanation in told:
            click.echo(explanation.to_text())
        if not told:
            click.echo(_explain_empty(ledger, unit, found[0]))
    if len(found) > SHOWN:
        click.echo(f"… and {len(found) - SHOWN} more units")


def _explain_empty(ledger: Ledger, text: str, unit: int) -> str:
    labels, row = (
        Labels.read(ledger.db),
        ledger.db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone(),
    )
    if archived := archived_of(ledger.db, [unit]).get(unit):
        return visible(f"{text}: {archived}; `{archived.undoing(labels)}` brings it back")
    level = labels.level(row[0])
    listing = show_command("units", text)
    return f"{visible(text)}: no stage works on this {level}; `{listing}` lists the tasks in it"
