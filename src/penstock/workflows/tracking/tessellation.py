"""Tessellate the translocations of one region; what other regions there are makes no difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.tracking.cells import (
    Cells,
    Sampling,
    drop_small,
    merge_small,
    sample_knn,
    sample_nearest,
    sample_spheres,
)
from penstock.workflows.tracking.centres import draw, find_means, grow, split_parts
from penstock.workflows.tracking.faults import Empty
from penstock.workflows.tracking.lattices import count_hexagons, count_squares, lay_hexagons, lay_squares
from penstock.workflows.tracking.translocations import Translocations
from penstock.workflows.tracking.voronoi import lay_voronoi

Array = NDArray[np.float64]
A_CELL = 80  # translocations, unless a resolution is chosen
LEAST_STEP = 0.4  # of the mean step: no smaller inradius
LATTICES: Mapping[str, tuple[Callable[[Array, float], int], Callable[[Array, float], Cells]]] = {
    "hexagons": (count_hexagons, lay_hexagons),
    "squares": (count_squares, lay_squares),
}
FREE: Mapping[str, Callable[[Array, Array, int, Tessellation], Array]] = {
    "kmeans": lambda r, box, number, how: find_means(r, number),
    "kdtree": lambda r, box, number, how: split_parts(r, number),
    "adaptive": lambda r, box, number, how: grow(r, box, how.per_cell // 2),
    "random": lambda r, box, number, how: draw(r, number, how.seed),
}
SAMPLINGS = ("voronoi", "knn", "spheres")
SMALL = {"drop": drop_small, "merge": merge_small}


@dataclass(frozen=True, slots=True)
class Tessellation:
    """How to make cells. `resolution` is their width in µm; without it about `per_cell` translocations count for each.

    `k` is of the sampling `knn`, `radius` (µm) of `spheres`, `seed` of `random`. `small` says what becomes of cells with
    fewer than `min_count`: drop or merge.
    """

    kind: str = "hexagons"
    resolution: float | None = None
    per_cell: int = A_CELL
    sampling: str = "voronoi"
    k: int = A_CELL
    radius: float | None = None
    min_count: int = 20
    small: str = "drop"
    seed: int = 0

    def __post_init__(self) -> None:
        known = {"kind": (*LATTICES, *FREE), "sampling": SAMPLINGS, "small": tuple(SMALL)}
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise DefinitionError(f"{name} = {getattr(self, name)!r} is unknown; say {', '.join(words)}")
        for name in ("resolution", "per_cell", "k", "radius", "min_count"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                raise DefinitionError(f"{name} = {value} cannot be; give a positive number")
        if self.sampling == "spheres" and self.radius is None:
            raise DefinitionError("the sampling `spheres` needs a radius, in µm")


def tessellate(steps: Translocations, box: Array, how: Tessellation | None = None) -> Sampling:
    """Cover a box (2 × axes, µm) with cells, and say which translocations count for which. Raises Empty if none is left."""
    how = how or Tessellation()
    if not len(steps):
        raise Empty("there is no translocation to tessellate")
    sampling = _sample(lay_cells(steps, box, how), steps.r, how)
    return SMALL[how.small](sampling, how.min_count)


def lay_cells(steps: Translocations, box: Array, how: Tessellation) -> Cells:
    """Make the cells alone."""
    if how.kind in LATTICES:
        count, lay = LATTICES[how.kind]
        return lay(
            box, how.resolution / 2 if how.resolution else choose_size(count, steps, box, how.per_cell)
        )
    r = steps.r[:, : box.shape[1]]
    if how.resolution:
        area = float(np.prod(box[1] - box[0]))
        number = max(1, round(area / how.resolution ** box.shape[1]))
    else:
        number = max(1, round(len(steps) / how.per_cell))
    if how.kind == "adaptive" and box.shape[1] != 2:
        raise DefinitionError("adaptive cells are of two dimensions; use kmeans or kdtree with z")
    return lay_voronoi(_inside(FREE[how.kind](r, box, number, how), box), box)


def _inside(centres: Array, box: Array) -> Array:
    """Move centres off the walls, where mirrored ones would coincide with them."""
    room = 1e-6 * (box[1] - box[0])
    return np.unique(np.clip(centres, box[0] + room, box[1] - room), axis=0)


def choose_size(
    count: Callable[[Array, float], int], steps: Translocations, box: Array, per_cell: int = A_CELL
) -> float:
    """Give the inradius (µm) with which the number of cells is nearest to N / `per_cell`; not below 0.4 mean steps.

    The number falls with the size, in jumps: the middle of the sizes that give the best number is taken, so that rounding
    does not matter. Of two numbers that are as near, the smaller counts.
    """
    target = max(1.0, len(steps) / per_cell)
    top = float((box[1, :2] - box[0, :2]).max())
    edge = _largest(lambda r: count(box, r) >= target, top)
    few, many = (count(box, edge * (1 + way * 1e-6)) for way in (1, -1))
    best = few if target - few <= many - target else many
    low = _largest(lambda r: count(box, r) > best, top)
    high = _largest(lambda r: count(box, r) >= best, top)
    return max((low + high) / 2, LEAST_STEP * steps.mean_step())


def _largest(holds: Callable[[float], bool], top: float) -> float:
    """Give the largest size for which something holds, by halving; it holds for all smaller ones."""
    low, high = 0.0, top
    if holds(high):
        return high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if middle > 0 and holds(middle) else (low, middle)
    return low


def _sample(cells: Cells, r: Array, how: Tessellation) -> Sampling:
    if how.sampling == "knn":
        return sample_knn(cells, r, how.k)
    if how.sampling == "spheres":
        return sample_spheres(cells, r, how.radius or 0.0)
    return sample_nearest(cells, r)


def slide(t: Array, duration: float, shift: float) -> Iterator[tuple[float, float, NDArray[np.bool_]]]:
    """Yield windows of `duration` s, each `shift` s after the last: begin, end (not part of it), which times are in it.

    The last window is the first that holds the last time, or the last before it.
    """
    if not (duration > 0 and shift > 0):
        raise DefinitionError("windows need a positive duration and shift, in s")
    first, last = float(t.min()), float(t.max())
    number = 1 + max(0, int(np.ceil((last - first - duration) / shift + 1e-9)))
    for i in range(number):
        begin = first + i * shift
        if begin > last:  # which lies between two windows
            return
        yield begin, begin + duration, (t >= begin) & (t < begin + duration)
