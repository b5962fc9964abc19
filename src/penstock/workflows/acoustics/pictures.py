"""Spectrogram pictures with axes: a palette image, no plotting library.

matplotlib takes a fifth of a second a picture, which is more than the transform of a short file.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from penstock.workflows.acoustics.axis import Axis, round_values
from penstock.workflows.acoustics.timeline import EPOCH, Span, seconds

COLOURS, GREYS = 240, 16  # entries of the palette: the colour map, then the greys of the axes
NO_DATA, LEFT_OUT = COLOURS + 13, COLOURS + 8
LEFT, RIGHT, ABOVE, BELOW = 66, 104, 30, 46
LEAST_WIDTH, LEAST_HEIGHT = 800, 360
BAR_GAP, BAR_WIDTH, TICK = 16, 16, 5
SAMPLED = 10_007  # levels looked at to choose the range of colours
VIRIDIS = (  # sixteen colours of matplotlib's map
    "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e "
    "1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725"
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: `levels` in dB, lowest frequency in the first row, time along columns; NaN is no data."""

    levels: NDArray[Any]
    top: float  # Hz
    begin: datetime
    end: datetime
    title: str
    unit: str
    axis: Axis | None = None  # linear if there is none
    left_out: Sequence[Span] = ()  # recorded, and left out: not the grey of what was never recorded


@dataclass(frozen=True, slots=True)
class Tick:
    place: float  # 0…1 along its axis
    text: str


