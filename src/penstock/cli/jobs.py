"""`penstock jobs`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from penstock.cli.options import campaign_option, json_option, open_record, print_json
from penstock.display import visible
from penstock.status.jobs import notes_on_sites, read_jobs


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
        found = read_jobs(ledger.db, now, finished=finished, limit=limit)
        if as_json:
            print_json([job.to_json() for job in found])
            return
        if not found:
            click.echo("no active jobs" if not finished else "no jobs yet")
        for job in found:
            click.echo(visible(job.to_text(now)))
            for line in job.details(now):
                click.echo(visible(f"    {line}"))
        for note in notes_on_sites(ledger.db, found, now):
            click.echo(visible(note))
