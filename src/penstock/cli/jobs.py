"""`penstock jobs`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from penstock.cli.options import campaign_option, json_option, print_json
from penstock.display import show_time, visible
from penstock.ledger import Ledger

_JOBS = """
SELECT token, site, native, state, elements, folder, created, submitted, settled, why,
    (SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id) AS tasks,
    (SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id AND batch.state <> 'settled') AS left,
    (SELECT group_concat(DISTINCT host) FROM life WHERE life.job = job.id) AS hosts
FROM job WHERE state <> 'settled' OR ? ORDER BY job.id DESC LIMIT ?
"""


@click.command(
    epilog="""\b
Examples:
  penstock jobs
  penstock jobs --all --limit 20 --json"""
)
@click.option("-a", "--all", "settled", is_flag=True, help="Also those that have ended.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The newest ones only.")
@campaign_option
@json_option
def jobs(settled: bool, limit: int, root: Path, as_json: bool) -> None:
    """List the jobs: what a site calls them, where they run, what they still have to do."""
    with Ledger.open(root, readonly=True) as ledger:
        rows = [dict(row) for row in ledger.db.execute(_JOBS, (settled, limit))]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("no job is out" if not settled else "there were no jobs yet")
    for row in rows:
        click.echo(visible(_describe(row)))


def _describe(row: dict[str, Any]) -> str:
    native = f" ({row['native']})" if row["native"] else ""
    hosts = f" on {row['hosts']}" if row["hosts"] else ""
    since = show_time(row["settled"] or row["submitted"] or row["created"], now=time.time())
    why = f": {row['why']}" if row["why"] else ""
    left = "" if row["state"] == "settled" else f"{row['left']} of "
    place = f"{row['token']}{native} {row['site']} {row['state']} since {since}{hosts}"
    return f"{place}, {left}{row['tasks']} tasks{why}"
