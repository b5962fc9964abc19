"""Pictures of the camera in colours, a hexagon a pixel, without a plotting library."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.reports.palette import COLOURS, GREYS, NO_DATA
from penstock.workflows.reports.picture import Labels, write_picture
from penstock.workflows.reports.ticks import ticks_between
from penstock.workflows.telescope.toy.camera import camera

WHITE = COLOURS + GREYS - 1
HIGH, WIDE = 520, 800  # points
HALF = 1.25  # m, from the centre to the upper and lower ends
SHOWN = (1.0, 99.0)  # percentiles of pixels that the colours reach over


@cache
def _pixel_of_points() -> NDArray[np.int64]:
    """Give the pixel at each point, first row above; -1 outside of the camera."""
    x = (np.arange(WIDE) + 0.5 - WIDE / 2) * 2 * HALF / HIGH
    y = (HIGH / 2 - np.arange(HIGH) - 0.5) * 2 * HALF / HIGH
    at = np.meshgrid(x, y)
    return camera().find_pixels(*at)


def draw_camera(values: NDArray[Any], path: Path, title: str, unit: str) -> None:
    """Draw a value a pixel; what is no number is grey."""
    finite = values[np.isfinite(values)]
    low, high = (float(each) for each in np.percentile(finite, SHOWN)) if len(finite) else (0.0, 1.0)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    scaled = np.clip((values - low) / (high - low), 0, 1) * (COLOURS - 1)
    entries = np.where(np.isfinite(values), np.rint(np.nan_to_num(scaled)), NO_DATA).astype(np.uint8)
    points = np.append(entries, np.uint8(WHITE))[_pixel_of_points()]
    half = HALF * WIDE / HIGH
    labels = Labels(title, unit, ticks_between(-HALF, HALF), "y, m", ticks_between(-half, half), "x, m")
    write_picture(points, labels, path, span=(low, high))
