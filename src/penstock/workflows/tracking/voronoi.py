"""Cells around any centres: Voronoi's, cut at the walls of a box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, Voronoi

from penstock.workflows.tracking.cells import Cells
from penstock.workflows.tracking.lattices import sort_pairs

Array = NDArray[np.float64]


def lay_voronoi(centres: Array, box: Array) -> Cells:
    """Give each centre (inside the box, µm) the part of the box that is nearest to it.

    Centres are mirrored at every wall, so that cells end there.
    """
    n, axes = centres.shape
    mirrored = [centres]
    for axis in range(axes):
        for end in box[:, axis]:
            image = centres.copy()
            image[:, axis] = 2 * end - image[:, axis]
            mirrored.append(image)
    made = Voronoi(np.concatenate(mirrored))
    between = made.ridge_points
    pairs = between[(between < n).all(axis=1)].astype(np.int64)
    corners = [made.vertices[made.regions[made.point_region[i]]] for i in range(n)]
    hulls = [ConvexHull(each) for each in corners]
    areas = np.array([hull.volume for hull in hulls])
    outlines = tuple(hull.points[hull.vertices] for hull in hulls) if axes == 2 else ()
    return Cells(centres, areas, areas, sort_pairs(pairs), outlines)
