"""The campaign that a command of a workflow is about, and what else it needs to say and do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from penstock.errors import DefinitionError
from penstock.workflows.setup.definition import FILE

F = TypeVar("F", bound=Callable[..., Any])


def find_campaign(ctx: click.Context, workflow: str, given: Path | None = None) -> Path:
    """Return the campaign that -C names, here or before the command; else the nearest one from here upwards."""
    if named := given or ctx.find_root().obj:
        return Path(named)
    here = Path.cwd()
    found = (folder for folder in (here, *here.parents) if (folder / FILE).exists())
    if (folder := next(found, None)) is None:
        raise DefinitionError(
            f"no campaign in {here} or above it: create one with `penstock init {workflow}`"
        )
    return folder


def campaign_option(workflow: str) -> Callable[[F], F]:
    """Add -C: the command gets `folder`."""

    def find(ctx: click.Context, _: object, given: Path | None) -> Path:
        return find_campaign(ctx, workflow, given)

    return click.option(
        "-C",
        "--campaign",
        "folder",
        metavar="DIR",
        callback=find,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The campaign's folder [default: here, or the nearest one above].",
    )


def run_penstock(folder: Path, *words: str) -> int:
    """Run a command of penstock in a campaign; return its exit code."""
    return subprocess.run([sys.executable, "-m", "penstock", *words], cwd=folder, check=False).returncode


def say(text: str) -> None:
    """Print a sentence that is no part of a list."""
    click.echo(text, err=True)
