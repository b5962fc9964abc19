"""`penstock units`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, json_option, open_record, print_json, stage_option
from penstock.display import Labels, visible
from penstock.explain import find_under
from penstock.ledger import Ledger
from penstock.ledger.reading.decided import archived_units
from penstock.record.reading import Wanted, read_tasks
from penstock.record.rows import TaskRow
from penstock.status import STATES


@click.command(
    epilog="""\b
Examples:
  penstock units --state failed
  penstock units 2020-01-17 --stage calibrate
  penstock units --stale --limit 0 --json
  penstock units --archived"""
)
@click.argument("unit", required=False, metavar="[UNIT]", shell_complete=complete_unit)
@stage_option
@click.option("--state", type=click.Choice(STATES), help="Only tasks in this state.")
@click.option("--stale", is_flag=True, help="Only stale tasks.")
@click.option("--archived", is_flag=True, help="Units that were archived, instead of tasks.")
@click.option(
    "--limit", type=click.IntRange(0), default=100, show_default=True, help="How many to list; 0: all."
)
@campaign_option
@json_option
def units(
    unit: str | None,
    stage: str | None,
    state: str | None,
    stale: bool,
    archived: bool,
    limit: int,
    root: Path,
    as_json: bool,
) -> None:
    """List tasks by state, stage or name.

    UNIT is a name, a group (with everything in it), or a pattern with `*`.
    """
    if archived and (stage or state or stale):
        raise click.UsageError("--archived lists units: name no --stage, --state or --stale")
    with open_record(root) as ledger:
        if archived:
            _list_archived(ledger, unit, limit or None, as_json=as_json)
            return
        rows = read_tasks(ledger, Wanted(stage, unit, state, stale=stale or None))
        if as_json:
            print_json([_to_json(row) for row in islice(rows, limit or None)])
        else:
            _print(rows, limit)


def _list_archived(ledger: Ledger, unit: str | None, limit: int | None, *, as_json: bool) -> None:
    labels, among = Labels.read(ledger.db), json.dumps(find_under(ledger, unit)) if unit else None
    found = islice(archived_units(ledger.db, among), limit)
    rows = [{"unit": labels.label(one.key), "by": one.by, "why": one.why} for one in found]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(visible(f"archived {row['unit']}: by {row['by']}: {row['why']}"))


def _to_json(row: TaskRow) -> dict[str, str | None]:
    return {"unit": row.unit, "stage": row.stage, "state": row.state, "why": row.why, "stale": row.stale}


def _print(rows: Iterator[TaskRow], limit: int) -> None:
    for number, row in enumerate(rows, 1):
        if number > limit > 0:
            click.echo(f"… and more: --limit {10 * limit} shows more, --limit 0 all", err=True)
            return
        notes = [note for note in (row.why, row.stale and f"stale: {row.stale}") if note]
        line = f"{row.state:<8} {row.stage} {row.unit}"
        click.echo(visible(f"{line}: {'; '.join(notes)}" if notes else line))
