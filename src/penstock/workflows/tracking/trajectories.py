"""Trajectories: rows in order of trajectory and time, checked, with times on their frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.frames import check_spacing, snap
from penstock.workflows.tracking.points import Points


@dataclass(frozen=True)
class Trajectories:
    """Positions `r` (rows × dimensions, µm) at times `t` (s) of trajectories `n`; sorted by `n`, then `t`.

    `told` says what was found and done about it.
    """

    n: NDArray[np.int64]
    t: NDArray[np.float64]
    r: NDArray[np.float64]
    told: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.n)

    @property
    def dimensions(self) -> int:
        return self.r.shape[1]

    def box(self) -> NDArray[np.float64]:
        """Give the least and the largest coordinate on each axis (2 × dimensions, µm)."""
        return np.array([self.r.min(axis=0), self.r.max(axis=0)])


def order(points: Points, frame_interval: float | None = None) -> Trajectories:
    """Sort points into trajectories and check them.

    A row that is not finite splits its trajectory. Raises Unreadable for two positions of one trajectory at one time.
    """
    if points.n is None:
        raise DefinitionError(
            "the file has no trajectories; give `link`, the longest step in µm, to link points"
        )
    told = [*points.told]
    n, t, r = _split(points, told)
    sequence = np.lexsort((t, n))
    if np.any(sequence[1:] < sequence[:-1]):
        told.append("rows were not in order of trajectory and time, and were sorted")
    n, t, r = _distinct(n[sequence], t[sequence], r[sequence], told)
    if frame_interval is None:
        check_spacing(_spacings(n, t), told)
    else:
        t = snap(t, frame_interval, told)
        n, t, r = _distinct(n, t, r, told)
    return Trajectories(n, t, r, tuple(told))


def _spacings(n: NDArray[np.int64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.diff(t)[n[1:] == n[:-1]]


def _split(
    points: Points, told: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Give rows that are finite; those of a trajectory after one that is not get a number of their own."""
    raw = np.asarray(points.n, float)
    numbered = np.isfinite(raw)
    finite = numbered & np.isfinite(points.t) & np.isfinite(points.r).all(axis=1)
    if finite.all():
        return raw.astype(np.int64), points.t, points.r
    sequence = np.lexsort((np.arange(len(raw)), np.where(numbered, raw, np.inf)))
    breaks = np.cumsum(~finite[sequence])
    part = np.empty(len(raw), np.int64)
    part[sequence] = breaks
    lost = int(np.count_nonzero(~finite))
    told.append(f"{lost} rows are not finite: left out, and their trajectories split there")
    _, number = np.unique(np.column_stack([raw, part])[finite], axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int64), points.t[finite], points.r[finite]


def _distinct(
    n: NDArray[np.int64], t: NDArray[np.float64], r: NDArray[np.float64], told: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Leave out rows that are there twice; refuse those that contradict each other."""
    same = np.r_[False, (n[1:] == n[:-1]) & (t[1:] == t[:-1])]
    if not same.any():
        return n, t, r
    other = same & np.r_[False, np.any(r[1:] != r[:-1], axis=1)]
    if other.any():
        i = int(np.argmax(other))
        raise Unreadable(
            f"trajectory {n[i]} is at two places at {t[i]:g} s, one of {np.count_nonzero(other)} such rows;"
            " give each particle a number of its own"
        )
    told.append(f"{np.count_nonzero(same)} rows were there twice")
    return n[~same], t[~same], r[~same]


def join(many: Sequence[Trajectories]) -> Trajectories:
    """Make one of several files; equal numbers of different files stay different trajectories."""
    sizes = {each.dimensions for each in many}
    if len(sizes) != 1:
        raise DefinitionError("files with z and without cannot be one; leave z out of the columns")
    numbers, offset = [], 0
    for each in many:
        _, number = np.unique(each.n, return_inverse=True)
        numbers.append(number + offset)
        offset += int(number.max(initial=-1)) + 1
    t, r = np.concatenate([each.t for each in many]), np.concatenate([each.r for each in many])
    told = dict.fromkeys(text for each in many for text in each.told)
    return Trajectories(np.concatenate(numbers), t, r, tuple(told))
