"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from penstock.cli.complete import complete_site, complete_stage, complete_unit
from penstock.display import visible
from penstock.errors import DefinitionError

if TYPE_CHECKING:
    from penstock.campaign import Campaign
    from penstock.ledger import Ledger

F = TypeVar("F", bound=Callable[..., Any])

PLACE = "penstock.place"  # in a context: where the notebook is that a command names
MARKS = ("penstock.toml", "campaign.py", ".penstock")


class DurationType(click.ParamType[float]):
    """A time such as 90s, 10min, 1h or 1d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from penstock.config.amounts import seconds

        try:
            return seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def find_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that is a campaign.

    Raises DefinitionError when there is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if any((folder / mark).exists() for mark in MARKS):
            return folder
    raise DefinitionError(
        f"no campaign in {here} or above it: create one with `penstock init`, or name one with -C DIR"
    )


def resolve_root(ctx: click.Context, _: click.Parameter, value: str | None) -> Path:
    if value is None and PLACE in ctx.meta:
        return ctx.meta[PLACE]
    given = value or ctx.find_root().obj
    if given is None:
        return find_root(_here())
    folder = Path(given)
    if not folder.exists():
        raise DefinitionError(
            f"there is no folder {folder.absolute()}: correct what -C names, or start a campaign there with `penstock init`"
        )
    if not folder.is_dir():
        return folder.resolve().parent
    return find_root(folder)


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise DefinitionError(
            "the folder that this command was started in is gone: `cd` to the campaign, or name it with -C DIR"
        ) from None


def campaign_option(command: F) -> F:
    """Add -C: the command gets `root`, the campaign's folder."""
    return click.option(
        "-C",
        "--campaign",
        "root",
        metavar="DIR",
        callback=resolve_root,
        help="The campaign's folder [default: here, or the nearest one above].",
    )(command)


def json_option(command: F) -> F:
    """Add --json: the command gets `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def set_option(command: F) -> F:
    """Add --set and --site: the command gets `overrides`."""

    @wraps(command)
    def overridden(*arguments: Any, overrides: tuple[str, ...], site: str | None, **others: Any) -> Any:
        named = (f"campaign.site={json.dumps(site)}",) if site else ()
        return command(*arguments, overrides=(*overrides, *named), **others)

    options = [
        click.option(
            "--set",
            "overrides",
            metavar="KEY=VALUE",
            multiple=True,
            help="Override a key of the definition, e.g. stage.psd.params.window=2048; recorded.",
        ),
        click.option(
            "--site",
            metavar="NAME",
            shell_complete=complete_site,
            help="The site of stages that name none.",
        ),
    ]
    return reduce(lambda made, option: option(made), options, cast(F, overridden))


def overwrite_option(command: F) -> F:
    """Add --overwrite: the command gets `overwrite`."""
    return click.option(
        "--overwrite",
        is_flag=True,
        help="Let products replace files that penstock did not make, but never an input; not recorded.",
    )(command)


def stage_option(command: F) -> F:
    """Add --stage: the command gets `stage`."""
    return click.option(
        "--stage", metavar="STAGE", shell_complete=complete_stage, help="Only this stage's tasks."
    )(command)


def unit_argument(command: F) -> F:
    """Add UNIT: the command gets `unit`."""
    return click.argument("unit", metavar="UNIT", shell_complete=complete_unit)(command)


def load_campaign(root: Path, overrides: tuple[str, ...]) -> Campaign:
    """Load the definition in `root` and check it."""
    from penstock.config import check, load
    from penstock.ledger.stored import last_copy

    campaign = load(root, overrides, known=last_copy(root))
    for warning in check(campaign):
        click.echo(f"penstock: {visible(warning)}", err=True)
    return campaign


@contextmanager
def open_record(root: Path) -> Generator[Ledger]:
    """Open the ledger for reading; on stderr it is said when what is read is a copy that may lag behind."""
    from penstock.ledger import Ledger

    with Ledger.open(root, readonly=True) as ledger:
        if ledger.note:
            click.echo(f"penstock: {visible(ledger.note)}", err=True)
        yield ledger


def print_json(data: Any) -> None:
    """Print `data` so that every line is safe for a terminal."""
    click.echo(json.dumps(data, indent=2))
