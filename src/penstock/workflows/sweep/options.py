"""Options that the commands of sweeps share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from penstock.errors import DefinitionError

F = TypeVar("F", bound=Callable[..., Any])


def find_sweep(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that has a sweep. Raises DefinitionError."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if any((folder / name).exists() for name in ("sweep.toml", "points.csv")):
            return folder
    raise DefinitionError(
        f"no sweep in {here} or above it: write one with `penstock sweep new`, or name its folder"
    )


def _given_or_here(_: click.Context, __: click.Parameter, value: Path | None) -> Path:
    return value or find_sweep(Path.cwd())


def sweep_argument(command: F) -> F:
    """Add [DIR], the folder of a sweep: the command gets `folder`."""
    return click.argument(
        "folder",
        metavar="[DIR]",
        required=False,
        callback=_given_or_here,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
    )(command)


def sweep_option(command: F) -> F:
    """Add -C, for commands that are given something else: the command gets `folder`."""
    return click.option(
        "-C",
        "--campaign",
        "folder",
        metavar="DIR",
        callback=_given_or_here,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The folder of the sweep [default: here, or the nearest one above].",
    )(command)


def complete_column(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the variables and results of the sweep that begin as typed."""
    from penstock.workflows.sweep.columns import read_columns

    try:
        columns = read_columns(ctx.params.get("folder") or find_sweep(Path.cwd()))
    except (DefinitionError, OSError, ValueError):  # nothing to offer is an answer too
        return []
    names = (*columns.variables, *columns.results)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
