"""What the command line loads: `penstock init acoustics`, `penstock acoustics …`, `penstock demo`."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable
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
    click.option("--channel", type=click.IntRange(1), help="The channel to analyse [1]."),
    click.option("--force", is_flag=True, default=None, help="Take faulty recordings in."),
)


def _with_options(command: F) -> F:
    return functools.reduce(lambda made, option: option(made), reversed(OPTIONS), command)


@click.command("acoustics")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_with_options
@click.option("--workers", type=click.IntRange(1), help="Recordings at a time [all cores].")
@click.option(
    "--batch", type=click.IntRange(1), default=200, show_default=True, help="Recordings in a batch."
)
@click.option("--segment", type=float, metavar="SECONDS", help="Cut segments of this length across files.")
def init(
    folder: Path,
    audio: str,
    begin: str | None,
    workers: int | None,
    batch: int,
    segment: float | None,
    **params: Any,
) -> None:
    """Set up a campaign in DIR: spectrograms, levels and a long-term average of recordings.

    \b
    penstock init acoustics winter --audio "data/*.wav" --sensitivity -170
    """
    from penstock.workflows.acoustics.init import write_campaign
    from penstock.workflows.acoustics.tables import summary

    made = write_campaign(
        folder,
        audio,
        begin=begin,
        workers=workers,
        batch=batch,
        segments=segment is not None,
        params=params | {"segment": segment},
    )
    for line in summary(made.dataset, made.settings):
        click.echo(line)
    click.echo(f"wrote {made.definition}; next: cd {shlex.quote(str(folder))} && penstock run")


@click.group("acoustics")
def group() -> None:
    """Recordings: what they are, and what is wrong with them."""


@group.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_with_options
@click.option(
    "--samples/--headers", default=False, help="Read the samples too, or the headers only [headers]."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def build(folder: Path, audio: str, begin: str | None, samples: bool, as_json: bool, **params: Any) -> None:
    """Describe a dataset in DIR: dataset.json, files.csv, qc.csv, qc.html; no campaign is made.

    \b
    penstock acoustics build about-winter --audio "data/*.wav"
    """
    from penstock.workflows.acoustics.build import build_dataset
    from penstock.workflows.acoustics.tables import describe_dataset, summary

    given = {name: value for name, value in params.items() if value is not None}
    dataset, settings = build_dataset(folder, audio, begin=begin, params=given, samples=samples)
    if as_json:
        click.echo(json.dumps(describe_dataset(dataset, settings), ensure_ascii=False))
        return
    for line in summary(dataset, settings):
        click.echo(line)
    click.echo(f"look at {folder / 'qc.html'}")


def demo(folder: Path, audio: Path | None = None) -> None:
    """Run a whole campaign in `folder`, on made-up recordings or those in `audio`."""
    from penstock.workflows.acoustics.demo import run_demo

    if audio is not None and not audio.is_dir():
        raise DefinitionError(f"{audio} is not a folder of recordings")
    run_demo(folder, audio, click.echo)
