"""`penstock up`."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import click

from penstock.cli.options import campaign_option, load_campaign, overwrite_option, set_option
from penstock.disk import make_private, private
from penstock.display import clean_log
from penstock.errors import Held, LedgerError
from penstock.ledger import FOLDER
from penstock.ledger.hosts import lease
from penstock.ledger.hosts.lease import Holder

LOG = "conductor.log"
PATIENCE_S = 30.0


@click.command(
    epilog="""\b
Examples:
  penstock up
  penstock up --until-done        # exit when all is done"""
)
@campaign_option
@set_option
@click.option("--until-done", is_flag=True, help="Exit when nothing more can change, as `run` does.")
@overwrite_option
def up(root: Path, overrides: tuple[str, ...], until_done: bool, overwrite: bool) -> None:
    """Start `watch` in the background; you can log out.

    Its log is .penstock/conductor.log. A second `up` does nothing; `penstock down` stops it.
    """
    load_campaign(root, overrides)
    if working := find_holder(root):
        if working.command != "up":
            raise Held(f"{root} is held by {working}: wait for it, or stop it with `penstock down`")
        click.echo(f"already up: {working}")
        return
    make_private(root / FOLDER)
    log = root / FOLDER / LOG
    began = log.stat().st_size if log.exists() else 0
    options = (
        ["--until-done"] * until_done + ["--overwrite"] * overwrite + [f"--set={pair}" for pair in overrides]
    )
    child, first_news = start(root, log, options)
    if not has_begun(child, first_news):
        click.echo(clean_log(log.read_bytes()[began:]).rstrip(), err=True)
        sys.exit(child.returncode)
    click.echo(f"up: process {child.pid}; see `penstock status`, {log}; stop it with `penstock down`")


def find_holder(root: Path) -> Holder | None:
    """Return the running conductor of the campaign in `root`, if there is one."""
    try:
        return lease.find_holder(root, time.time())
    except LedgerError:  # nothing was run here yet
        return None


def start(root: Path, log: Path, options: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start `watch` in a session of its own, so that it outlives the terminal.

    Returns it with the end of a pipe on which it reports that its first turn is done.
    """
    news, tell = os.pipe()
    command = [sys.executable, "-m", "penstock", "watch", f"--tell={tell}", "-C", str(root), *options]
    with open(log, "ab", opener=private) as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=root,
            start_new_session=True,
            pass_fds=[tell],
        )
    os.close(tell)
    return child, news


def has_begun(child: subprocess.Popen[bytes], news: int) -> bool:
    """Wait for the first turn, which may find millions of units; False when the child ended before."""
    readable, _, _ = select.select([news], [], [], PATIENCE_S)
    begun = not readable or os.read(news, 1) != b""
    os.close(news)
    if not begun:
        child.wait()
    return begun
