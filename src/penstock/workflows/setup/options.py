"""Options that several commands of a workflow share."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def bundle(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Make one decorator of several options, in the order in which help shows them.

    >>> placed = bundle(click.option("--lat", type=float), click.option("--lon", type=float))
    """

    def decorate(command: F) -> F:
        return reduce(lambda made, option: option(made), reversed(options), command)

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a person gave: all but those that are None."""
    return {name: value for name, value in options.items() if value is not None}


class NumberOrWord(click.ParamType[float | str]):
    """A number where the text is one, else the text: `--bin 10`, `--bin day`."""

    name = "number or word"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Read it."""
        try:
            return float(value)
        except ValueError:
            return str(value)


def folder_argument(command: F) -> F:
    """Add DIR, where a campaign is made: the command gets `folder`."""
    return click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))(command)


def demo_options(name: str) -> Callable[[F], F]:
    """Add what each demonstration takes: a folder (`demo-NAME` if none is named) and --scheduler."""
    where = f"demo-{name}"
    return bundle(
        click.argument("folder", metavar="[DIR]", default=where, type=click.Path(path_type=Path)),
        click.option(
            "--scheduler",
            metavar="NAME",
            help="Submit its jobs to this scheduler [default: run them on this machine].",
        ),
    )
