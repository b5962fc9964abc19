"""What the command line loads: `penstock init acoustics`, `penstock acoustics …`, `penstock demo`."""

from __future__ import annotations

import functools
import json
import os
import shlex
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import click

from penstock.errors import DefinitionError

F = TypeVar("F", bound=Callable[..., Any])

AUDIO = "a folder, a glob or a pattern: data, 'data/*.wav', 'data/{site}_{begin:%Y%m%d_%H%M%S}.wav'"


def _number_or_word(text: str | None) -> float | str | None:
    try:
        return float(text) if text else None
    except ValueError:
        return text


OPTIONS = (
    click.option("--audio", required=True, metavar="PATTERN", help=f"The recordings: {AUDIO}."),
    click.option(
        "--begin", metavar="FORMAT", help="The time in the names, as %Y%m%d_%H%M%S, if it cannot be guessed."
    ),
    click.option("--nfft", type=click.IntRange(2), help="Samples in a frame [1024]."),
    click.option(
        "--overlap", type=click.FloatRange(0, 1, max_open=True), help="Shared part of two frames [0.5]."
    ),
    click.option("--window", help="Window, by its name in scipy [hann]."),
    click.option(
        "--scaling",
        type=click.Choice(["density", "spectrum"]),
        help="Power per hertz, or per line [density].",
    ),
    click.option("--bin", type=float, metavar="SECONDS", help="Time bins of the stored levels [10]."),
    click.option(
        "--ltas-bin",
        type=click.UNPROCESSED,
        callback=lambda _context, _option, text: _number_or_word(text),
        metavar="SECONDS",
        help="Time bins of the long-term average, or day, month, whole [chosen].",
    ),
    click.option(
        "--sensitivity", type=float, metavar="DB", help="Of the hydrophone, dB re 1 V/µPa, as -170."
    ),
    click.option("--gain", type=float, metavar="DB", help="Of the amplifier [0]."),
    click.option("--peak-voltage", type=float, metavar="VOLT", help="At digital full scale [1]."),
    click.option(
        "--end-to-end", type=float, metavar="DB", help="Level of full scale, dB re 1 µPa (instead)."
    ),
    click.option("--curve", metavar="FILE", help="CSV of Hz,dB instead of --sensitivity."),
    click.option("--resample", type=click.IntRange(1), metavar="HZ", help="To this sample rate."),
    click.option("--band-pass", type=float, nargs=2, metavar="LOW HIGH", help="Corners of a filter, Hz."),
    click.option(
        "--normalise",
        type=click.Choice(["none", "dc", "peak", "zscore"]),
        help="Mean, peak or standard deviation of each file [none].",
    ),
    click.option(
        "--normalise-over",
        type=click.Choice(["file", "period", "whole"]),
        help="What shares mean, peak or deviation; with --chain [file].",
    ),
    click.option("--legacy", metavar="NAME", help="osmose-0.2: the numbers of the old scripts."),
    click.option("--db-range", type=float, nargs=2, metavar="LOW HIGH", help="Of the colours [from data]."),
    click.option("--colours", metavar="NAME", help="Of pictures [viridis]."),
    click.option("--scale", "frequency_scale", type=click.Choice(["linear", "log"]), help="Of frequency."),
    click.option("--channel", type=click.IntRange(1), help="The channel to analyse [1]."),
    click.option("--force", is_flag=True, default=None, help="Take faulty recordings in."),
)


TIMES = (
    click.option(
        "--timestamps",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A CSV without header: name,2017-10-07T00:16:22.000Z.",
    ),
    click.option("--timezone", metavar="ZONE", help="Of times without a zone, as Europe/Paris [UTC]."),
    click.option("--back-to-back", metavar="TIME", help="Names tell no time: one after the other from here."),
)


def _with_options(command: F) -> F:
    return functools.reduce(lambda made, option: option(made), reversed((*OPTIONS, *TIMES)), command)


