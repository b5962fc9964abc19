"""What the command line loads: `penstock init detector`, `penstock detector …`, `penstock demo detector`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.errors import DefinitionError
from penstock.workflows.detector.commands import group
from penstock.workflows.setup.options import demo_options, folder_argument

if TYPE_CHECKING:
    from penstock.workflows.detector.init import Store

__all__ = ["demo", "group", "init"]


@click.command("detector")
@folder_argument
@click.option(
    "--data",
    required=True,
    metavar="PATTERN",
    help="The files of the runs: a pattern with {experiment} and {run:04d}, perhaps {instrument}, {stream:02d} and"
    " {chunk:02d}; or a folder with INSTRUMENT/EXPERIMENT/hdf5/EXPERIMENT-r0059-s00-c00.h5 in it.",
)
@click.option(
    "--experiments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The controlled experiments, one a line; it is copied to DIR/experiments.txt, where you add others later.",
)
@click.option("--all", "every", is_flag=True, help="Control all experiments that have data.")
@click.option(
    "--process",
    "processes",
    multiple=True,
    metavar="NAME[=MODE]",
    help="A standing process, and its mode: robust, classic or dark; several are possible [pixel_status=robust].",
)
@click.option(
    "--streams", type=click.IntRange(1), help="A run has so many streams; one with fewer is incomplete."
)
@click.option("--settle", default="60s", show_default=True, help="A file is at rest after so long.")
@click.option(
    "--quiet", default="10min", show_default=True, help="The trend is made when no run came for so long."
)
@click.option(
    "--partial",
    default="{path}.inprogress",
    show_default=True,
    metavar="NAME",
    help="What stands beside a file, or in its place, while it is being written; '' if there is no such thing.",
)
@click.option("--dataset", metavar="PATH", help="Where the frames are in each HDF5 file [entry/data/data].")
@click.option(
    "--part-frames", type=click.IntRange(2), help="Cut runs into parts of so many frames, merged afterwards."
)
@click.option("--texts", is_flag=True, help="Also write the old text files of each run.")
@click.option(
    "--changed",
    type=click.Choice(["ask", "redo", "ignore"]),
    help="What becomes of a run whose files change after it was processed: it is stale until you say `penstock redo`"
    " [ask], is processed again by itself, or is left as it is.",
)
@click.option(
    "--scheduler", metavar="NAME", help="Process runs on this cluster: lsf, slurm, … [on this machine]."
)
@click.option("--jobs", type=click.IntRange(1), help="A process has at most so many runs queued and running.")
@click.option(
    "--calib",
    metavar="FOLDER",
    help="Deploy the maps to this calibration store; it may have {instrument} and {experiment}.",
)
@click.option("--group", "detector_group", metavar="NAME", help="With --calib: such as CsPad::CalibV1.")
@click.option("--source", metavar="NAME", help="With --calib: such as CxiDs1.0:Cspad.0.")
def init(
    folder: Path,
    data: str,
    experiments: Path | None,
    every: bool,
    processes: tuple[str, ...],
    calib: str | None,
    detector_group: str | None,
    source: str | None,
    **shape: Any,
) -> None:
    """Set up a campaign in DIR: every new run of an experiment is processed, and its bad pixels are found.

    \b
    penstock init detector pixels --data /data --experiments experiments.txt --streams 6
    """
    from penstock.workflows.detector.experiments import LIST
    from penstock.workflows.detector.init import Shape, read_processes, write_campaign

    if experiments and every:
        raise DefinitionError(
            "--experiments names some experiments and --all takes every one; give one of them"
        )
    store = store_of(calib, detector_group, source)
    wanted = Shape(read_processes(processes), store=store, **shape)
    made = write_campaign(folder, data, experiments=experiments, every=every, shape=wanted)
    naming = "" if experiments or every else f"name experiments in {folder / LIST}, then "
    click.echo(f"wrote {made}; next: {naming}cd {shlex.quote(str(folder))} && penstock plan")


def store_of(calib: str | None, detector_group: str | None, source: str | None) -> Store | None:
    """Give the calibration store that options name, if they do. Raises DefinitionError."""
    from penstock.workflows.detector.init import Store

    given = {"--calib": calib, "--group": detector_group, "--source": source}
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise DefinitionError(
            f"a calibration store needs --calib, --group and --source; add {' and '.join(missing)}"
        )
    return Store(calib or "", detector_group or "", source or "")


@click.command("detector")
@demo_options("detector")
def demo(folder: Path, scheduler: str | None) -> None:
    """Runs of two made-up detectors arrive while penstock watches: bad pixels, pages, a trend, deployed maps.

    They are made in DIR [demo-detector].
    """
    from penstock.workflows.detector.demo import run_demo

    run_demo(folder, click.echo, scheduler)
