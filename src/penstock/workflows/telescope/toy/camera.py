"""A camera of 265 modules of seven hexagonal pixels, as large as that of LST-1, from a rule and not from a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

NAME = "toy-1855"
PITCH = 0.05  # m, between the centres of neighbours, and from flat side to flat side
FOCAL_LENGTH = 28.0  # m
MODULES, PER_MODULE = 265, 7
PIXELS = MODULES * PER_MODULE
FARTHEST = 73  # squared distance of the outermost modules, in distances of modules
STEPS = np.array(
    [(1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1)]
)  # to the neighbours, in axial coordinates
TO_MODULE = np.array([(2, 1), (-1, 3)])  # flowers of seven hexagons that lie so apart leave no gap
REACH = 40  # of the table of places: no pixel is so many steps from the centre

METRES_PER_DEGREE = FOCAL_LENGTH * np.pi / 180


@dataclass(frozen=True, eq=False)
class Camera:
    """Where the pixels are, and which are beside each other. Pixel p is of the module p // 7.

    `x` and `y` in m; `neighbours` (pixels × 6), filled up with the number of pixels; `area` in m².
    """

    x: Array
    y: Array
    neighbours: Indices
    places: Indices  # pixel by axial coordinates, -1 where there is none

    @property
    def area(self) -> float:
        """The area of a pixel."""
        return float(np.sqrt(3) / 2 * PITCH**2)

    def __len__(self) -> int:
        return len(self.x)

    def find_pixels(self, x: Array, y: Array) -> Indices:
        """Give the pixel that holds each position (m), -1 outside of the camera."""
        r = y / (PITCH * np.sqrt(3) / 2)
        q = x / PITCH - r / 2
        s = -q - r
        whole = [np.rint(each) for each in (q, r, s)]
        off = [np.abs(each - near) for each, near in zip((q, r, s), whole, strict=True)]
        at_q = np.where((off[0] > off[1]) & (off[0] > off[2]), -whole[1] - whole[2], whole[0])
        at_r = np.where((off[1] >= off[0]) & (off[1] > off[2]), -whole[0] - whole[2], whole[1])
        return self.places[tuple(np.clip(np.stack([at_q, at_r]).astype(np.int64), -REACH, REACH) + REACH)]

    def border(self, width: int) -> NDArray[np.bool_]:
        """Give the pixels of the outermost `width` rows: those without all neighbours, then those beside them."""
        made = np.any(self.neighbours == len(self), axis=1)
        for _ in range(width - 1):
            made = made | np.append(made, False)[self.neighbours].any(axis=1)
        return made


@cache
def camera() -> Camera:
    """Give the camera.

    >>> len(camera())
    1855
    """
    modules = _nearest_modules()
    flower = np.vstack([[(0, 0)], STEPS])
    axial = (modules @ TO_MODULE)[:, None] + flower
    q, r = axial.reshape(-1, 2).T
    places = np.full((2 * REACH + 1, 2 * REACH + 1), -1)
    places[q + REACH, r + REACH] = np.arange(len(q))
    beside = places[q[:, None] + STEPS[:, 0] + REACH, r[:, None] + STEPS[:, 1] + REACH]
    neighbours = np.sort(np.where(beside < 0, len(q), beside), axis=1)
    return Camera(PITCH * (q + r / 2), PITCH * np.sqrt(3) / 2 * r, neighbours, places)


def _nearest_modules() -> NDArray[Any]:
    """Give the axial coordinates of the modules on their own lattice, by distance and then by direction."""
    span = np.arange(-REACH // 4, REACH // 4 + 1)
    a, b = (each.ravel() for each in np.meshgrid(span, span))
    distance = a * a + a * b + b * b
    angle = np.arctan2(np.sqrt(3) / 2 * b, a + b / 2)
    order = np.lexsort((angle.round(9), distance))
    return np.stack([a, b], axis=1)[order][distance[order] <= FARTHEST]
