"""A matrix as a PNG with axes and a bar of colours: a palette image, no plotting library.

matplotlib takes a fifth of a second a picture, which is more than the work on a small unit.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from penstock.workflows.reports.palette import COLOURS, palette
from penstock.workflows.reports.ticks import Tick, ticks_between

LEFT, RIGHT, ABOVE, BELOW = 66, 104, 30, 46
LEAST_WIDTH, LEAST_HEIGHT = 800, 360
BAR_GAP, BAR_WIDTH, TICK = 16, 16, 5


@dataclass(frozen=True, slots=True)
class Labels:
    """What is written around a picture: its title, the ticks of its axes, and what the colours tell."""

    title: str
    unit: str  # of the colours
    left: Sequence[Tick]
    left_name: str
    below: Sequence[Tick]
    below_name: str


def write_picture(
    entries: NDArray[np.uint8],
    labels: Labels,
    path: Path,
    *,
    span: tuple[float, float],
    colours: str = "viridis",
) -> None:
    """Write entries of the palette, first row above, as PNG; `span` is what the bar of colours reaches over."""
    image = _enlarge(entries)
    height, width = image.shape
    canvas = Image.new("L", (LEFT + width + RIGHT, ABOVE + height + BELOW), 255)
    _draw_axes(ImageDraw.Draw(canvas), labels, span, width, height)
    pixels = np.uint8(COLOURS) + (np.asarray(canvas) >> 4)
    pixels[ABOVE : ABOVE + height, LEFT : LEFT + width] = image
    bar = np.linspace(COLOURS - 1, 0, height).round().astype(np.uint8)
    start = LEFT + width + BAR_GAP
    pixels[ABOVE : ABOVE + height, start : start + BAR_WIDTH] = bar[:, None]
    picture = Image.fromarray(pixels, "P")
    picture.putpalette(palette(colours))
    picture.save(path, "PNG", compress_level=1, compress_type=zlib.Z_RLE)


def _enlarge(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat rows and columns of a small image, each as often as the others."""
    tall, wide = (
        math.ceil(least / have) for least, have in zip((LEAST_HEIGHT, LEAST_WIDTH), image.shape, strict=True)
    )
    return image if tall == wide == 1 else image.repeat(tall, axis=0).repeat(wide, axis=1)


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
    pen: ImageDraw.ImageDraw, labels: Labels, span: tuple[float, float], width: int, height: int
) -> None:
    font, bottom, bar = _font(12), ABOVE + height, LEFT + width + BAR_GAP + BAR_WIDTH
    pen.text((LEFT, 7), labels.title, 0, _font(13))
    pen.text((LEFT + width + RIGHT - 6, 7), labels.unit, 0, font, anchor="ra")
    for tick in labels.left:
        y = bottom - tick.place * (height - 1) - 1
        pen.line((LEFT - TICK, y, LEFT - 1, y), 60)
        pen.text((LEFT - TICK - 3, y), tick.text, 0, font, anchor="rm")
    for tick in labels.below:
        x = LEFT + tick.place * (width - 1)
        pen.line((x, bottom, x, bottom + TICK), 60)
        pen.text((x, bottom + TICK + 3), tick.text, 0, font, anchor="ma")
    for tick in ticks_between(*span):
        y = bottom - tick.place * (height - 1) - 1
        pen.line((bar, y, bar + TICK, y), 60)
        pen.text((bar + TICK + 3, y), tick.text, 0, font, anchor="lm")
    pen.text((LEFT + width / 2, bottom + BELOW - 6), labels.below_name, 0, font, anchor="md")
    pen.text((6, 7), labels.left_name, 0, font)
