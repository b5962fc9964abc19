"""Values as entries of a palette: colours for numbers, greys for axes and for what is no number."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLOURS, GREYS = 240, 16  # entries of the palette: the colour map, then the greys of the axes
NO_DATA, LEFT_OUT = COLOURS + 13, COLOURS + 8
SAMPLED = 10_007  # values looked at to choose the range of colours
VIRIDIS = (  # sixteen colours of matplotlib's map
    "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e "
    "1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725"
)


def robust_range(values: NDArray[Any]) -> tuple[float, float]:
    """Span the values but their rarest: from the 5th to the 99.5th percentile, at least 10."""
    some = values.reshape(-1)[:: max(1, values.size // SAMPLED)]
    finite = some[np.isfinite(some)]
    if not len(finite):
        return 0.0, 10.0
    low, high = (float(each) for each in np.percentile(finite, (5, 99.5)))
    return math.floor(low), max(math.ceil(high), math.floor(low) + 10)


def indexed(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Give the entries of a matrix whose first row is the lowest; NaN is `NO_DATA`."""
    scaled = (values[::-1] - np.float32(low)) * np.float32((COLOURS - 1) / (high - low))
    np.clip(np.rint(scaled, out=scaled), 0, COLOURS - 1, out=scaled)
    scaled[np.isnan(scaled)] = NO_DATA
    return scaled.astype(np.uint8)


@cache
def palette(name: str) -> bytes:
    """Give red, green and blue of each entry, for viridis, grey or a map of matplotlib."""
    greys = [[round(255 * i / (GREYS - 1))] * 3 for i in range(GREYS)]
    return np.vstack([_colours(name), greys]).astype(np.uint8).tobytes()


def _colours(name: str) -> NDArray[Any]:
    if name == "viridis":
        known = np.frombuffer(bytes.fromhex(VIRIDIS), np.uint8).reshape(-1, 3)
    elif name == "grey":
        known = np.array([[255] * 3, [0] * 3])
    else:
        import matplotlib

        return matplotlib.colormaps[name](np.linspace(0, 1, COLOURS))[:, :3] * 255
    places = np.linspace(0, len(known) - 1, COLOURS)
    parts = [np.interp(places, np.arange(len(known)), known[:, i]) for i in range(3)]
    return np.stack(parts, axis=1)
