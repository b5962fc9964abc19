"""What a person does with sweeps at a terminal: make one, and what comes after that."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.workflows.setup.definition import FILE as DEFINITION
from penstock.workflows.sweep.campaign import begin_campaign, lay_out
from penstock.workflows.sweep.dialogue import write_sweep
from penstock.workflows.sweep.points import say_changes
from penstock.workflows.sweep.prompt import Left, ask, confirm
from penstock.workflows.sweep.submitting import run_penstock
from penstock.workflows.sweep.sweep import FILE, read_sweep

IN_BACKGROUND = ("up", "--until-done")


def make_sweep(folder: Path | None) -> None:
    """Let a person write a sweep, lay it out, and run it, as far as they want to. Raises DefinitionError."""
    try:
        where = folder or ask("Folder of the sweep", read_folder)
        if write_sweep(where):
            offer_run(where)
    except Left:
        return


def read_folder(text: str) -> Path:
    """Read the name of a folder. Raises ValueError."""
    if not text or Path(text).is_file():
        raise ValueError(f"{text} is a file; name a folder" if text else "name a folder")
    return Path(text)


def offer_run(folder: Path) -> None:
    """Offer to write the inputs of a sweep, and then to run it. Raises Left, DefinitionError."""
    if not confirm("Write the inputs of its points"):
        return
    if not (folder / DEFINITION).exists():
        begin_campaign(folder, Path(read_sweep(folder / FILE).program.file).stem)
    click.echo(say_changes(lay_out(folder).changes))
    if confirm("Run them now, in the background", default=False):
        run_penstock(folder, IN_BACKGROUND)
