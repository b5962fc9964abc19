"""What the command line loads: `penstock init sweep`, `penstock sweep …`, `penstock demo sweep`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from penstock.workflows.setup.options import demo_options, folder_argument


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


@click.group("sweep")
def group() -> None:
    """Sweeps: which points they have, and adding them to the campaign."""


@group.command(
    epilog="""\b
Examples:
  penstock sweep new heat
  penstock sweep new              # asks for the folder"""
)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
def new(folder: Path | None) -> None:
    """Write the sweep of DIR by answering questions: which program, what varies, and how.

    It is kept after each answer, so that Ctrl-C loses nothing. A sweep that is there already is changed.
    """
    from penstock.workflows.sweep.menu import make_sweep

    make_sweep(folder)


@group.command()
@folder_argument
def plan(folder: Path) -> None:
    """Show what the sweep in DIR would run: how many points, the first and last; nothing is written."""
    from penstock.workflows.sweep.campaign import plan_changes
    from penstock.workflows.sweep.plan import describe_plan
    from penstock.workflows.sweep.points import say_changes

    planned = plan_changes(folder)
    for line in describe_plan(planned.plan):
        click.echo(line)
    click.echo(say_changes(planned.changes))


@group.command()
@folder_argument
def extend(folder: Path) -> None:
    """Add the points of the sweep in DIR to its campaign: points.csv grows, and each new point gets its inputs."""
    from penstock.workflows.sweep.campaign import lay_out
    from penstock.workflows.sweep.points import say_changes

    laid = lay_out(folder)
    click.echo(f"{say_changes(laid.changes)}; next: cd {shlex.quote(str(folder))} && penstock run")


@group.command("import")
@click.argument("template", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@folder_argument
@click.option(
    "--name", required=True, help="What the program is called: it becomes programs/NAME.toml in DIR."
)
@click.option(
    "--input", "given", required=True, metavar="INPUT", help="The input file that the program reads."
)
def import_program(template: Path, folder: Path, name: str, given: str) -> None:
    """Make a program in DIR of FILE, a template of Batch-Manager with eight columns.

    \b
    penstock sweep import netmc_template.csv melt --name netmc --input netmc.inpt
    """
    from penstock.workflows.sweep.legacy import import_template, write_program
    from penstock.workflows.sweep.program import FOLDER

    imported = import_template(template, name, input_name=given)
    click.echo(f"wrote {write_program(folder / FOLDER, name, imported, input_name=given)}")
    for note in imported.notes:
        click.echo(note)


@group.command("pack")
@folder_argument
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def pack_inputs(folder: Path, file: Path) -> None:
    """Pack the inputs of the sweep in DIR into FILE, a zip with a folder a point."""
    from penstock.workflows.sweep.archive import pack
    from penstock.workflows.sweep.campaign import read_campaign

    click.echo(f"packed {pack(folder, read_campaign(folder), file):,} points into {file}")


@group.command("unpack")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@folder_argument
def unpack_inputs(file: Path, folder: Path) -> None:
    """Unpack FILE, which may come from anybody, into DIR: all is checked before anything is written."""
    from penstock.workflows.sweep.archive import unpack

    click.echo(f"unpacked {unpack(file, folder):,} points into {folder}")


@click.command("sweep")
@demo_options("sweep")
def demo(folder: Path, scheduler: str | None) -> None:
    """An Ising model in C through its transition: energy and magnetisation over temperature, with errors.

    It is built with cc in DIR [demo-sweep].
    """
    from penstock.workflows.sweep.demo import run_demo

    run_demo(folder, click.echo, scheduler)
