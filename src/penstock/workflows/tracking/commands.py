"""`penstock tracking …`: what files hold, what came of their regions, pictures of it, and trajectories that are made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from penstock.errors import DefinitionError
from penstock.workflows.setup.campaign import campaign_option, say
from penstock.workflows.setup.options import given, json_option
from penstock.workflows.tracking.options import reading_options

file_type = click.Path(exists=True, dir_okay=False, path_type=Path)


class Spot(click.ParamType[tuple[float, ...]]):
    """Numbers with commas between them."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.name = ",".join(names)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Read them."""
        try:
            numbers = tuple(map(float, str(value).split(",")))
        except ValueError:
            numbers = ()
        if len(numbers) != len(self.names):
            self.fail(f"{value!r} is not {len(self.names)} numbers: {self.name}", param, ctx)
        return numbers


@click.group("tracking")
def group() -> None:
    """Trajectories of single particles: what files hold, and what their maps say."""


@group.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=file_type)
@reading_options
@json_option
def look(files: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Say what each FILE… holds, as a campaign would read it: steps, their time, regions, and what is odd.

    \b
    penstock tracking look data/*.rpt.txt
    penstock tracking look spots.csv --pixel-size 0.16 --frame-interval 0.015
    """
    from penstock.workflows.tracking.listing import describe
    from penstock.workflows.tracking.settings import read_loading

    loading, _ = read_loading(given(options))
    with _said():
        found = [describe(path, loading) for path in files]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for each in found:
        click.echo(
            f"{each['file']}: {each['trajectories']:,} trajectories, {each['points']:,} points, {each['steps']:,} steps"
            f" in {each['dimensions']}-D, {each['dt_s']:g} s and {each['mean_step_um']:.3g} µm on average"
            if each["steps"]
            else f"{each['file']}: {each['points']:,} points, no steps"
        )
        for name, steps in each["regions"].items():
            click.echo(f"  {name}: {each['faults'].get(name) or f'{steps:,} steps'}")
        for text in each["told"]:
            say(f"warning: {text}")


@group.command()
@campaign_option("tracking")
@click.option("--failed", is_flag=True, help="Only regions without maps.")
@json_option
def maps(folder: Path, failed: bool, as_json: bool) -> None:
    """List the regions of a campaign: how many steps and cells, D and the depth of V, and why one has no maps.

    \b
    penstock tracking maps
    penstock tracking maps --failed --json
    """
    from penstock import record
    from penstock.workflows.tracking.listing import COLUMNS, align, list_regions, table_of

    with record.open(folder) as opened:
        rows = [row for row in list_regions(opened) if not failed or row["state"] != "done"]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif rows:
        for line in align(COLUMNS, table_of(rows)):
            click.echo(line)
    else:
        say("no region failed" if failed else "no region yet")


@group.command()
@click.argument("product", metavar="FILE", type=file_type)
@click.argument("region", metavar="[REGION]", required=False)
@click.option(
    "--what",
    metavar="NAME",
    help="diffusivity, potential, force, drift or cells [all, in one picture].",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="PICTURE", help="A PNG or PDF file [FILE-REGION.png]."
)  # fmt: skip
@json_option
def plot(product: Path, region: str | None, what: str | None, out: Path | None, as_json: bool) -> None:
    """Draw maps of FILE, a `.maps.h5` or that of one REGION [the first], as a picture.

    \b
    penstock tracking plot maps/cell.maps.h5 roi002
    penstock tracking plot maps/cell.maps.h5 roi002 --what force --out force.pdf
    """
    from penstock.workflows.reports.figure import write_figure
    from penstock.workflows.tracking.mapped import load
    from penstock.workflows.tracking.panels import write_region_picture

    with _said():
        regions = load(product)
    if not regions:
        raise DefinitionError(f"{product} has no region with maps")
    name = region or next(iter(regions))
    if name not in regions:
        raise DefinitionError(f"{product} has no region {name}; it has {', '.join(regions)}")
    place = out or Path(f"{product.name.removesuffix('.h5').removesuffix('.maps')}-{name}.png")
    if what:
        write_figure((6.0, 5.0), place, lambda _, axes: regions[name].plot(what, axes))
    else:
        write_region_picture(place, regions[name], name)
    click.echo(json.dumps({"picture": str(place), "region": name}) if as_json else f"wrote {place}")


@group.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--trajectories", type=click.IntRange(1), default=500, show_default=True, help="How many.")
@click.option("--length", type=click.IntRange(2), default=20, show_default=True, help="Points of each.")
@click.option("--dt", type=float, default=0.015, show_default=True, help="s, from frame to frame.")
@click.option("--sigma", type=float, default=0.02, show_default=True, help="µm, the localisation error.")
@click.option("--exposure", type=float, default=0.0, show_default=True, help="s, of each frame.")
@click.option("--diffusivity", type=float, default=0.1, show_default=True, help="µm²/s.")
@click.option("--patch", "patches", multiple=True, type=Spot("X", "Y", "WIDTH", "CHANGE"),
              help="Around X, Y D differs by CHANGE µm²/s; several are possible.")  # fmt: skip
@click.option("--well", "wells", multiple=True, type=Spot("X", "Y", "WIDTH", "DEPTH"),
              help="A Gaussian well, of µm and kT; several are possible.")  # fmt: skip
@click.option("--box", type=Spot("XMIN", "XMAX", "YMIN", "YMAX"), default="0,2,0,2", show_default=True,
              help="µm, the walls.")  # fmt: skip
@click.option("--roi", "rois", multiple=True, type=Spot("XMIN", "XMAX", "YMIN", "YMAX"),
              help="A region of interest, in µm; several are possible [the whole].")  # fmt: skip
@click.option("--convention", type=click.Choice(["ito", "isothermal"]), default="ito", show_default=True,
              help="Whether particles are pushed by gradients of D.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Another number makes others.")
@json_option
def simulate(file: Path, trajectories: int, length: int, seed: int, as_json: bool, **world: Any) -> None:
    """Make trajectories up: FILE (`n x y t`, in µm and s), its regions, and the truth, with which maps are compared.

    \b
    penstock tracking simulate data/cell.rpt.txt --well 1,1,0.3,2 --patch 0.5,1.5,0.3,-0.05
    penstock init tracking wells --data "data/*.rpt.txt" --sigma 0.02
    """
    from penstock.workflows.tracking.regions import boxes
    from penstock.workflows.tracking.truth import Truth, truth_beside, write_file

    x_min, x_max, y_min, y_max = world.pop("box")
    regions = boxes(world.pop("rois"))
    truth = Truth(box=((x_min, y_min), (x_max, y_max)), **world)
    made = write_file(file, truth, trajectories, length=length, seed=seed, regions=regions)
    if as_json:
        told = {
            "file": str(file),
            "points": len(made),
            "regions": len(regions),
            "truth": str(truth_beside(file)),
        }
        click.echo(json.dumps(told))
        return
    click.echo(
        f"wrote {file}: {trajectories:,} trajectories, {len(made):,} points; truth: {truth_beside(file)}"
    )


@contextmanager
def _said() -> Iterator[None]:
    """Tell what cannot be read in a sentence."""
    from penstock.workflows.tracking.faults import Unreadable

    try:
        yield
    except Unreadable as error:
        raise DefinitionError(str(error)) from None
