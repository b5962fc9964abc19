"""What the command line loads: `penstock init telescope`, `penstock telescope …`, `penstock demo telescope`."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from penstock.errors import DefinitionError
from penstock.workflows.setup.options import demo_options, folder_argument
from penstock.workflows.telescope.commands import group

__all__ = ["demo", "group", "init"]

DATE = click.DateTime(["%Y-%m-%d", "%Y%m%d"])


@click.command("telescope")
@folder_argument
@click.option(
    "--profile",
    type=click.Choice(["toy", "lstchain"]),
    default="toy",
    show_default=True,
    help="The programs: a small chain of penstock's own, or lstchain's.",
)
@click.option(
    "--telescope", default="LST1", show_default=True, metavar="NAME", help="Which one; a campaign each."
)
@click.option(
    "--data",
    default="",
    metavar="FOLDER",
    help="Where the profile's folders of tables and raw files are [DIR].",
)
@click.option(
    "--since", type=DATE, metavar="DATE", help="The first night; those before it are not processed."
)
@click.option(
    "--night", "nights", type=DATE, multiple=True, metavar="DATE",
    help="Only this night, or these: they are listed in DIR/nights.txt [each one that has a run summary].",
)  # fmt: skip
@click.option("--cleaning", default="standard=cleaning.json", show_default=True, metavar="NAME=PATH",
              help="The cleaning of runs for which no other rule is written.")  # fmt: skip
@click.option("--model", default="standard=model.h5", show_default=True, metavar="NAME=PATH",
              help="The model of runs for which no other rule is written.")  # fmt: skip
@click.option("--no-calib", is_flag=True, help="Use calibration products that are there already.")
@click.option("--no-dl1ab", is_flag=True, help="Make DL1a only.")
@click.option("--no-dl2", is_flag=True, help="Make no DL2.")
@click.option(
    "--no-gainsel", is_flag=True, help="Do not wait for the file that says that gains are selected."
)
@click.option(
    "--no-pedestal-ids", is_flag=True, help="There are no files of pedestal events found beforehand."
)
@click.option(
    "--dl2",
    "dl2_each",
    type=click.Choice(["run", "subrun"]),
    help="Make DL2 of runs, or of subruns [as the profile].",
)
@click.option(
    "--deadline",
    metavar="CLOCK",
    help='Tell who is told when a night is not closed by then: "18:00 next day" (UTC).',
)
@click.option("--mail", multiple=True, metavar="ADDRESS", help="Who is told; several are possible.")
@click.option("--server", default="localhost", show_default=True, help="The mail server.")
@click.option(
    "--final", metavar="FOLDER", help="Take the last products of runs and nights there when these are closed."
)
@click.option(
    "--web", metavar="[HOST:]FOLDER", help="Show data checks and calibrations in this folder of a web server."
)
@click.option("--scheduler", metavar="NAME", help="Process on this cluster: slurm, lsf, … [on this machine].")
@click.option("--jobs", type=click.IntRange(1), help="At most so many subruns are queued and running.")
def init(
    folder: Path, since: datetime | None, nights: tuple[datetime, ...], data: str, cleaning: str, model: str, **options: Any
) -> None:  # fmt: skip
    """Set up a campaign in DIR: every night is planned, processed and closed.

    \b
    penstock init telescope lst1 --profile lstchain --data /fefs/real --since 2026-11-01
    """
    from penstock.workflows.telescope.definition import Shape
    from penstock.workflows.telescope.init import write_campaign

    made = write_campaign(
        folder,
        Shape(**chosen(options)),
        data=data,
        since=since.date() if since else None,
        nights=tuple(day.date() for day in nights),
        cleaning=named(cleaning, "--cleaning"),
        model=named(model, "--model"),
    )
    click.echo(
        f"wrote {made}; next: look at telescope.toml, then cd {shlex.quote(str(folder))} && penstock telescope plan"
    )


def chosen(options: dict[str, Any]) -> dict[str, Any]:
    """Turn options that leave something out into what there is."""
    switches = {"no_calib": "calibration", "no_dl1ab": "dl1ab", "no_dl2": "dl2", "no_gainsel": "gain_selection",
                "no_pedestal_ids": "pedestal_ids"}  # fmt: skip
    return {
        switches.get(name, name): not value if name in switches else value for name, value in options.items()
    }


def named(text: str, option: str) -> tuple[str, str]:
    """Read NAME=PATH. Raises DefinitionError."""
    name, _, path = text.partition("=")
    if not name or not path or "/" in name:
        raise DefinitionError(f"{option} is {text!r}; write NAME=PATH, such as standard=cleaning.json")
    return name, path


@click.command("telescope")
@demo_options("telescope")
def demo(folder: Path, scheduler: str | None) -> None:
    """A small night of made-up events: from raw data to its seal, with a page of its data check.

    It is made in DIR [demo-telescope].
    """
    from penstock.workflows.telescope.demo import run_demo

    run_demo(folder, click.echo, scheduler)
