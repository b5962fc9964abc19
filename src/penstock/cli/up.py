"""`penstock up`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click

from penstock.cli.options import campaign_option, load_campaign, set_option
from penstock.display import clean_log
from penstock.errors import Held, LedgerError
from penstock.ledger import FOLDER, Ledger, make_private
from penstock.ledger.lease import Holder, holder

LOG = "conductor.log"
PATIENCE_S = 30.0


@click.command(
    epilog="""\b
Examples:
  penstock up
  penstock up --until-done        # end when all is done"""
)
@campaign_option
@set_option
@click.option("--until-done", is_flag=True, help="End when nothing can change by itself, as `run` does.")
def up(root: Path, overrides: tuple[str, ...], until_done: bool) -> None:
    """Start `watch` in the background; you can log out.

    Its log is .penstock/conductor.log. A second `up` does nothing; `penstock down` ends it.
    """
    load_campaign(root, overrides)
    if working := find_holder(root):
        if working.command != "up":
            raise Held(f"{root} is held by {working}: wait for it, or end it with `penstock down`")
        click.echo(f"up already: {working}")
        return
    make_private(root / FOLDER)
    log = root / FOLDER / LOG
    began = log.stat().st_size if log.exists() else 0
    child = start(root, log, ["--until-done"] * until_done + [f"--set={pair}" for pair in overrides])
    wait_until_held(root, child, log, began)
    click.echo(f"up: process {child.pid}; see `penstock status`, {log}; end it with `penstock down`")


def find_holder(root: Path) -> Holder | None:
    """Return the living conductor of the campaign in `root`, if there is one."""
    try:
        with Ledger.open(root, readonly=True) as ledger:
            found = holder(ledger.db)
    except LedgerError:  # nothing was run here yet
        return None
    return found if found and found.alive(time.time()) else None


def start(root: Path, log: Path, options: list[str]) -> subprocess.Popen[bytes]:
    """Start `watch` in a session of its own, so that it outlives the terminal."""
    command = [sys.executable, "-m", "penstock", "watch", "--detached", "-C", str(root), *options]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=root,
            start_new_session=True,
        )


def wait_until_held(root: Path, child: subprocess.Popen[bytes], log: Path, began: int) -> None:
    """Return when the child holds the campaign; if it ended first, tell what it said and end alike."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        working = find_holder(root)
        if working and working.pid == child.pid:
            return
        if child.poll() is not None:
            said = log.read_bytes()[began:]
            click.echo(clean_log(said).rstrip(), err=child.returncode != 0)
            sys.exit(child.returncode)
        time.sleep(0.05)
    raise LedgerError(f"process {child.pid} does not hold {root} after {PATIENCE_S:.0f} s: see {log}")
