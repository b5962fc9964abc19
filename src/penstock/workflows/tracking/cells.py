"""Cells of a region: where they are, how large, which ones touch; and which translocations count for which."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from penstock.workflows.tracking.faults import Empty

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Cells by `centres` (cells × axes, µm) and `areas` (µm²; µm³ in 3-D).

    `inside` is how much of each area is in the box that they cover. `pairs` (pairs × 2, the lower number first, sorted) share an
    edge. `outlines` are corners (µm), none in 3-D.
    """

    centres: Array
    areas: Array
    inside: Array
    pairs: NDArray[np.int64]
    outlines: tuple[Array, ...] = ()

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def axes(self) -> int:
        return self.centres.shape[1]

    def adjacency(self) -> csr_matrix:
        """Give a symmetric matrix that is 1 where two cells touch."""
        i, j = self.pairs.T if len(self.pairs) else (np.zeros(0, int), np.zeros(0, int))
        ones = np.ones(2 * len(i))
        return csr_matrix((ones, (np.r_[i, j], np.r_[j, i])), (len(self), len(self)))

    def components(self) -> NDArray[np.int32]:
        """Give each cell the number of the connected part that it belongs to."""
        return connected_components(self.adjacency(), directed=False)[1]

    def keep(self, kept: NDArray[np.bool_]) -> Cells:
        """Leave cells out, and renumber."""
        place = np.cumsum(kept) - 1
        pairs = self.pairs[kept[self.pairs].all(axis=1)] if len(self.pairs) else self.pairs
        outlines = tuple(each for each, stays in zip(self.outlines, kept, strict=False) if stays)
        return Cells(self.centres[kept], self.areas[kept], self.inside[kept], place[pairs], outlines)


@dataclass(frozen=True)
class Sampling:
    """Which translocations count for which cell: pairs (`cell`, `row`), sorted; a row may count for several cells, or none."""

    cells: Cells
    cell: NDArray[np.int64]
    row: NDArray[np.int64]
    told: tuple[str, ...] = ()

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.bincount(self.cell, minlength=len(self.cells))

    def select(self, chosen: NDArray[np.bool_]) -> Sampling:
        """Keep some translocations, whose rows are renumbered; the cells stay."""
        stays = chosen[self.row]
        return replace(self, cell=self.cell[stays], row=(np.cumsum(chosen) - 1)[self.row[stays]])


def sample_nearest(cells: Cells, r: Array) -> Sampling:
    """Let each position count for the cell with the nearest centre: Voronoi's."""
    _, cell = cKDTree(cells.centres).query(r[:, : cells.axes])
    row = np.argsort(cell, kind="stable")
    return Sampling(cells, cell[row].astype(np.int64), row)


def sample_knn(cells: Cells, r: Array, k: int) -> Sampling:
    """Let the `k` positions nearest to its centre count for each cell."""
    k = min(k, len(r))
    _, row = cKDTree(r[:, : cells.axes]).query(cells.centres, k=range(1, k + 1))
    return Sampling(cells, np.repeat(np.arange(len(cells)), k), np.sort(row, axis=1).reshape(-1))


def sample_spheres(cells: Cells, r: Array, radius: float) -> Sampling:
    """Let all positions within `radius` (µm) of its centre count for each cell."""
    found = cKDTree(r[:, : cells.axes]).query_ball_point(cells.centres, radius, return_sorted=True)
    sizes = [len(each) for each in found]
    row = np.array([row for each in found for row in each], np.int64)
    return Sampling(cells, np.repeat(np.arange(len(cells)), sizes), row)


def drop_small(sampling: Sampling, least: int) -> Sampling:
    """Leave out cells for which fewer than `least` translocations count, and say so. Raises Empty if none is left."""
    kept = sampling.counts >= least
    if kept.all():
        return sampling
    if not kept.any():
        most = int(sampling.counts.max(initial=0))
        raise Empty(f"no cell has {least} translocations, the fullest has {most}; make cells larger")
    stays = kept[sampling.cell]
    lost, rows = int(np.count_nonzero(~kept)), int(np.count_nonzero(~stays))
    told = (
        f"{lost} of {len(kept)} cells have fewer than {least} translocations: dropped, with {rows} of these"
    )
    cell = (np.cumsum(kept) - 1)[sampling.cell[stays]]
    return Sampling(sampling.cells.keep(kept), cell, sampling.row[stays], (*sampling.told, told))


def merge_small(sampling: Sampling, least: int) -> Sampling:
    """Join each cell with fewer than `least` translocations to its fullest neighbour, the emptiest first, and say so.

    What has no neighbour, or no translocation, is dropped. A joined cell is centred where its area is, and has no outline.
    """
    counts, home = sampling.counts.copy(), np.arange(len(sampling.cells))
    near = sampling.cells.adjacency()
    filled = counts > 0
    for small in np.argsort(counts, kind="stable"):
        if 0 < counts[small] < least:
            touching = np.unique(home[near[home == small].indices])
            others = [each for each in touching if each != small and filled[each]]
            if others:
                best = max(others, key=lambda each: (counts[each], -each))
                home[home == small] = best
                counts[best] += counts[small]
                counts[small] = 0
    merged = int(np.count_nonzero(home[filled] != np.arange(len(home))[filled]))
    made = _joined(sampling, home, filled)
    told = (
        (f"{merged} cells with fewer than {least} translocations were joined to neighbours",)
        if merged
        else ()
    )
    return drop_small(replace(made, told=(*sampling.told, *told)), least)


def _joined(sampling: Sampling, home: NDArray[np.int64], filled: NDArray[np.bool_]) -> Sampling:
    """Make cells of those that have the same home."""
    cells = sampling.cells
    names, number = np.unique(home[filled], return_inverse=True)
    place = np.full(len(cells), -1)
    place[filled] = number
    sizes, inside = (np.bincount(number, each[filled]) for each in (cells.areas, cells.inside))
    centres = np.column_stack(
        [np.bincount(number, cells.areas[filled] * axis) / sizes for axis in cells.centres[filled].T]
    )
    pairs = np.sort(place[cells.pairs], axis=1)
    pairs = np.unique(pairs[(pairs[:, 0] >= 0) & (pairs[:, 0] != pairs[:, 1])], axis=0)
    alone = np.bincount(number) == 1
    outlines = tuple(
        cells.outlines[name] if single else np.empty((0, 2))
        for name, single in zip(names, alone, strict=True)
        if cells.outlines
    )
    cell = place[sampling.cell]
    order = np.lexsort((sampling.row, cell))
    return Sampling(Cells(centres, sizes, inside, pairs, outlines), cell[order], sampling.row[order])
