"""What can be said of a cell without its neighbours: D with a credible interval, signal to noise, evidence of a force.

Coordinates of steps are normal with a variance s² = 2 (D lag + σ²). With the conjugate prior of s² (inverse gamma) all is in
closed form. Only steps of the most frequent dt of each cell count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma as gamma_law

from penstock.workflows.tracking.likelihood import Likelihood

Array = NDArray[np.float64]
SHAPE = 1.0  # of the prior: as much as two coordinates, with the region's mean variance
FORCE = 1.0  # steps that the prior of a mean step is worth
LOW, MIDDLE, HIGH = 0.16, 0.5, 0.84


def weigh_evidence(likelihood: Likelihood) -> dict[str, Array]:
    """Give arrays of cells.

    `d_low`, `d_median`, `d_high`: 16, 50 and 84 % of the posterior of D ≥ 0 without drift (µm²/s). `snr`: the length of the mean
    step over the standard deviation of a coordinate. `log10_bayes`: of a mean step against none; above 1 is strong.
    """
    likelihood = likelihood.without_crowding(likelihood.moments()[0])
    chosen = _commonest(likelihood)
    n, axes = likelihood.number[chosen], likelihood.axes
    squares, mean = likelihood.squares[chosen], likelihood.sums[:, chosen] / n
    scale = SHAPE * squares.sum() / (axes * n.sum())
    far = np.sum(mean**2, axis=0)
    shape = SHAPE + n * axes / 2
    with_drift = scale + (squares - n * far * n / (n + FORCE)) / 2
    bayes = axes / 2 * np.log(FORCE / (FORCE + n)) - shape * np.log(with_drift / (scale + squares / 2))
    low, median, high = _quantiles(shape, scale + squares / 2, likelihood.lag[chosen], likelihood.sigma2)
    spread = np.sqrt(np.maximum(squares - n * far, 0) / (axes * n))
    snr = np.divide(np.sqrt(far), spread, out=np.full(len(n), np.nan), where=spread > 0)
    return {"d_low": low, "d_median": median, "d_high": high, "snr": snr, "log10_bayes": bayes / np.log(10)}


def _commonest(likelihood: Likelihood) -> NDArray[np.int64]:
    """Give the group with most steps of each cell; of equals that of the shortest dt."""
    order = np.lexsort((likelihood.dt, -likelihood.number, likelihood.cell))
    _, first = np.unique(likelihood.cell[order], return_index=True)
    return order[first]


def _quantiles(shape: Array, scale: Array, lag: Array, sigma2: float) -> tuple[Array, Array, Array]:
    """Give quantiles of D, where 1 / s² has a gamma law that D ≥ 0 cuts off."""
    most = gamma_law.cdf(scale / (2 * sigma2), shape) if sigma2 else np.ones(len(shape))
    found = [(scale / gamma_law.ppf((1 - p) * most, shape) / 2 - sigma2) / lag for p in (LOW, MIDDLE, HIGH)]
    low, median, high = (np.maximum(each, 0) for each in found)
    return low, median, high
