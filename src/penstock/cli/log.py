"""`penstock log`."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import click

from penstock.cli.options import (
    campaign_option,
    json_option,
    open_record,
    print_json,
    stage_option,
    unit_argument,
)
from penstock.display import clean_log, visible
from penstock.errors import DefinitionError
from penstock.explain import Log, choose_stage, find_stage, find_units, read_log


@click.command(
    epilog="""\b
Examples:
  penstock log 2020-01-17/01807
  penstock log 2020-01-17/01807 --stage calibrate --attempt 1"""
)
@unit_argument
@stage_option
@click.option(
    "--attempt", type=click.IntRange(1), metavar="N", help="The number of the attempt [default: the last]."
)
@click.option("--raw", is_flag=True, help="Print the raw bytes, including colours.")
@campaign_option
@json_option
def log(unit: str, stage: str | None, attempt: int | None, raw: bool, root: Path, as_json: bool) -> None:
    """Print a task's output, without that of other tasks in the same log.

    UNIT is a unit, or a group with a task of its own. For a running task, print its output so far. Without
    --stage, choose the unit's task that failed, runs, or ran last.
    """
    with open_record(root) as ledger:
        found = find_units(ledger, unit, stage)
        if len(found) > 1:
            raise DefinitionError(
                f"{unit!r} matches {len(found)} units: choose one (`penstock units` lists them)"
            )
        row = find_stage(ledger.db, stage) if stage else _choose_stage(ledger.db, unit, found[0])
        written = read_log(ledger, found[0], row, attempt=attempt)
    if as_json:
        print_json(_to_json(written, unit))
    else:
        _print(written, raw)


def _choose_stage(db: sqlite3.Connection, text: str, unit: int) -> sqlite3.Row:
    row = choose_stage(db, unit)
    if row is None:
        raise DefinitionError(f"{text!r} has no task of its own: name a unit in it (`penstock units`)")
    return row


def _to_json(written: Log, unit: str) -> dict[str, Any]:
    return {
        "unit": unit,
        "stage": written.stage,
        "attempt": written.attempt,
        "outcome": written.outcome,
        "file": str(written.file) if written.raw else None,
        "text": clean_log(written.raw),
    }


def _print(written: Log, raw: bool) -> None:
    attempt = f", attempt {written.attempt}" if written.attempt else ""
    head = f"{written.stage}{attempt}: {written.outcome}" + (f", from {written.file}" if written.raw else "")
    click.echo(f"# {visible(head)}" + ("" if written.raw else ", no output"), err=True)
    if raw:
        sys.stdout.buffer.write(written.raw)
    else:
        click.echo(clean_log(written.raw), nl=bool(written.raw) and not written.raw.endswith(b"\n"))
