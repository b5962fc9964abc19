"""`penstock sweep …`: the commands that take sweeps and programs from one folder or file to another, and delete them."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from penstock.workflows.setup.options import folder_argument


@click.command(
    epilog="""\b
Examples:
  penstock sweep copy heat heat-again"""
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("copied", metavar="NEW", type=click.Path(file_okay=False, path_type=Path))
def copy(folder: Path, copied: Path) -> None:
    """Copy the sweep in DIR to NEW, with what it needs, to run it afresh: with results of its own."""
    from penstock.workflows.sweep.belongings import copy_sweep

    copy_sweep(folder, copied)
    click.echo(f"copied to {copied}; next: penstock sweep submit {shlex.quote(str(copied))}")


@click.command(
    epilog="""\b
Examples:
  penstock sweep delete heat
  penstock sweep delete heat --yes"""
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(folder: Path, yes: bool) -> None:
    """Delete the sweep in DIR: its inputs, results and record. What people put there stays: programs, other files."""
    from penstock.workflows.sweep.deletion import delete as delete_sweep
    from penstock.workflows.sweep.deletion import plan_deletion
    from penstock.workflows.sweep.listing import list_sweep

    deletion = plan_deletion(folder)
    listed = list_sweep(folder)
    click.echo(
        f"{listed.points:,} points, {listed.done:,} of them done; deletes {', '.join(p.name for p in deletion.gone)}"
    )
    if deletion.stays:
        click.echo(f"stays: {', '.join(path.name for path in deletion.stays)}")
    if not yes:
        click.confirm(f"Delete the sweep in {folder}", abort=True)
    delete_sweep(deletion)
    click.echo(f"deleted the sweep in {folder}")


@click.command("import")
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


@click.command("pack")
@folder_argument
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def pack_inputs(folder: Path, file: Path) -> None:
    """Pack the inputs of the sweep in DIR into FILE, a zip with a folder a point."""
    from penstock.workflows.sweep.archive import pack
    from penstock.workflows.sweep.campaign import read_campaign

    click.echo(f"packed {pack(folder, read_campaign(folder), file):,} points into {file}")


@click.command("unpack")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@folder_argument
def unpack_inputs(file: Path, folder: Path) -> None:
    """Unpack FILE, which may come from anybody, into DIR: all is checked before anything is written."""
    from penstock.workflows.sweep.archive import unpack

    click.echo(f"unpacked {unpack(file, folder):,} points into {folder}")


COMMANDS = (copy, delete, import_program, pack_inputs, unpack_inputs)