def _times(params: dict[str, Any]) -> Any:
    from penstock.workflows.acoustics.init import Times

    return Times(params.pop("timestamps"), params.pop("timezone"), params.pop("back_to_back"))


def _tile_levels(text: str | None) -> int | None:
    if text is None or text == "on-demand":
        return None
    if not text.isdigit():
        raise click.BadParameter(
            f"{text!r} is neither a number of levels nor on-demand", param_hint="--tiles"
        )
    return int(text)


def _refuse_what_aplose_lacks(params: dict[str, Any]) -> None:
    from penstock.workflows.acoustics.annotation import range_of, scale_of
    from penstock.workflows.acoustics.settings import read_settings

    settings = read_settings({name: value for name, value in params.items() if value is not None})
    try:
        range_of(settings)
        scale_of(settings)
    except ValueError as error:
        raise DefinitionError(str(error)) from error


@click.command("acoustics")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_with_options
@click.option("--workers", type=click.IntRange(1), help="Recordings at a time [all cores].")
@click.option(
    "--batch", type=click.IntRange(1), default=200, show_default=True, help="Recordings in a batch."
)
@click.option("--segment", type=float, metavar="SECONDS", help="Cut segments of this length across files.")
@click.option("--tiles", metavar="LEVELS", help="Tiles for APLOSE: a number of levels, or on-demand.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["netcdf", "zarr"]),
    default="netcdf",
    show_default=True,
    help="Of spectra and averages.",
)
@click.option("--also", multiple=True, type=click.Choice(["npz"]), help="A product beside these.")
@click.option("--chain", is_flag=True, help="Resample and take statistics in stages of their own.")
def init(
    folder: Path,
    audio: str,
    begin: str | None,
    workers: int | None,
    batch: int,
    segment: float | None,
    tiles: str | None,
    form: str,
    also: tuple[str, ...],
    chain: bool,
    **params: Any,
) -> None:
    """Set up a campaign in DIR: spectrograms, levels and a long-term average of recordings.

    \b
    penstock init acoustics winter --audio "data/*.wav" --sensitivity -170
    """
    from penstock.workflows.acoustics.definition import Shape
    from penstock.workflows.acoustics.init import write_campaign
    from penstock.workflows.acoustics.tables import summary

    times, levels = _times(params), _tile_levels(tiles)
    if form == "zarr" and find_spec("zarr") is None:
        raise DefinitionError("--format zarr needs a package that is not installed: pip install zarr")
    shape = Shape(
        workers or os.cpu_count() or 1,
        batch,
        segments=segment is not None,
        format=form,
        extras=(*(("tiles",) if levels else ()), *also),
        chain=chain,
        aplose=tiles is not None,
    )
    params |= {"segment": segment, "tile_levels": levels}
    if tiles is not None:
        _refuse_what_aplose_lacks(params)
    made = write_campaign(folder, audio, begin=begin, times=times, shape=shape, params=params)
    for line in summary(made.dataset, made.settings):
        click.echo(line)
    click.echo(f"wrote {made.definition}; next: cd {shlex.quote(str(folder))} && penstock run")


@click.group("acoustics")
def group() -> None:
    """Recordings: what they are, what is wrong with them, and what they would cost."""


