"""`penstock up`."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli.background import LOG
from penstock.cli.options import campaign_option, load_campaign, overwrite_option, set_option
from penstock.disk import make_private, private
from penstock.display import clean_log, visible
from penstock.errors import DefinitionError, Held, LedgerError
from penstock.ledger import FOLDER
from penstock.ledger.hosts import lease
from penstock.ledger.hosts.lease import Holder

if TYPE_CHECKING:
    from penstock.campaign import Campaign

PATIENCE_S = 30.0


@click.command(
    epilog="""\b
Examples:
  penstock up
  penstock up --until-done        # exit when all is done
  penstock up --install           # also after a reboot
  penstock up --install=cron --dry-run
  penstock up --uninstall"""
)
@campaign_option
@set_option
@click.option("--until-done", is_flag=True, help="Exit when nothing more can change, as `run` does.")
@overwrite_option
@click.option(
    "--install", type=click.Choice(["auto", "systemd", "cron"]), is_flag=False, flag_value="auto",
    help="Have it started by itself from now on, by systemd or cron [default: systemd, where it works for users].",
)  # fmt: skip
@click.option("--uninstall", is_flag=True, help="Have it started by itself no longer.")
@click.option("-n", "--dry-run", is_flag=True, help="With --install: print the unit or line only.")
def up(
    root: Path,
    overrides: tuple[str, ...],
    until_done: bool,
    overwrite: bool,
    install: str | None,
    uninstall: bool,
    dry_run: bool,
) -> None:
    """Start `watch` in the background; you can log out.

    Its log is .penstock/conductor.log. A second `up` does nothing; `penstock down` stops it. With --install it also
    starts after a reboot, and what would keep it from that is said at once.
    """
    once = ["--until-done"] * until_done + ["--overwrite"] * overwrite
    settings = [f"--set={pair}" for pair in overrides]
    if uninstall:
        remove(root)
        return
    campaign = load_campaign(root, overrides)
    if install or dry_run:
        if once:
            raise DefinitionError(f"{once[0]} is for one time: leave it out, or --install")
        add(campaign, install or "auto", settings, dry_run=dry_run)
        return
    if working := find_holder(root):
        if working.command != "up":
            raise Held(f"{root} is held by {working}: wait for it, or stop it with `penstock down`")
        click.echo(f"already up: {working}")
        return
    begin(root, [*once, *settings])


def add(campaign: Campaign, name: str, settings: Sequence[str], *, dry_run: bool) -> None:
    """Have the conductor started by itself, and say what would keep it from that."""
    from penstock.cli.down import stop
    from penstock.conductor.completeness import refuse_endless
    from penstock.unattended import Program, choose, installed
    from penstock.unattended.logins import login_warnings

    refuse_endless(campaign)
    program = Program(campaign.root, settings)
    program.check()
    starter = choose(name)(program)
    if dry_run:
        click.echo(starter.draft().rstrip())
    else:
        for other in installed(campaign.root):
            if type(other) is not type(starter):
                click.echo(visible(other.remove()))
        if (working := find_holder(campaign.root)) and working.command == "up":
            stop(campaign.root, working, PATIENCE_S)
        click.echo(visible(starter.install()))
        click.echo("`penstock up --uninstall` removes it; `penstock status` shows how it goes")
    used = {campaign.site_of(stage).name: campaign.site_of(stage) for stage in campaign.stages}
    for warning in (*starter.warnings(), *login_warnings(used.values())):
        click.echo(visible(f"! {warning}"), err=dry_run)


def remove(root: Path) -> None:
    """Have the conductor started by itself no longer."""
    from penstock.unattended import installed

    found = [*installed(root)]
    for starter in found:
        click.echo(visible(starter.remove()))
    if not found:
        click.echo("nothing starts it by itself")


def find_holder(root: Path) -> Holder | None:
    """Return the running conductor of the campaign in `root`, if there is one."""
    try:
        return lease.find_holder(root, time.time())
    except LedgerError:  # nothing was run here yet
        return None


def begin(root: Path, options: list[str]) -> None:
    """Start the conductor, or have it started by what was installed for that."""
    from penstock.unattended import installed

    for starter in installed(root):
        if told := starter.start():
            click.echo(visible(f"up: {told}; stop it with `penstock down`"))
            return
    make_private(root / FOLDER)
    log = root / FOLDER / LOG
    began = log.stat().st_size if log.exists() else 0
    child, first_news = start(root, log, options)
    if not has_begun(child, first_news):
        click.echo(clean_log(log.read_bytes()[began:]).rstrip(), err=True)
        sys.exit(child.returncode)
    click.echo(f"up: process {child.pid}; see `penstock status`, {log}; stop it with `penstock down`")


def start(root: Path, log: Path, options: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start `watch` in a session of its own, so that it outlives the terminal.

    Returns it with the end of a pipe on which it reports that its first turn is done.
    """
    news, tell = os.pipe()
    words = ["watch", "--background", f"--tell={tell}", "-C", str(root), *options]
    with open(log, "ab", opener=private) as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "penstock", *words],
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
