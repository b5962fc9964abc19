"""Translocations: steps from one row of a trajectory to the next, each at its origin. No step is left out for its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.tracking.faults import Empty
from penstock.workflows.tracking.regions import Region
from penstock.workflows.tracking.trajectories import Trajectories


@dataclass(frozen=True)
class Translocations:
    """Steps `dr` (µm) that take `dt` (s) and begin at `r` (µm) at `t` (s), of trajectories `n`.

    `after` is the row of the step that begins where this one ends, and shares the error of that position; -1 if there is none.
    """

    n: NDArray[np.int64]
    t: NDArray[np.float64]
    r: NDArray[np.float64]
    dt: NDArray[np.float64]
    dr: NDArray[np.float64]
    after: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.dt)

    @property
    def dimensions(self) -> int:
        return self.dr.shape[1]

    def select(self, chosen: NDArray[np.bool_]) -> Translocations:
        """Keep some of them, in their order."""
        place = np.append(np.where(chosen, np.cumsum(chosen) - 1, -1), -1)
        after = place[self.after][chosen]
        return Translocations(
            self.n[chosen], self.t[chosen], self.r[chosen], self.dt[chosen], self.dr[chosen], after
        )

    def mean_step(self) -> float:
        """Give the mean length of a step, in µm."""
        return float(np.sqrt(np.sum(self.dr**2, axis=1)).mean())


def find_translocations(trajectories: Trajectories, *, max_gap: float | None = None) -> Translocations:
    """Give the steps of trajectories; steps of more than `max_gap` seconds are left out, others keep their own dt."""
    n, t, r = trajectories.n, trajectories.t, trajectories.r
    dt = np.diff(t)
    joined = n[1:] == n[:-1]
    if max_gap is not None:
        joined &= dt <= max_gap * (1 + 1e-9)
    row = np.flatnonzero(joined)
    follows = np.append(row[1:] == row[:-1] + 1, False) if len(row) else np.zeros(0, bool)
    after = np.where(follows, np.arange(1, len(row) + 1), -1)
    return Translocations(n[row], t[row], r[row], dt[row], r[row + 1] - r[row], after)


def within(translocations: Translocations, region: Region) -> Translocations:
    """Keep those whose origin is in a region (its border belongs to it). Raises Empty if none is."""
    if region.fault:
        raise Empty(f"{region.name} cannot be mapped: {region.fault}")
    kept = translocations.select(region.contains(translocations.r, translocations.t))
    if not len(kept):
        raise Empty(f"{region.name} holds no translocation; look whether its box is in µm, as the data")
    return kept
