"""`penstock units`."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, json_option, open_record, print_json, stage_option
from penstock.display import Labels, visible
from penstock.explain import find_stage, find_under
from penstock.ledger import Ledger
from penstock.status import STATES

Row = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks are listed."""

    unit: str | None
    stage: str | None
    state: str | None
    stale: bool


@click.command(
    epilog="""\b
Examples:
  penstock units --state failed
  penstock units 2020-01-17 --stage calibrate
  penstock units --stale --limit 0 --json"""
)
@click.argument("unit", required=False, metavar="[UNIT]", shell_complete=complete_unit)
@stage_option
@click.option("--state", type=click.Choice(STATES), help="Only tasks in this state.")
@click.option("--stale", is_flag=True, help="Only stale tasks.")
@click.option(
    "--limit", type=click.IntRange(0), default=100, show_default=True, help="How many to list; 0: all."
)
@campaign_option
@json_option
def units(
    unit: str | None, stage: str | None, state: str | None, stale: bool, limit: int, root: Path, as_json: bool
) -> None:
    """List tasks by state, stage or name.

    UNIT is a name, a group (with everything in it), or a pattern with `*`.
    """
    with open_record(root) as ledger:
        wanted = Wanted(unit, stage, state, stale)
        with closing(_list_tasks(ledger, wanted)) as rows:
            if as_json:
                print_json(list(islice(rows, limit or None)))
            else:
                _print(rows, limit)


def _print(rows: Iterator[Row], limit: int) -> None:
    for number, row in enumerate(rows, 1):
        if number > limit > 0:
            click.echo(f"… and more: --limit {10 * limit} shows more, --limit 0 all", err=True)
            return
        notes = [note for note in (row["why"], row["stale"] and f"stale: {row['stale']}") if note]
        line = f"{row['state']:<8} {row['stage']} {row['unit']}"
        click.echo(visible(f"{line}: {'; '.join(notes)}" if notes else line))


def _list_tasks(ledger: Ledger, wanted: Wanted) -> Generator[Row]:
    labels = Labels.read(ledger.db)
    conditions, values = _conditions(ledger, wanted)
    stages = ledger.db.execute("SELECT id, name FROM stage WHERE NOT removed ORDER BY position").fetchall()
    if wanted.stage:
        stages = [find_stage(ledger.db, wanted.stage)]
    for stage in stages:
        for row in ledger.db.execute(f"{_TASKS}{conditions}", {"stage": stage["id"], **values}):
            yield {
                "unit": labels.label(row["key"]),
                "stage": stage["name"],
                "state": row["state"],
                "why": row["why"],
                "stale": row["stale"],
            }


# CROSS JOIN keeps the order of the loops, the primary key of task: the first ones come at once.
_TASKS = (
    "SELECT unit.key, task.state, task.why, task.stale FROM task CROSS JOIN unit "
    "WHERE unit.id = task.unit AND task.stage = :stage"
)


def _conditions(ledger: Ledger, wanted: Wanted) -> tuple[str, dict[str, str]]:
    conditions, values = "", dict[str, str]()
    if wanted.state:
        conditions += f" AND task.state = '{wanted.state}'"  # literal: the index of the failed ones serves
    if wanted.stale:
        conditions += " AND task.stale IS NOT NULL AND task.state = 'done'"
    if wanted.unit:
        conditions += " AND task.unit IN (SELECT value FROM json_each(:units))"
        values["units"] = json.dumps(find_under(ledger, wanted.unit))
    return conditions, values
