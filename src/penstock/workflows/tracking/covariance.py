"""How certain values are: Laplace's covariance, and what steps that share an erring position add to it.

Two steps in a row share the error of one position: per coordinate they covary by c = D t_e / 3 − σ² (Berglund 2010), which a
product of likelihoods of steps leaves out. With H the second derivatives of U and K the covariance that the scores by D of
different steps have by c, the covariance of x is H⁻¹ + H⁻¹ K H⁻¹: the sandwich, with the model's own K instead of an estimated
one. For velocities c would make errors smaller; but which steps a cell holds depends on the same erring positions, and then these
are too small: theirs stay Laplace's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import SuperLU

from penstock.workflows.tracking.cells import Sampling
from penstock.workflows.tracking.optimum import factor
from penstock.workflows.tracking.translocations import Translocations

Array = NDArray[np.float64]
AT_ONCE = 256  # columns that are solved for


def shared_scores(
    sampling: Sampling, steps: Translocations, d: Array, *, sigma2: float, exposure: float
) -> csr_array:
    """Give K (cells × cells) for the scores by D: what different pairs of cell and step have in common."""
    cell, row, size = sampling.cell, sampling.row, (len(sampling.cells), len(steps))
    lag = steps.dt[row] - exposure / 3
    weight = 4 * lag / (4 * (d[cell] * lag + sigma2)) ** 2
    uses = np.maximum(np.bincount(row, minlength=len(steps)), 1)
    common = _common(steps, np.bincount(row, d[cell], len(steps)) / uses, sigma2, exposure)
    common.data = 2 * steps.dimensions * common.data**2
    by_d = csr_array((weight, (cell, row)), size)
    own = np.bincount(cell, weight**2 * common.diagonal()[row], len(sampling.cells))
    return csr_array(by_d @ common @ by_d.T - diags_array(own))


def _common(steps: Translocations, d: Array, sigma2: float, exposure: float) -> csr_array:
    """Give the covariance of a coordinate of all pairs of steps."""
    first = np.flatnonzero(steps.after >= 0)
    second = steps.after[first]
    shared = (d[first] + d[second]) / 2 * exposure / 3 - sigma2
    own = 2 * (d * (steps.dt - exposure / 3) + sigma2)
    every = np.arange(len(steps))
    return csr_array(
        (np.r_[own, shared, shared], (np.r_[every, first, second], np.r_[every, second, first])),
        (len(steps), len(steps)),
    )


def standard_errors(
    curve: csc_array, shared: csr_array | None, wanted: csr_array, *, fixed: NDArray[np.bool_]
) -> Array:
    """Give the standard errors of the values `wanted @ x`, with parameters at their bound `fixed`; NaN where nothing tells."""
    if fixed.all():
        return np.full(wanted.shape[0], np.nan)
    diagonal = curve.diagonal()
    known = np.flatnonzero((diagonal > 1e-12 * np.median(diagonal[~fixed])) & ~fixed)
    inner, part = csc_array(curve[known][:, known]), csr_array(wanted[:, known])
    common = None if shared is None else csr_array(shared[known][:, known])
    inner.eliminate_zeros()
    if inner.nnz == len(known):  # cells know nothing of each other
        made = _of_independent(inner.diagonal(), common, part)
    elif (factors := factor(inner)) is not None:
        made = _of_factors(factors, common, part)
    else:
        return np.full(wanted.shape[0], np.nan)
    lost = np.setdiff1d(np.flatnonzero(~fixed), known)
    made[np.asarray(abs(wanted[:, lost]).sum(axis=1)).reshape(-1) > 0] = np.nan
    return made


def _of_independent(diagonal: Array, common: csr_array | None, wanted: csr_array) -> Array:
    solved = wanted @ diags_array(1 / diagonal)
    variance = (solved * wanted).sum(axis=1)
    if common is not None:
        variance = variance + ((solved @ common) * solved).sum(axis=1)
    return np.sqrt(np.maximum(np.asarray(variance).reshape(-1), 0))


def _of_factors(factors: SuperLU, common: csr_array | None, wanted: csr_array) -> Array:
    made = np.empty(wanted.shape[0])
    for first in range(0, len(made), AT_ONCE):
        rows = wanted[first : first + AT_ONCE].toarray().T
        solved = factors.solve(rows)
        variance = np.sum(rows * solved, axis=0)
        if common is not None:
            variance += np.sum(solved * (common @ solved), axis=0)
        made[first : first + AT_ONCE] = np.sqrt(np.maximum(variance, 0))
    return made


def reach_from_bound(slope: Array, curve: Array) -> Array:
    """Give how far from its bound a parameter may be until U is ½ more: `slope` x + `curve` x² / 2 = ½."""
    return 1 / (slope + np.sqrt(slope**2 + np.maximum(curve, 0)))


def centring(weights: Array, part: NDArray[np.int32]) -> csr_array:
    """Give the matrix that takes from values their weighted mean over each connected part."""
    same = csr_array((part[:, None] == part[None, :]).astype(float))
    share = diags_array(1 / (same @ weights)) @ same @ diags_array(weights)
    return csr_array(diags_array(np.ones(len(weights))) - share)
