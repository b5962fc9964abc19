"""Parameters of images (DL1b), all images of a block at once; names, units and definitions are those of ctapipe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import Camera
from penstock.workflows.telescope.toy.cleaning import Pixels, TailCuts
from penstock.workflows.telescope.toy.files import table
from penstock.workflows.telescope.toy.hillas import find_hillas
from penstock.workflows.telescope.toy.shapes import (
    describe,
    find_concentration,
    find_leakage,
    find_morphology,
)
from penstock.workflows.telescope.toy.timing import find_timing

AT_ONCE = 1 << 13  # kept pixels: what is computed of them stays in the cache
LINES_AT_ONCE = 1 << 19  # more of them, since lines are fitted to images of as many pixels


def parametrise(
    camera: Camera, images: NDArray[Any], times: NDArray[Any], cuts: TailCuts | None = None
) -> NDArray[Any]:
    """Give a row of parameters for each image (events × pixels, pe; times in samples).

    An image of which no pixel is kept has NaN, and 0 where things are counted.
    """
    places = (cuts or TailCuts()).find(camera, images)
    pixels = Pixels.of(places, images, times)
    found = [_describe(camera, part) for part in pixels.parts(LINES_AT_ONCE)] or [_describe(camera, pixels)]
    rows = np.concatenate(found)
    made = np.empty(len(images), rows.dtype)
    for name in rows.dtype.names or ():
        made[name] = np.nan if rows.dtype[name].kind == "f" else 0
    made[pixels.events] = rows
    return made


def _describe(camera: Camera, pixels: Pixels) -> NDArray[Any]:
    """Give a row of parameters for each image of which pixels were kept."""
    parts = [*pixels.parts(AT_ONCE)] or [pixels]
    described, along = zip(*(_describe_light(camera, part) for part in parts), strict=True)
    columns = {name: np.concatenate([each[name] for each in described]) for name in described[0]}
    lines = find_timing(pixels, np.concatenate(along))
    return table(columns | {f"timing_{name}": column for name, column in lines.items()})


def _describe_light(camera: Camera, pixels: Pixels) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Give all columns but those of timing, and where the pixels are along the axes of their images."""
    hillas = find_hillas(camera, pixels)
    groups = {
        "hillas": hillas.columns,
        "leakage": find_leakage(camera, pixels),
        "concentration": find_concentration(camera, pixels, hillas),
        "morphology": find_morphology(camera, pixels),
        "intensity": describe(pixels, pixels.charge),
        "peak_time": describe(pixels, pixels.time),
    }
    named = {
        f"{group}_{name}": column for group, columns in groups.items() for name, column in columns.items()
    }
    return named, hillas.along
