"""What the command line loads: `penstock init tracking`, `penstock tracking …`, `penstock demo tracking`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from penstock.errors import DefinitionError
from penstock.workflows.setup.options import demo_options, folder_argument, given
from penstock.workflows.tracking.commands import group
from penstock.workflows.tracking.options import reading_options

__all__ = ["demo", "group", "init"]

LOADING = (
    "pixel_size",
    "frame_interval",
    "columns",
    "link",
    "max_gap",
    "side",
    "window",
    "kind",
    "resolution",
)
SHAPE = ("settle", "quiet", "scheduler")


@click.command("tracking")
@folder_argument
@click.option(
    "--data",
    required=True,
    metavar="PATTERN",
    help='The files of trajectories: a folder, a pattern such as "data/*.rpt.txt", or one with {source}. Other fields, as in'
    ' "{source}-{part}.xyt", name files that are one source together.',
)
@click.option("--sigma", type=float, required=True, help="The localisation error of a coordinate, in µm.")
@click.option("--exposure", type=float, help="For how long a frame is exposed, in s [0].")
@click.option(
    "--mode",
    type=click.Choice(["d", "dd", "df", "dv"]),
    default="dv",
    show_default=True,
    help="What is inferred: diffusivity; with drift, force or potential.",
)
@click.option(
    "--cells",
    "kind",
    type=click.Choice(["hexagons", "squares", "kmeans", "kdtree", "adaptive", "random"]),
    default="hexagons",
    show_default=True,
    help="How regions are divided.",
)
@click.option("--resolution", type=float, help="The width of a cell, in µm [about 80 steps a cell].")
@click.option("--diffusivity-prior", type=float, help="μ, which weighs Σ A |∇D|² [0].")
@click.option("--potential-prior", type=float, help="λ, which weighs Σ A |∇V|² [1].")
@click.option(
    "--origins",
    type=click.Choice(["seen", "corrected"]),
    help="Take steps to begin where they are seen to, or correct forces for errors of that [seen].",
)
@reading_options
@click.option("--window", type=float, help="s: divide regions in time, too.")
@click.option(
    "--regions",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="Regions are in X-LABEL.txt or X_LABEL.txt beside X.txt; several are possible [roi].",
)
@click.option("--whole", is_flag=True, help="Use no files of regions: map each file as a whole.")
@click.option("--settle", default="10s", show_default=True, help="A file is at rest after so long.")
@click.option(
    "--quiet",
    default="10min",
    show_default=True,
    help="`penstock up` makes the page when nothing came for so long.",
)
@click.option("--scheduler", metavar="NAME", help="Map on this cluster: slurm, lsf, … [on this machine].")
def init(
    folder: Path, data: str, columns: str | None, labels: tuple[str, ...], whole: bool, **options: Any
) -> None:
    """Set up a campaign in DIR: trajectories become maps of diffusivity and potential, region by region.

    Regions are those of a text file beside each file, `X.rpt-roi.txt` or `X.rpt_roi.txt` of `X.rpt.txt`.

    \b
    penstock init tracking wells --data "data/*.rpt.txt" --sigma 0.03 --diffusivity-prior 20
    """
    from penstock.workflows.tracking.definition import Shape
    from penstock.workflows.tracking.init import find_files, write_campaign
    from penstock.workflows.tracking.regions import LABEL

    if labels and whole:
        raise DefinitionError("--regions names files of regions and --whole uses none; give one of them")
    shape = {name: options.pop(name) for name in SHAPE}
    told = given(options)
    loading = {name: told.pop(name) for name in LOADING if name in told}
    loading |= {"columns": columns.split()} if columns else {}
    loading |= {"regions": [*labels]} if labels or whole else {}
    found = find_files(data, labels or (LABEL,))
    made = write_campaign(folder, found, Shape(loading, told, **shape))
    count = f"{len(found.paths):,} file{'' if len(found.paths) == 1 else 's'}"
    click.echo(
        f"{count} of {found.pattern}; wrote {made}; next: cd {shlex.quote(str(folder))} && penstock run"
    )


@click.command("tracking")
@demo_options("tracking")
def demo(folder: Path, scheduler: str | None) -> None:
    """Made-up particles in wells, in two files: from trajectories to maps, and a page of these beside the truth.

    It is made in DIR [demo-tracking].
    """
    from penstock.workflows.tracking.demo import run_demo

    run_demo(folder, click.echo, scheduler)
