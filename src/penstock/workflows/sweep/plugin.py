"""What the command line loads: `penstock init sweep`, `penstock sweep …`, `penstock demo sweep`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from penstock.workflows.setup.options import demo_options, folder_argument
from penstock.workflows.sweep.commands import group
from penstock.workflows.sweep.filing import COMMANDS

__all__ = ["demo", "group", "init"]

for command in COMMANDS:
    group.add_command(command)


@click.command("sweep")
@folder_argument
@click.option(
    "--program", required=True, metavar="NAME", help="programs/NAME.toml in DIR, or a ready-made one."
)
@click.option("--executable", metavar="PATH", help="Another executable than the program's file names.")
def init(folder: Path, program: str, executable: str | None) -> None:
    """Set up a campaign in DIR that runs a program for every point of a sweep.

    \b
    penstock init sweep melt --program netmc
    """
    from penstock.workflows.sweep.campaign import begin_campaign
    from penstock.workflows.sweep.sweep import FILE

    definition = begin_campaign(folder, program, executable=executable)
    quoted = shlex.quote(str(folder))
    click.echo(f"wrote {definition}; next: edit {folder / FILE}, then penstock sweep extend {quoted}")


@click.command("sweep")
@demo_options("sweep")
def demo(folder: Path, scheduler: str | None) -> None:
    """An Ising model in C through its transition: energy and magnetisation over temperature and size.

    It is built with cc in DIR [demo-sweep].
    """
    from penstock.workflows.sweep.demo import run_demo

    run_demo(folder, click.echo, scheduler)
