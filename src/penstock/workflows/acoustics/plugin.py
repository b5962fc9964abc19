"""What the command line loads: `penstock init acoustics`, `penstock acoustics …`, `penstock demo`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.options import (
    analysis_options,
    place_options,
    pop_shape,
    pop_times,
    shape_options,
)
from penstock.workflows.setup.options import demo_options, folder_argument, given


def _refuse_what_aplose_lacks(params: dict[str, Any]) -> None:
    from penstock.workflows.acoustics.annotation import range_of, scale_of
    from penstock.workflows.acoustics.settings import read_settings

    settings = read_settings(given(params))
    try:
        range_of(settings)
        scale_of(settings)
    except ValueError as error:
        raise DefinitionError(str(error)) from error


@click.command("acoustics")
@folder_argument
@analysis_options
@shape_options
@place_options
def init(folder: Path, audio: str, begin: str | None, **params: Any) -> None:
    """Set up a campaign in DIR: spectrograms, levels and a long-term average of recordings.

    \b
    penstock init acoustics winter --audio "data/*.wav" --sensitivity -170
    """
    from penstock.workflows.acoustics.cost import say_step
    from penstock.workflows.acoustics.init import write_campaign
    from penstock.workflows.acoustics.tables import summary

    times, shape = pop_times(params), pop_shape(params)
    if shape.aplose:
        _refuse_what_aplose_lacks(params)
    made = write_campaign(folder, audio, begin=begin, times=times, shape=shape, params=params)
    for line in summary(made.dataset, made.settings):
        click.echo(line)
    click.echo(say_step(made.dataset, made.settings))
    click.echo(f"wrote {made.definition}; next: cd {shlex.quote(str(folder))} && penstock run")


@click.group("acoustics")
def group() -> None:
    """Recordings: what they are, what is wrong with them, and what they would cost."""


@group.command()
@folder_argument
@analysis_options
@click.option(
    "--samples/--headers", default=False, help="Read the samples too, or only the headers [headers]."
)
@click.option("--metadata", is_flag=True, help="Also write the old metadata.csv.")
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

    times, place = pop_times(params), {"lat": lat, "lon": lon, "depth": depth}
    dataset, settings = build_dataset(
        folder,
        audio,
        begin=begin,
        times=times,
        params=given(params),
        samples=samples,
        place=place if metadata else None,
    )
    if as_json:
        click.echo(json.dumps(describe_dataset(dataset, settings), ensure_ascii=False))
        return
    for line in summary(dataset, settings):
        click.echo(line)
    click.echo(f"see {folder / 'qc.html'}")


@group.command()
@click.argument("page", metavar="PAGE", type=click.Path(dir_okay=False, path_type=Path))
@analysis_options
@click.option(
    "--n", "count", type=click.IntRange(1), default=3, show_default=True, help="How many recordings."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Another number chooses other recordings."
)
def preview(page: Path, audio: str, begin: str | None, count: int, seed: int, **params: Any) -> None:
    """Try a few random recordings with these parameters: PAGE is HTML, with time and size of them all.

    \b
    penstock acoustics preview look.html --n 3 --audio "data/*.wav" --nfft 2048
    """
    from penstock.workflows.acoustics.init import find_recordings
    from penstock.workflows.acoustics.preview import write_preview
    from penstock.workflows.acoustics.recordings import scan_paths
    from penstock.workflows.acoustics.settings import read_settings

    found = find_recordings(Path.cwd(), audio, begin, pop_times(params))
    settings = read_settings(given(params))
    dataset = scan_paths(found.paths, found.naming, settings)
    made = write_preview(page, dataset, settings, count, seed)
    click.echo(
        f"{made.hours:.2f} h of sound: about {made.cpu_hours * 60:.2g} min of one core, {made.bytes / 1e6:.0f} MB"
    )
    click.echo(f"see {page}")


@group.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--levels", type=click.IntRange(1), default=4, show_default=True, help="Number of zoom levels.")
@click.option("--colours", default="viridis", show_default=True, help="viridis, grey or matplotlib's.")
@click.option("--db-range", nargs=2, type=float, help="Lowest and highest level of the colours.")
@click.option(
    "--scale", type=click.Choice(["linear", "log"]), default="linear", help="Frequency scale [linear]."
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


@click.command("acoustics")
@demo_options("acoustics")
@click.option("--audio", type=click.Path(path_type=Path), help="A folder of your own recordings.")
def demo(folder: Path, audio: Path | None, scheduler: str | None) -> None:
    """Half an hour of sea with faults, or your own recordings: spectrograms, levels, a report.

    They are made in DIR [demo-acoustics].

    \b
    penstock demo acoustics mine --audio ~/recordings
    """
    from penstock.workflows.acoustics.demo import run_demo

    if audio is not None and not audio.is_dir():
        raise DefinitionError(f"{audio} is not a folder of recordings")
    run_demo(folder, audio, click.echo, scheduler)
