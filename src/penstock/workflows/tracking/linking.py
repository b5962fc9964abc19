"""Points without trajectories, linked: each to the nearest of the next frame if both are nearest to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from penstock.workflows.tracking.points import Points


def link(points: Points, reach: float) -> Points:
    """Give trajectories to points: mutual nearest neighbours of consecutive frames, at most `reach` (µm) apart."""
    good = np.isfinite(points.t) & np.isfinite(points.r).all(axis=1)
    number = np.arange(len(points.t))
    times = np.unique(points.t[good])
    if len(times) > 1:
        step = np.diff(times).min()
        rows = [np.flatnonzero(good & (points.t == each)) for each in times]
        for i in np.flatnonzero(np.diff(times) < 1.5 * step):
            now, then = rows[i], rows[i + 1]
            mine, theirs = _mutual(points.r[now], points.r[then], reach)
            number[then[theirs]] = number[now[mine]]
    told = (*points.told, f"linked within {reach:g} µm: {len(np.unique(number[good]))} trajectories")
    return Points(points.r, points.t, number.astype(float), told)


def _mutual(
    now: NDArray[np.float64], then: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    distance, ahead = cKDTree(then).query(now)
    _, back = cKDTree(now).query(then)
    mine = np.flatnonzero((back[ahead] == np.arange(len(now))) & (distance <= reach))
    return mine, ahead[mine]
