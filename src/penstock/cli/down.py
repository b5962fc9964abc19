"""`penstock down`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from penstock.cli.options import campaign_option
from penstock.cli.up import find_holder
from penstock.display import visible
from penstock.errors import Held, LedgerError
from penstock.ledger.hosts.lease import Holder


@click.command(
    epilog="""\b
Examples:
  penstock down
  penstock down --wait 300"""
)
@campaign_option
@click.option(
    "--wait", type=click.FloatRange(0), default=60.0, metavar="SECONDS", help="How long to wait at most [60]."
)
def down(root: Path, wait: float) -> None:
    """Stop the conductor that works on the campaign, here or on another host, and wait until it has stopped.

    Running work on this machine returns what it has not started, jobs at clusters continue; nothing is lost.
    """
    from penstock.unattended import installed

    if working := find_holder(root):
        stop(root, working, wait)
    else:
        click.echo("nothing is running")
    for starter in installed(root):
        click.echo(visible(starter.rest()))


def stop(root: Path, working: Holder, wait: float) -> None:
    """Ask the conductor to stop, wait until it has, and say what goes on without it."""
    from penstock.conductor.summary import cluster_lines
    from penstock.ledger import Ledger
    from penstock.record.asking import request

    request(root, "down", {})
    until = time.monotonic() + wait
    while (still := find_holder(root)) and still.pid == working.pid:
        if time.monotonic() >= until:
            raise Held(f"{still} was asked to stop but still runs after {wait:.0f} s: see `penstock status`")
        time.sleep(0.1)
    if left := runners_left(root, until):
        names = ", ".join(f"process {pid} (job {token})" for token, pid in left.items())
        raise LedgerError(
            f"{working} has stopped and left {names} running: see `penstock jobs`, or end what is left with `kill`"
        )
    click.echo(visible(f"down: {working} has stopped"))
    with Ledger.open(root, readonly=True) as ledger:
        for line in cluster_lines(ledger, command=working.command):
            click.echo(visible(line))


def runners_left(root: Path, until: float) -> dict[str, int]:
    """Return the runners of this machine, job and process, that are at work at `until`; none once all have ended."""
    from penstock.ledger import Ledger, jobs
    from penstock.site import processes

    with Ledger.open(root, readonly=True) as ledger:
        natives = {job["token"]: job["native"] for job in jobs.open_jobs(ledger.db) if job["feed"]}
    while left := {token: native for token, native in natives.items() if native and processes.alive(native)}:
        if time.monotonic() >= until:
            break
        time.sleep(0.1)
    return {token: processes.process_of(native).pid for token, native in left.items()}