def draw(
    panel: Panel, path: Path, *, colours: str = "viridis", db_range: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Write the picture as PNG; give the range of dB that its colours span."""
    low, high = db_range or robust_range(panel.levels)
    image = indexed(panel.levels, low, high)
    _mark_left_out(image, panel)
    image = _enlarge(image)
    height, width = image.shape
    canvas = Image.new("L", (LEFT + width + RIGHT, ABOVE + height + BELOW), 255)
    _draw_axes(ImageDraw.Draw(canvas), panel, (low, high), width, height)
    pixels = np.uint8(COLOURS) + (np.asarray(canvas) >> 4)
    pixels[ABOVE : ABOVE + height, LEFT : LEFT + width] = image
    bar = np.linspace(COLOURS - 1, 0, height).round().astype(np.uint8)
    start = LEFT + width + BAR_GAP
    pixels[ABOVE : ABOVE + height, start : start + BAR_WIDTH] = bar[:, None]
    picture = Image.fromarray(pixels, "P")
    picture.putpalette(palette(colours))
    picture.save(path, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return low, high


def robust_range(levels: NDArray[Any]) -> tuple[float, float]:
    """Span the levels but their rarest: from the 5th to the 99.5th percentile, at least 10 dB."""
    some = levels.reshape(-1)[:: max(1, levels.size // SAMPLED)]
    finite = some[np.isfinite(some)]
    if not len(finite):
        return 0.0, 10.0
    low, high = (float(each) for each in np.percentile(finite, (5, 99.5)))
    return math.floor(low), max(math.ceil(high), math.floor(low) + 10)


def indexed(levels: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (levels[::-1] - np.float32(low)) * np.float32((COLOURS - 1) / (high - low))
    np.clip(np.rint(scaled, out=scaled), 0, COLOURS - 1, out=scaled)
    scaled[np.isnan(scaled)] = NO_DATA
    return scaled.astype(np.uint8)


def _mark_left_out(image: NDArray[np.uint8], panel: Panel) -> None:
    """Give columns without data another grey where a recording was left out."""
    begin, length = seconds(panel.begin), (panel.end - panel.begin).total_seconds()
    width = image.shape[1]
    for span in panel.left_out:
        first, last = ((each - begin) / length * width for each in (span.begin, span.end))
        some = image[:, max(0, math.floor(first + 0.5)) : max(0, math.ceil(last - 0.5))]
        some[some == NO_DATA] = LEFT_OUT


def _enlarge(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat rows and columns of a small image, each as often as the others."""
    tall, wide = (
        math.ceil(least / have) for least, have in zip((LEAST_HEIGHT, LEAST_WIDTH), image.shape, strict=True)
    )
    return image if tall == wide == 1 else image.repeat(tall, axis=0).repeat(wide, axis=1)


@cache
def palette(name: str) -> bytes:
    greys = [[round(255 * i / (GREYS - 1))] * 3 for i in range(GREYS)]
    return np.vstack([_colours(name), greys]).astype(np.uint8).tobytes()


def _colours(name: str) -> NDArray[Any]:
    if name == "viridis":
        known = np.array([list(bytes.fromhex(colour)) for colour in VIRIDIS.split()])
    elif name == "grey":
        known = np.array([[255] * 3, [0] * 3])
    else:
        import matplotlib

        return matplotlib.colormaps[name](np.linspace(0, 1, COLOURS))[:, :3] * 255
    places = np.linspace(0, len(known) - 1, COLOURS)
    return np.column_stack([np.interp(places, range(len(known)), part) for part in known.T])


@cache
def _font(size: int) -> Any:
    """Load the font that matplotlib brings (Pillow's own has no µ), without the time of its import."""
    spec = find_spec("matplotlib")
    for place in (spec and spec.submodule_search_locations) or ():
        file = Path(place, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
        if file.exists():
            return ImageFont.truetype(file, size)
    return ImageFont.load_default(size)


def _draw_axes(
    pen: ImageDraw.ImageDraw, panel: Panel, range_: tuple[float, float], width: int, height: int
) -> None:
    font, bottom, bar = _font(12), ABOVE + height, LEFT + width + BAR_GAP + BAR_WIDTH
    pen.text((LEFT, 7), panel.title, 0, _font(13))
    pen.text((LEFT + width + RIGHT - 6, 7), panel.unit, 0, font, anchor="ra")
    for tick in frequency_ticks(panel.top, panel.axis):
        y = bottom - tick.place * (height - 1) - 1
        pen.line((LEFT - TICK, y, LEFT - 1, y), 60)
        pen.text((LEFT - TICK - 3, y), tick.text, 0, font, anchor="rm")
    for tick in time_ticks(panel.begin, panel.end):
        x = LEFT + tick.place * (width - 1)
        pen.line((x, bottom, x, bottom + TICK), 60)
        pen.text((x, bottom + TICK + 3), tick.text, 0, font, anchor="ma")
    for tick in level_ticks(*range_):
        y = bottom - tick.place * (height - 1) - 1
        pen.line((bar, y, bar + TICK, y), 60)
        pen.text((bar + TICK + 3, y), tick.text, 0, font, anchor="lm")
    pen.text((LEFT + width / 2, bottom + BELOW - 6), _day(panel), 0, font, anchor="md")
    pen.text((6, 7), frequency_unit(panel.top)[0], 0, font)


def _day(panel: Panel) -> str:
    first, last = (f"{day:%Y-%m-%d}" for day in (panel.begin.astimezone(UTC), panel.end.astimezone(UTC)))
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def frequency_unit(top: float) -> tuple[str, float]:
    """Choose the unit in which all pictures of sound up to `top` Hz tell frequency."""
    return ("kHz", 1000.0) if top >= 2000 else ("Hz", 1.0)


def frequency_ticks(top: float, axis: Axis | None = None) -> Iterator[Tick]:
    axis, unit = axis or Axis.of("linear", 0, top), frequency_unit(top)[1]
    for value in axis.ticks():
        yield Tick(axis.place(value), f"{value / unit:g}")


def level_ticks(low: float, high: float) -> Iterator[Tick]:
    for value in round_values(low, high, 7):
        yield Tick((value - low) / (high - low), f"{value:g}")


STEPS = (  # seconds between ticks of time, and how a tick is written
    *((each, "%H:%M:%S") for each in (1, 2, 5, 10, 15, 30)),
    *((each * 60, "%H:%M") for each in (1, 2, 5, 10, 15, 30)),
    *((each * 3600, "%H:%M") for each in (1, 2, 3, 6)),
    (43200, "%d %b %H:%M"),
    *((each * 86400, "%d %b") for each in (1, 2, 5, 10, 20, 30)),
    *((each * 86400, "%b %Y") for each in (61, 91, 183, 365)),
)


def time_ticks(begin: datetime, end: datetime, most: int = 9) -> Iterator[Tick]:
    """Give ticks at round times of UTC."""
    length = (end - begin).total_seconds()
    step, form = next((each for each in STEPS if length / each[0] <= most), STEPS[-1])
    since = (begin - EPOCH).total_seconds()
    for i in range(math.ceil(since / step), math.floor((since + length) / step) + 1):
        at = EPOCH + timedelta(seconds=i * step)
        yield Tick((i * step - since) / length, f"{at:{form}}" if length >= 1 else f"{at:%H:%M:%S}")
