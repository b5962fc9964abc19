"""Where centres of cells go that follow the data: k-means, a k-d tree, an adaptive lattice, at random. All are deterministic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from penstock.workflows.tracking.lattices import lay_hexagons

Array = NDArray[np.float64]
ROUNDS = 100  # of Lloyd's algorithm
FINE = 4  # hexagons of the adaptive lattice's ground, for each cell


def split_parts(r: Array, number: int) -> Array:
    """Give the means of the leaves of a k-d tree of so many, each split across its longer side into equally full parts."""
    if number <= 1:
        return r.mean(axis=0, keepdims=True)
    axis = int(np.argmax(np.ptp(r, axis=0)))
    order, less = np.argsort(r[:, axis], kind="stable"), number // 2
    first, second = np.split(order, [len(r) * less // number])
    return np.concatenate([split_parts(r[first], less), split_parts(r[second], number - less)])


def find_means(r: Array, number: int) -> Array:
    """Give the centres of k-means, begun from the leaves of a k-d tree."""
    centres = split_parts(r, number)
    for _ in range(ROUNDS):
        _, label = cKDTree(centres).query(r)
        moved = _means(r, label)
        if moved.shape == centres.shape and np.allclose(moved, centres, rtol=0, atol=1e-9):
            break
        centres = moved
    return centres


def _means(r: Array, label: NDArray[np.intp]) -> Array:
    used, label = np.unique(label, return_inverse=True)
    counts = np.bincount(label, minlength=len(used))
    return np.column_stack([np.bincount(label, axis) / counts for axis in r.T])


def grow(r: Array, box: Array, least: int) -> Array:
    """Give centres that lie denser where positions do: a fine lattice whose parts are joined until each holds `least`.

    Parts grow from the emptiest, each by the neighbour whose centre is nearest. In two dimensions only.
    """
    area = np.prod(box[1, :2] - box[0, :2])
    size = np.sqrt(area * least / (FINE * len(r)) / (2 * np.sqrt(3)))
    ground = lay_hexagons(box, float(size))
    _, label = cKDTree(ground.centres).query(r)
    counts = np.bincount(label, minlength=len(ground)).astype(float)
    near = [set(row.indices.tolist()) for row in ground.adjacency()]
    centre = ground.centres.copy()
    full = counts > 0
    centre[full] = np.column_stack(
        [np.bincount(label, axis, len(ground))[full] / counts[full] for axis in r.T]
    )
    alive = np.ones(len(ground), bool)
    while True:
        small = np.flatnonzero(alive & (counts < least))
        if not len(small) or np.count_nonzero(alive) == 1:
            return centre[alive]
        one = int(small[np.argmin(counts[small])])
        other = min(near[one], key=lambda each: (float(np.sum((centre[each] - centre[one]) ** 2)), each))
        _absorb(one, other, near, centre, counts)
        alive[one] = False


def _absorb(one: int, other: int, near: list[set[int]], centre: Array, counts: Array) -> None:
    """Make `one` a part of `other`."""
    total = counts[one] + counts[other]
    if total:
        centre[other] = (counts[one] * centre[one] + counts[other] * centre[other]) / total
    counts[other] = total
    for each in near[one]:
        near[each].discard(one)
        if each != other:
            near[each].add(other)
            near[other].add(each)


def draw(r: Array, number: int, seed: int) -> Array:
    """Choose so many positions at random, all different."""
    places = np.unique(r, axis=0)
    return places[np.random.default_rng(seed).choice(len(places), min(number, len(places)), replace=False)]
