"""`penstock redo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from penstock.cli.complete import complete_unit
from penstock.cli.options import campaign_option, json_option, open_record, print_json, stage_option
from penstock.display import Labels, visible
from penstock.record.asking import Question, request, targets_of

SHOWN = 10


@click.command(
    epilog="""\b
Examples:
  penstock redo 2020-01-17/01807 --why "the lamp was off"
  penstock redo '2020-01-17/*' --stage calibrate
  penstock redo --stage fit --where "snr < 3" --dry-run
  penstock redo --stage calibrate --limit 1000"""
)
@click.argument("units", nargs=-1, metavar="[UNIT...]", shell_complete=complete_unit)
@stage_option
@click.option(
    "--where", metavar="EXPR", help="Only units that meet this condition, written as in a stage's `where`."
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="Of a stage, the first N that are stale, in its `order`.",
)
@click.option("--why", metavar="TEXT", help="The reason, for the record.")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be redone, and change nothing.")
@campaign_option
@json_option
def redo(
    units: tuple[str, ...],
    stage: str | None,
    where: str | None,
    limit: int | None,
    why: str | None,
    dry_run: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Redo finished tasks, and the tasks downstream where their products change.

    Name units, groups or patterns (UNIT...), a stage, or a condition. The running conductor does it, or
    else the next `penstock run`. What is not named by its units is backfill: it goes after all new data.
    For failed tasks use `penstock retry`.
    """
    if not (units or stage or where):
        raise click.UsageError("name a UNIT, a --stage, or a --where")
    if limit and not stage:
        raise click.UsageError("name the --stage that the --limit is for")
    with open_record(root) as ledger:
        [target] = targets_of(ledger, Question("redo", units, stage, where, why, limit=limit))
    if dry_run:
        show(root, target, as_json=as_json)
        return
    answer = request(root, "redo", target)
    if as_json:
        print_json({"asked": {**target, "units": list(units)}, "answer": answer})
    else:
        click.echo(visible(answer))


def show(root: Path, target: dict[str, Any], *, as_json: bool) -> None:
    """Print what would be redone."""
    from penstock.ledger.redoing import plan_redo
    from penstock.ledger.stored import stored_graph

    with open_record(root) as ledger:
        labels = Labels.read(ledger.db)
        redoing = plan_redo(ledger, stored_graph(ledger), target)
        keys = dict(ledger.db.execute("SELECT id, key FROM unit").fetchall())

    def named(stage: str, unit: int) -> dict[str, str]:
        return {"stage": stage, "unit": labels.label(keys[unit])}

    tasks = [named(stage, unit) for stage, units in redoing.chosen.items() for unit in units]
    if as_json:
        left = [{**named(one.stage, one.unit), "why": one.why, "remedy": one.remedy} for one in redoing.left]
        following = {stage: len(units) for stage, units in redoing.following.items()}
        print_json({"tasks": tasks, "following": following, "left_out": left})
        return
    click.echo(visible(str(redoing)))
    for task in tasks[:SHOWN]:
        click.echo(visible(f"  {task['stage']} {task['unit']}"))
    if len(tasks) > SHOWN:
        click.echo(f"  … and {len(tasks) - SHOWN} more")
