"""The options of `penstock init acoustics` and of what else is asked about recordings, and what they come to."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock.errors import DefinitionError
from penstock.workflows.setup.options import NumberOrWord, bundle

if TYPE_CHECKING:
    from penstock.workflows.acoustics.definition import Shape
    from penstock.workflows.acoustics.init import Times

AUDIO = "a folder, a glob or a pattern: data, 'data/*.wav', 'data/{site}_{begin:%Y%m%d_%H%M%S}.wav'"


ANALYSIS = (
    click.option("--audio", required=True, metavar="PATTERN", help=f"The recordings: {AUDIO}."),
    click.option(
        "--begin",
        metavar="FORMAT",
        help="The format of the time in the names, such as %Y%m%d_%H%M%S, if it cannot be guessed.",
    ),
    click.option("--nfft", type=click.IntRange(2), help="Samples in a frame [1024]."),
    click.option(
        "--overlap",
        type=click.FloatRange(0, 1, max_open=True),
        help="Overlap of two frames, as a fraction [0.5].",
    ),
    click.option("--window", help="Window, by its name in scipy [hann]."),
    click.option(
        "--scaling",
        type=click.Choice(["density", "spectrum"]),
        help="Power per hertz (density), or per line (spectrum) [density].",
    ),
    click.option("--bin", type=float, metavar="SECONDS", help="Time bins of the stored levels [10]."),
    click.option(
        "--ltas-bin",
        type=NumberOrWord(),
        metavar="SECONDS",
        help="Time bins of the long-term average, or day, month, whole [chosen].",
    ),
    click.option(
        "--sensitivity",
        type=float,
        metavar="DB",
        help="Sensitivity of the hydrophone in dB re 1 V/µPa, such as -170.",
    ),
    click.option("--gain", type=float, metavar="DB", help="Gain of the amplifier in dB [0]."),
    click.option(
        "--peak-voltage", type=float, metavar="VOLT", help="Peak voltage at digital full scale [1]."
    ),
    click.option(
        "--end-to-end",
        type=float,
        metavar="DB",
        help="Level of full scale in dB re 1 µPa, instead of --sensitivity.",
    ),
    click.option("--curve", metavar="FILE", help="CSV of Hz,dB instead of --sensitivity."),
    click.option("--resample", type=click.IntRange(1), metavar="HZ", help="Resample to this rate."),
    click.option(
        "--band-pass",
        type=float,
        nargs=2,
        metavar="LOW HIGH",
        help="Corner frequencies of a band-pass filter, in Hz.",
    ),
    click.option(
        "--normalise",
        type=click.Choice(["none", "dc", "peak", "zscore"]),
        help="Normalise by the mean, peak or standard deviation of each file [none].",
    ),
    click.option(
        "--normalise-over",
        type=click.Choice(["file", "period", "whole"]),
        help="What shares the mean, peak or deviation; with --chain [file].",
    ),
    click.option("--legacy", metavar="NAME", help="osmose-0.2: reproduce the numbers of the old scripts."),
    click.option(
        "--db-range",
        type=float,
        nargs=2,
        metavar="LOW HIGH",
        help="Range of the colours in dB [from the data].",
    ),
    click.option("--colours", metavar="NAME", help="Colour map of pictures [viridis]."),
    click.option(
        "--scale",
        "frequency_scale",
        type=click.Choice(["linear", "log"]),
        help="Frequency scale of pictures.",
    ),
    click.option("--channel", type=click.IntRange(1), help="The channel to analyse [1]."),
    click.option("--force", is_flag=True, default=None, help="Use faulty recordings too."),
)


TIMES = (
    click.option(
        "--timestamps",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A CSV without header: name,2017-10-07T00:16:22.000Z.",
    ),
    click.option(
        "--timezone", metavar="ZONE", help="Time zone of times without one, such as Europe/Paris [UTC]."
    ),
    click.option(
        "--back-to-back",
        metavar="TIME",
        help="For names without a time: the files follow each other from this time on.",
    ),
)

SHAPE = (
    click.option(
        "--workers",
        type=click.IntRange(1),
        help="Recordings at a time in a batch [1; the site runs batches side by side].",
    ),
    click.option(
        "--batch", type=click.IntRange(1), default=200, show_default=True, help="Recordings in a batch."
    ),
    click.option(
        "--segment", type=float, metavar="SECONDS", help="Cut segments of this length across files."
    ),
    click.option(
        "--tiles", metavar="LEVELS", help="Make tiles for APLOSE: a number of zoom levels, or on-demand."
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(["netcdf", "zarr"]),
        default="netcdf",
        show_default=True,
        help="File format of spectra and averages.",
    ),
    click.option("--also", multiple=True, type=click.Choice(["npz"]), help="Make this product, too."),
    click.option("--daily", is_flag=True, help="Make daily files of hybrid millidecades, for archives."),
    click.option("--close", is_flag=True, help="Close the campaign with a seal when all is done."),
    click.option("--chain", is_flag=True, help="Resample and take statistics in stages of their own."),
)


PLACE = (
    click.option("--title", help="Title of the campaign; stored in its products."),
    click.option(
        "--lat", "latitude", type=float, metavar="DEGREES", help="Latitude of the recorder, north positive."
    ),
    click.option(
        "--lon", "longitude", type=float, metavar="DEGREES", help="Longitude of the recorder, east positive."
    ),
    click.option("--depth", type=float, metavar="METRES", help="Depth of the recorder."),
    click.option(
        "--step-db", type=float, metavar="DB", help="Step of stored levels in dB [0.1 where that is small]."
    ),
)


analysis_options = bundle(*ANALYSIS, *TIMES)  # what names recordings and says how they are analysed
shape_options = bundle(*SHAPE)  # which stages and products a campaign has
place_options = bundle(*PLACE)  # what products say of where and what was recorded


def pop_times(params: dict[str, Any]) -> Times:
    """Take from the given options what says when recordings begin."""
    from penstock.workflows.acoustics.init import Times

    return Times(params.pop("timestamps"), params.pop("timezone"), params.pop("back_to_back"))


def pop_shape(params: dict[str, Any]) -> Shape:
    """Take from the given options what a campaign has beside its parameters.

    `segment` and `tile_levels` stay in `params`, which they are too. Raises DefinitionError if a format cannot be written.
    """
    from penstock.workflows.acoustics.definition import Shape

    segment, tiles, form = params.pop("segment"), params.pop("tiles"), params.pop("form")
    levels = _tile_levels(tiles)
    if form == "zarr" and find_spec("zarr") is None:
        raise DefinitionError("--format zarr needs a package that is not installed: pip install zarr")
    params |= {"segment": segment, "tile_levels": levels}
    return Shape(
        params.pop("batch"),
        params.pop("workers"),
        segments=segment is not None,
        format=form,
        extras=(*(("tiles",) if levels else ()), *params.pop("also")),
        chain=params.pop("chain"),
        aplose=tiles is not None,
        daily=_daily(params),
        close=params.pop("close"),
    )


def _daily(params: dict[str, Any]) -> bool:
    """Take the wish for daily files, which are of minutes and of hybrid millidecades."""
    daily = params.pop("daily")
    if daily and params.get("bin") not in (None, 60.0):
        raise DefinitionError(
            f"--daily makes files of minutes and --bin is {params['bin']:g} s; leave --bin out"
        )
    if daily:
        params |= {"bin": 60.0, "bands": ("decidecade", "millidecade")}
    return daily


def _tile_levels(text: str | None) -> int | None:
    if text is None or text == "on-demand":
        return None
    if not text.isdigit():
        raise click.BadParameter(
            f"{text!r} is neither a number of levels nor on-demand", param_hint="--tiles"
        )
    return int(text)
