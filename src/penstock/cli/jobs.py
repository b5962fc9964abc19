"""`penstock jobs`."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from penstock.cli.options import campaign_option, json_option, open_record, print_json
from penstock.display import count, show_bytes, show_duration, show_process, show_time, visible
from penstock.ledger.experience import absence_of
from penstock.ledger.reading.queuestate import QueueState, queue_states, remedy_of, trouble_of

_JOBS = """
SELECT job.*,
    (SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id) AS tasks,
    (SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id AND batch.state <> 'finished') AS left,
    (SELECT group_concat(DISTINCT host) FROM life WHERE life.job = job.id) AS hosts
FROM job WHERE state <> 'finished' OR ? ORDER BY job.id DESC LIMIT ?
"""
_TOLD = (
    "token", "site", "native", "state", "elements", "folder", "created", "submitted", "finished", "why", "tasks", "left", "hosts",
)  # fmt: skip


@click.command(
    epilog="""\b
Examples:
  penstock jobs
  penstock jobs --all --limit 20 --json"""
)
@click.option("-a", "--all", "finished", is_flag=True, help="Also show finished jobs.")
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="Show only the newest ones."
)
@campaign_option
@json_option
def jobs(finished: bool, limit: int, root: Path, as_json: bool) -> None:
    """List the jobs: their ids at the site, where they run, what they still have to do.

    For an array at a cluster, also show the states of its elements, in the scheduler's own words when it was last
    asked, and what was asked for each.
    """
    with open_record(root) as ledger:
        now = ledger.as_of or time.time()
        rows = ledger.db.execute(_JOBS, (finished, limit)).fetchall()
        stand = {row["id"]: _stand(ledger.db, row, now) for row in rows}
        if as_json:
            print_json([_to_json(row, stand[row["id"]]) for row in rows])
            return
        if not rows:
            click.echo("no active jobs" if not finished else "no jobs yet")
        for row in rows:
            click.echo(visible(_describe(row, now)))
            for line in _details(ledger.db, row, stand[row["id"]], now):
                click.echo(visible(f"    {line}"))
        for site in dict.fromkeys(row["site"] for row in rows):
            if absence := absence_of(ledger.db, site, now):
                click.echo(visible(absence))
            elif trouble := trouble_of(ledger.db, site):
                click.echo(visible(f"! {site}: {trouble[0]} (since {show_time(trouble[1], now=now)})"))


def _stand(db: sqlite3.Connection, row: sqlite3.Row, now: float) -> list[QueueState]:
    return [] if row["feed"] or row["state"] == "finished" else queue_states(db, row["id"], now)


def _to_json(row: sqlite3.Row, stand: list[QueueState]) -> dict[str, Any]:
    asked = json.loads(row["request"]) if row["request"] else None
    return {**{key: row[key] for key in _TOLD}, "request": asked, "queue": [one.to_json() for one in stand]}


def _describe(row: sqlite3.Row, now: float) -> str:
    native = row["native"] and (show_process(row["native"]) if row["feed"] else row["native"])
    hosts = f" on {row['hosts']}" if row["hosts"] and row["feed"] else ""
    since = show_time(row["finished"] or row["submitted"] or row["created"], now=now)
    why = f": {row['why']}" if row["why"] else ""
    left = "" if row["state"] == "finished" else f"{row['left']} of "
    place = (
        f"{row['token']}{f' ({native})' if native else ''} {row['site']} {row['state']} since {since}{hosts}"
    )
    return f"{place}, {left}{count(row['tasks'], 'task')}{why}"


def _details(db: sqlite3.Connection, row: sqlite3.Row, stand: list[QueueState], now: float) -> Iterator[str]:
    for one in stand:
        yield one.to_text(now) + (f": {remedy_of(db, row, one)}" if one.phase == "held" else "")
    if row["request"]:
        yield f"requested {count(row['elements'], 'element')}, each with {_asked(json.loads(row['request']))}"


def _asked(request: dict[str, Any]) -> str:
    """Write what one element requests."""
    memory, walltime, most = (request.get(key) for key in ("memory_bytes", "walltime_s", "max_parallel"))
    amounts = [
        count(request["cpus"], "cpu"),
        show_bytes(memory) if memory else "",
        show_duration(walltime) if walltime else "",
    ]
    excluded = f"; not on {', '.join(request['excluded'])}" if request.get("excluded") else ""
    return ", ".join(filter(None, amounts)) + (f"; at most {most} at once" if most else "") + excluded
