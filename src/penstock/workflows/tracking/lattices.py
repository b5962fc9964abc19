"""Regular cells over a box: hexagons and squares, centred on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from penstock.workflows.tracking.cells import Cells

Array = NDArray[np.float64]
SAME = 1e-9  # of a size: rounding


def _steps(length: float) -> int:
    """Give how many whole steps cover a length; one at least."""
    return max(1, math.ceil(length - SAME))


def shape_of_hexagons(box: Array, r: float) -> tuple[int, int]:
    """Give how many hexagons of inradius `r` (µm) a row has, and how many rows cover a box.

    With the side a = r / cos 30°, columns are 2 r apart and rows 1.5 a. The first row, the third … have that many, each other
    one is shifted by r and has one more.
    """
    width, height = box[1, :2] - box[0, :2]
    a = r / math.cos(math.pi / 6)
    return _steps(width / (2 * r)), 1 + max(0, math.ceil((height - a) / (1.5 * a) - SAME))


def count_hexagons(box: Array, r: float) -> int:
    """Give how many hexagons of inradius `r` (µm) cover a box.

    >>> count_hexagons(np.array([[0, 0], [1, 1]]), 0.1)
    38
    """
    columns, rows = shape_of_hexagons(box, r)
    return columns * rows + rows // 2


def lay_hexagons(box: Array, r: float) -> Cells:
    """Cover a box with hexagons of inradius `r` (µm), of area 2 √3 r², row by row from below."""
    columns, rows = shape_of_hexagons(box, r)
    a, middle = r / math.cos(math.pi / 6), box[:, :2].mean(axis=0)
    lines = [
        np.column_stack([2 * r * (np.arange(n) - (n - 1) / 2), np.full(n, 1.5 * a * (row - (rows - 1) / 2))])
        for row in range(rows)
        for n in [columns + row % 2]
    ]
    angles = np.pi / 6 + np.pi / 3 * np.arange(6)
    corners = a * np.column_stack([np.cos(angles), np.sin(angles)])
    return _laid(middle + np.concatenate(lines), 2 * r, 2 * math.sqrt(3) * r**2, corners, box)


def count_squares(box: Array, r: float) -> int:
    """Give how many squares of inradius `r` (µm) cover a box."""
    width, height = box[1, :2] - box[0, :2]
    return _steps(width / (2 * r)) * _steps(height / (2 * r))


def lay_squares(box: Array, r: float) -> Cells:
    """Cover a box with squares of inradius `r` (µm), row by row from below."""
    width, height = (box[1, :2] - box[0, :2]) / (2 * r)
    x, y = (2 * r * (np.arange(n) - (n - 1) / 2) for n in (_steps(width), _steps(height)))
    grid = np.column_stack([np.tile(x, len(y)), np.repeat(y, len(x))])
    corners = r * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return _laid(box[:, :2].mean(axis=0) + grid, 2 * r, 4 * r**2, corners, box)


def _laid(centres: Array, apart: float, area: float, corners: Array, box: Array) -> Cells:
    pairs = cKDTree(centres).query_pairs(1.1 * apart, output_type="ndarray").astype(np.int64)
    outlines = tuple(centre + corners for centre in centres)
    areas = np.full(len(centres), area)
    reach = np.abs(corners).max(axis=0)
    cut = np.any((centres - reach < box[0, :2]) | (centres + reach > box[1, :2]), axis=1)
    inside = areas.copy()
    inside[cut] = [area_within(outlines[i], box) for i in np.flatnonzero(cut)]
    return Cells(centres, areas, inside, sort_pairs(pairs), outlines)


def area_within(outline: Array, box: Array) -> float:
    """Give how much of a convex polygon (corners in order, µm) lies in a box: cut off at one wall after the other.

    >>> area_within(np.array([[0, 0], [2, 0], [2, 2], [0, 2]]), np.array([[1, 1], [5, 5]]))
    1.0
    """
    for axis in (0, 1):
        for sign, wall in ((1, box[0, axis]), (-1, box[1, axis])):
            outline = _cut(outline, sign * (outline[:, axis] - wall))
    x, y = outline.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _cut(outline: Array, height: Array) -> Array:
    """Leave out what is below 0, and add the corners where sides cross it."""
    kept: list[Array] = []
    for i, (one, other) in enumerate(zip(height, np.roll(height, -1), strict=True)):
        if one >= 0:
            kept.append(outline[i])
        if (one < 0) != (other < 0):
            kept.append(outline[i] + (outline[(i + 1) % len(outline)] - outline[i]) * one / (one - other))
    return np.array(kept).reshape(-1, 2)


def sort_pairs(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give pairs in order, the lower number first."""
    made = np.sort(pairs.reshape(-1, 2), axis=1)
    return made[np.lexsort((made[:, 1], made[:, 0]))]
