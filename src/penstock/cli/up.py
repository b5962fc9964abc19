"""`penstock up`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.cli.options import campaign_option, load_campaign, overwrite_option, set_option
from penstock.display import clean_log, visible
from penstock.errors import DefinitionError, Held
from penstock.unattended.detached import PATIENCE_S, find_holder, start

if TYPE_CHECKING:
    from penstock.campaign import Campaign


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


def begin(root: Path, options: list[str]) -> None:
    """Start the conductor, or have it started by what was installed for that."""
    from penstock.unattended import installed

    for starter in installed(root):
        if told := starter.start():
            click.echo(visible(f"up: {told}; stop it with `penstock down`"))
            return
    started = start(root, "watch", options)
    if not started.has_begun():
        click.echo(clean_log(started.said()).rstrip(), err=True)
        sys.exit(started.process.returncode)
    child = started.process.pid
    click.echo(f"up: process {child}; see `penstock status`, {started.log}; stop it with `penstock down`")
