"""`penstock units`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, json_option, print_json, stage_option
from penstock.display import Labels, visible
from penstock.explain import find_stage, find_under
from penstock.ledger import Ledger
from penstock.status import STATES


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
@click.option("--stale", is_flag=True, help="Only what is done but stale.")
@click.option("--limit", type=click.IntRange(0), default=100, show_default=True, help="How many; 0: all.")
@campaign_option
@json_option
def units(
    unit: str | None, stage: str | None, state: str | None, stale: bool, limit: int, root: Path, as_json: bool
) -> None:
    """List tasks by state, stage or name.

    UNIT is a name, a group (then all in it), or a pattern with `*`.
    """
    with Ledger.open(root, readonly=True) as ledger:
        wanted = Wanted(unit, stage, state, stale)
        rows = _list_tasks(ledger, wanted, limit + 1 if limit else -1)
        if as_json:
            print_json(list(rows)[: limit or None])
            return
        _print(rows, limit)


def _print(rows: Iterator[dict[str, str | None]], limit: int) -> None:
    for number, row in enumerate(rows, 1):
        if number > limit > 0:
            click.echo(f"… and more: --limit {10 * limit} shows more, --limit 0 all", err=True)
            return
        notes = [note for note in (row["why"], row["stale"] and f"stale: {row['stale']}") if note]
        line = f"{row['state']:<8} {row['stage']} {row['unit']}"
        click.echo(visible(f"{line}: {'; '.join(notes)}" if notes else line))


def _list_tasks(ledger: Ledger, wanted: Wanted, limit: int) -> Iterator[dict[str, str | None]]:
    labels = Labels.read(ledger.db)
    for row in _query(ledger, wanted, limit):
        yield {
            "unit": labels.label(row["key"]),
            "stage": row["name"],
            "state": row["state"],
            "why": row["why"],
            "stale": row["stale"],
        }


# CROSS JOIN keeps the order of the loops: the tasks of one stage after the other, by their primary key.
_TASKS = (
    "SELECT unit.key, stage.name, task.state, task.why, task.stale "
    "FROM stage CROSS JOIN task CROSS JOIN unit "
    "WHERE task.stage = stage.id AND unit.id = task.unit AND NOT stage.removed"
)


def _query(ledger: Ledger, wanted: Wanted, limit: int) -> Iterator[sqlite3.Row]:
    conditions, values = "", dict[str, object]()
    if wanted.stage:
        conditions += " AND stage.id = :stage"
        values["stage"] = find_stage(ledger.db, wanted.stage)["id"]
    if wanted.state:
        conditions += f" AND task.state = '{wanted.state}'"  # literal: the index of the failed ones serves
    if wanted.stale:
        conditions += " AND task.stale IS NOT NULL AND task.state = 'done'"
    if wanted.unit:
        conditions += " AND unit.id IN (SELECT value FROM json_each(:units))"
        values["units"] = json.dumps(find_under(ledger, wanted.unit))
    yield from ledger.db.execute(
        f"{_TASKS}{conditions} ORDER BY stage.position, task.unit LIMIT {limit}", values
    )