@group.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_with_options
@click.option(
    "--samples/--headers", default=False, help="Read the samples too, or the headers only [headers]."
)
@click.option("--metadata", is_flag=True, help="Write the old metadata.csv too.")
@click.option("--lat", type=float, help="For metadata.csv, degrees.")
@click.option("--lon", type=float, help="For metadata.csv, degrees.")
@click.option("--depth", type=float, help="For metadata.csv, metres.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def build(
    folder: Path,
    audio: str,
    begin: str | None,
    samples: bool,
    metadata: bool,
    lat: float | None,
    lon: float | None,
    depth: float | None,
    as_json: bool,
    **params: Any,
) -> None:
    """Describe a dataset in DIR: dataset.json, files.csv, qc.csv, qc.html; no campaign is made.

    \b
    penstock acoustics build about-winter --audio "data/*.wav"
    """
    from penstock.workflows.acoustics.build import build_dataset
    from penstock.workflows.acoustics.tables import describe_dataset, summary

    times, place = _times(params), {"lat": lat, "lon": lon, "depth": depth}
    given = {name: value for name, value in params.items() if value is not None}
    dataset, settings = build_dataset(
        folder,
        audio,
        begin=begin,
        times=times,
        params=given,
        samples=samples,
        place=place if metadata else None,
    )
    if as_json:
        click.echo(json.dumps(describe_dataset(dataset, settings), ensure_ascii=False))
        return
    for line in summary(dataset, settings):
        click.echo(line)
    click.echo(f"look at {folder / 'qc.html'}")


@group.command()
@click.argument("page", metavar="PAGE", type=click.Path(dir_okay=False, path_type=Path))
@_with_options
@click.option("--n", "count", type=click.IntRange(1), default=3, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one chooses others.")
def preview(page: Path, audio: str, begin: str | None, count: int, seed: int, **params: Any) -> None:
    """Try a few random recordings with these parameters: PAGE is HTML, with time and size of them all.

    \b
    penstock acoustics preview look.html --n 3 --audio "data/*.wav" --nfft 2048
    """
    from penstock.workflows.acoustics.init import find_recordings
    from penstock.workflows.acoustics.preview import write_preview
    from penstock.workflows.acoustics.recordings import scan_paths
    from penstock.workflows.acoustics.settings import read_settings

    found = find_recordings(Path.cwd(), audio, begin, _times(params))
    settings = read_settings({name: value for name, value in params.items() if value is not None})
    dataset = scan_paths(found.paths, found.naming, settings)
    made = write_preview(page, dataset, settings, count, seed)
    click.echo(
        f"{made.hours:.2f} h of sound: about {made.cpu_hours * 60:.2g} min of one core, {made.bytes / 1e6:.0f} MB"
    )
    click.echo(f"look at {page}")


@group.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--levels", type=click.IntRange(1), default=4, show_default=True, help="Levels of zoom.")
@click.option("--colours", default="viridis", show_default=True, help="viridis, grey or matplotlib's.")
@click.option("--db-range", nargs=2, type=float, help="Lowest and highest level of the colours.")
@click.option(
    "--scale", type=click.Choice(["linear", "log"]), default="linear", help="Of frequency [linear]."
)
@click.option("--port", type=int, default=8765, show_default=True, help="On this machine only.")
def tiles(
    folder: Path, levels: int, colours: str, db_range: tuple[float, float] | None, scale: str, port: int
) -> None:
    """Serve tiles on demand from the matrices in DIR (`spectra` of a campaign): /NAME_NTILES_I.png.

    \b
    penstock acoustics tiles winter/spectra --levels 4 --db-range 40 100
    """
    from penstock.workflows.acoustics.serving import make_server
    from penstock.workflows.acoustics.settings import read_settings

    chosen = {"tile_levels": levels, "colours": colours, "frequency_scale": scale, "db_range": db_range}
    server = make_server(folder, read_settings(chosen), port)
    click.echo(f"serving tiles of {folder} at http://127.0.0.1:{server.server_port}/; stop with Ctrl-C")
    server.serve_forever()


def demo(folder: Path, audio: Path | None = None, scheduler: str | None = None) -> None:
    """Run a whole campaign in `folder`, on made-up recordings or those in `audio`, as jobs of `scheduler` if it is named."""
    from penstock.workflows.acoustics.demo import run_demo

    if audio is not None and not audio.is_dir():
        raise DefinitionError(f"{audio} is not a folder of recordings")
    run_demo(folder, audio, click.echo, scheduler)
