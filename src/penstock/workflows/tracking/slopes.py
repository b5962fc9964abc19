"""Gradients of what is known in cells, and how steep it is in all: linear, so that exact derivatives are matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from penstock.workflows.tracking.cells import Cells

FLAT = 1e-6  # of the largest singular value: neighbours on one line


def plane_gradient(cells: Cells) -> csr_matrix:
    """Give the matrix that takes values of cells to gradients (axis by axis: rows `axis × cells + cell`).

    A plane through the cell's own value and, by least squares, those of its neighbours; exact on linear fields. Where the
    neighbours lie on one line, theirs are taken too.
    """
    m, near = len(cells), cells.adjacency()
    rows, columns, values = [], [], []
    for i in range(m):
        others, slopes = _fit_plane(cells, near, i)
        for axis, slope in enumerate(slopes):
            rows += [axis * m + i] * (len(others) + 1)
            columns += [*others, i]
            values += [*slope, -float(slope.sum())]
    return csr_matrix((values, (rows, columns)), (cells.axes * m, m))


def _fit_plane(cells: Cells, near: csr_matrix, i: int) -> tuple[list[int], NDArray[np.float64]]:
    """Give neighbours, and what their differences from the cell's value weigh on each axis."""
    others = _neighbours(near, [i]) - {i}
    for _ in range(2):
        apart = cells.centres[sorted(others)] - cells.centres[i]
        if len(apart) and np.linalg.matrix_rank(apart, FLAT * np.abs(apart).max()) == cells.axes:
            break
        others |= _neighbours(near, sorted(others)) - {i}
    listed = sorted(others)
    apart = cells.centres[listed] - cells.centres[i]
    return listed, np.linalg.pinv(apart, rcond=FLAT) if listed else np.zeros((cells.axes, 0))


def _neighbours(near: csr_matrix, cells: list[int]) -> set[int]:
    return {int(other) for cell in cells for other in near.indices[near.indptr[cell] : near.indptr[cell + 1]]}


def plane_steepness(cells: Cells) -> csr_matrix:
    """Give Q of Σ A_i |∇X_i|² = Xᵀ Q X, with the gradients of planes."""
    gradient = plane_gradient(cells)
    return csr_matrix(gradient.T @ diags(np.tile(cells.areas, cells.axes)) @ gradient)


def pair_steepness(cells: Cells) -> csr_matrix:
    """Give Q of Σ A_i mean over neighbours of ((X_j - X_i) / d_ij)² = Xᵀ Q X."""
    m = len(cells)
    if not len(cells.pairs):
        return csr_matrix((m, m))
    i, j = cells.pairs.T
    degree = np.bincount(cells.pairs.reshape(-1), minlength=m)
    share = cells.areas / np.maximum(degree, 1)
    weight = (share[i] + share[j]) / np.sum((cells.centres[i] - cells.centres[j]) ** 2, axis=1)
    values = np.r_[weight, weight, -weight, -weight]
    return csr_matrix((values, (np.r_[i, j, i, j], np.r_[i, j, j, i])), (m, m))


STEEPNESS: Mapping[str, Callable[[Cells], csr_matrix]] = {"grad": plane_steepness, "slope": pair_steepness}
