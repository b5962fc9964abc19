"""`penstock detector …`: what is made of results on request, and taken out of the calibration store."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock.errors import DefinitionError
from penstock.workflows.detector.options import (
    chosen,
    folder_option,
    opened,
    process_option,
    submit_option,
)
from penstock.workflows.setup.campaign import say
from penstock.workflows.setup.definition import FILE

if TYPE_CHECKING:
    from penstock.workflows.detector.deploying import Place


@click.command()
@click.argument("experiment")
@click.argument("target", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@process_option
@folder_option
def trend(experiment: str, target: Path, process: str | None, folder: Path) -> None:
    """Show how pixels went from run to run.

    A page of EXPERIMENT, its picture and a table go to FOLDER. The stage `trend` does that when all runs are
    done; this takes those that are, now.
    """
    from penstock.workflows.detector.trend import read_trend, write_trend

    with opened(folder) as found:
        name, runs = chosen(found, process, (experiment,))
        groups = {run.unit.rpartition("/")[0] for run in runs}
        made = [one.path for group in groups for one in found.products(name, group) if one.name == "status"]
    target.mkdir(parents=True, exist_ok=True)
    page, picture, table = (target / f"{experiment}.{end}" for end in ("html", "png", "csv"))
    write_trend(page, read_trend(made), f"Pixels of {experiment}, run by run", picture=picture, table=table)
    click.echo(f"see {page}")


@click.command()
@click.argument("experiment")
@click.argument("run", type=int)
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--form",
    type=click.Choice(["nexus", "pyfai", "psana"]),
    default="nexus",
    show_default=True,
    help="HDF5 with NeXus' pixel_mask (bits say why); .npy for pyFAI, 1 is bad; text for psana, 0 is bad.",
)
@process_option
@folder_option
def mask(experiment: str, run: int, output: Path, form: str, process: str | None, folder: Path) -> None:
    """Write a mask for another program.

    That of a RUN of EXPERIMENT goes to OUTPUT.
    """
    from penstock.workflows.detector.masks import export_mask

    with opened(folder) as found:
        name, runs = chosen(found, process, (experiment,))
        units = [each.unit for each in runs if each.number == run]
        paths = [made.path for unit in units for made in found.products(name, unit) if made.name == "status"]
    if not paths:
        raise DefinitionError(
            f"{name} has made nothing of run {run} of {experiment}; `penstock why` explains"
        )
    export_mask(paths[0], output, form)


@click.command()
@click.argument("experiment")
@click.argument("run", type=int)
@folder_option
@submit_option
def undeploy(experiment: str, run: int, folder: Path, submit: bool) -> None:
    """Take a map out of the calibration store.

    The one before that of this RUN of EXPERIMENT is in force again.
    """
    from penstock.workflows.detector.deploying import in_force
    from penstock.workflows.detector.deploying import undeploy as take_out
    from penstock.workflows.detector.faults import Refused

    place = place_of_maps(folder, experiment)
    if not submit:
        say(f"would take {place.folder / f'{run}-end.data'} out of force; --submit does it")
        return
    try:
        now = take_out(place, run)
    except Refused as refused:
        raise DefinitionError(str(refused)) from None
    click.echo(f"{now or in_force(place, run) or 'no map'} is in force for run {run}")


def place_of_maps(folder: Path, experiment: str) -> Place:
    """Give where the maps of an experiment go, as the stage `deploy` says. Raises DefinitionError."""
    from penstock.workflows.detector.deploying import place_of
    from penstock.workflows.detector.experiments import instrument_of

    with (folder / FILE).open("rb") as file:
        given = tomllib.load(file).get("stage", {}).get("deploy", {}).get("params")
    if not given:
        raise DefinitionError(f"{folder / FILE} has no stage `deploy`, so no map of it is in force")
    calib = os.path.join(folder, given["calib"])
    return place_of(
        {**given, "calib": calib}, {"instrument": instrument_of(experiment), "experiment": experiment}
    )


COMMANDS = (trend, mask, undeploy)
