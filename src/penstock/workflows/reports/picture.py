"""A matrix as a PNG with axes and a bar of colours: a palette image, no plotting library.

matplotlib takes a fifth of a second a picture, which is more than the work on a small unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from penstock.workflows.reports.palette import COLOURS, GREYS, palette
from penstock.workflows.reports.png import encode
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
    frame = Frame(width, height, labels.unit, tuple(labels.left), labels.left_name, span)
    pixels = _draw_frame(frame).copy()
    for strip, write in ((pixels[:ABOVE], _write_title), (pixels[ABOVE + height :], _write_below)):
        np.minimum(strip, _written(strip.shape, partial(write, labels, width)), out=strip)
    pixels[ABOVE : ABOVE + height, LEFT : LEFT + width] = image
    path.write_bytes(encode(pixels, palette(colours)))


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


@dataclass(frozen=True, slots=True)
class Frame:
    """What all pictures of one form have around them: the axis to the left, and the bar of colours."""

    width: int
    height: int
    unit: str
    left: tuple[Tick, ...]
    left_name: str
    span: tuple[float, float]


@lru_cache(maxsize=4)
def _draw_frame(frame: Frame) -> NDArray[np.uint8]:
    """Draw a frame in entries of the palette, not to be changed."""
    shape = ABOVE + frame.height + BELOW, LEFT + frame.width + RIGHT
    pixels, start = _written(shape, partial(_write_frame, frame)), LEFT + frame.width + BAR_GAP
    bar = np.linspace(COLOURS - 1, 0, frame.height).round().astype(np.uint8)
    pixels[ABOVE : ABOVE + frame.height, start : start + BAR_WIDTH] = bar[:, None]
    return pixels


def _written(shape: tuple[int, ...], write: Callable[[ImageDraw.ImageDraw], None]) -> NDArray[np.uint8]:
    """Write on white paper; give it in greys of the palette."""
    paper = Image.new("L", (shape[1], shape[0]), 255)
    write(ImageDraw.Draw(paper))
    return np.asarray(paper, np.uint8) // np.uint8(256 // GREYS) + np.uint8(COLOURS)


def _write_frame(frame: Frame, pen: ImageDraw.ImageDraw) -> None:
    font, bottom, bar = _font(12), ABOVE + frame.height, LEFT + frame.width + BAR_GAP + BAR_WIDTH
    pen.text((LEFT + frame.width + RIGHT - 6, 7), frame.unit, 0, font, anchor="ra")
    for tick in frame.left:
        y = bottom - tick.place * (frame.height - 1) - 1
        pen.line((LEFT - TICK, y, LEFT - 1, y), 60)
        pen.text((LEFT - TICK - 3, y), tick.text, 0, font, anchor="rm")
    for tick in ticks_between(*frame.span):
        y = bottom - tick.place * (frame.height - 1) - 1
        pen.line((bar, y, bar + TICK, y), 60)
        pen.text((bar + TICK + 3, y), tick.text, 0, font, anchor="lm")
    pen.text((6, 7), frame.left_name, 0, font)


def _write_title(labels: Labels, width: int, pen: ImageDraw.ImageDraw) -> None:
    pen.text((LEFT, 7), labels.title, 0, _font(13))


def _write_below(labels: Labels, width: int, pen: ImageDraw.ImageDraw) -> None:
    for tick in labels.below:
        x = LEFT + tick.place * (width - 1)
        pen.line((x, 0, x, TICK), 60)
        pen.text((x, TICK + 3), tick.text, 0, _font(12), anchor="ma")
    pen.text((LEFT + width / 2, BELOW - 6), labels.below_name, 0, _font(12), anchor="md")
