"""Whether one D describes the steps of a cell: are they as unequal, and as independent, as the model says?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from penstock.workflows.tracking.cells import Sampling
from penstock.workflows.tracking.translocations import Translocations

Array = NDArray[np.float64]
LIMIT = 3.5  # standard deviations
LEAST = 20  # steps, or pairs of them, without which nothing is said


@dataclass(frozen=True)
class Flag:
    """A power of two, its name, and what is wrong with a cell that has it."""

    value: int
    name: str
    meaning: str


FLAGS = (
    Flag(
        1,
        "unequal",
        "steps are more, or less, unequal in length than with one D: several species, or D varies",
    ),
    Flag(
        2, "dependent", "steps in a row covary otherwise than D and σ say: confinement, H ≠ 1/2, or another σ"
    ),
    Flag(4, "bound", "D is at its bound 0: steps are no longer than σ explains"),
)


def judge_fit(
    sampling: Sampling,
    steps: Translocations,
    d: Array,
    u: Array,
    *,
    sigma2: float,
    exposure: float,
    offset: Array | float = 0.0,
) -> dict[str, Array]:
    """Give how many standard deviations each cell is off: `unequal` (positive: too unequal) and `dependent`.

    The mean step is u dt + `offset` (axes × cells, µm). With q = |dr − mean|² / v of a step: `unequal` is of
    1 − mean(√q) / √mean(q), whatever D; `dependent` is of the mean product of steps in a row, per coordinate, against
    D t_e / 3 − σ². NaN where there are too few.
    """
    cell, row, m = sampling.cell, sampling.row, len(sampling.cells)
    v = 4 * (d[cell] * (steps.dt[row] - exposure / 3) + sigma2)
    off = steps.dr[row] - (u[:, cell] * steps.dt[row] + np.broadcast_to(offset, u.shape)[:, cell]).T
    number = np.bincount(cell, minlength=m)
    q = np.sum(off**2, axis=1) / v
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.bincount(cell, np.sqrt(q), m) / number / np.sqrt(np.bincount(cell, q, m) / number)
        expected, spread = _ratio(steps.dimensions / 2)
        unequal = (expected * (1 - _small(steps.dimensions / 2) / number) - ratio) * np.sqrt(number) / spread
    return {
        "unequal": np.where(number >= LEAST, unequal, np.nan),
        "dependent": _dependence(sampling, steps, off, v, d, sigma2, exposure),
    }


def _ratio(k: float) -> tuple[float, float]:
    """Give the mean of √q / √(mean q) of gamma variables of shape k, and its standard deviation times √n."""
    root = float(gamma(k + 0.5) / gamma(k))
    covariance = float(gamma(k + 1.5) / gamma(k)) - root * k
    variance = (k - root**2) / k - root * covariance / k**2 + root**2 / (4 * k**2)
    return root / k**0.5, variance**0.5


def _small(k: float) -> float:
    """Give the first correction of that mean, times n: it is larger by what the mean of q varies."""
    root = float(gamma(k + 0.5) / gamma(k))
    covariance = float(gamma(k + 1.5) / gamma(k)) - root * k
    return covariance / (2 * root * k) - 3 / (8 * k)


def _dependence(
    sampling: Sampling, steps: Translocations, off: Array, v: Array, d: Array, sigma2: float, exposure: float
) -> Array:
    cell, row, m = sampling.cell, sampling.row, len(sampling.cells)
    place = np.full(len(steps) + 1, -1)
    place[row] = np.arange(len(row))
    first = np.flatnonzero(place[steps.after[row]] >= 0)
    second, mine = place[steps.after[row[first]]], cell[first]
    usual = np.sqrt(v[first] * v[second]) / 2
    product = np.sum(off[first] * off[second], axis=1) / (usual * steps.dimensions)
    expected = ((d[mine] + d[cell[second]]) / 2 * exposure / 3 - sigma2) / usual
    pairs = np.bincount(mine, minlength=m)
    with np.errstate(invalid="ignore", divide="ignore"):
        excess, rho = (np.bincount(mine, each, m) / pairs for each in (product - expected, expected))
        score = excess / np.sqrt((1 + 3 * rho**2) / (steps.dimensions * pairs))
    return np.where(pairs >= LEAST, score, np.nan)


def flag(scores: dict[str, Array], d: Array) -> NDArray[np.int64]:
    """Give each cell the sum of its flags; 0 is good."""
    found = {name: np.abs(np.nan_to_num(each)) > LIMIT for name, each in scores.items()} | {"bound": d <= 0}
    return sum((each.value * found[each.name] for each in FLAGS), np.zeros(len(d), np.int64))
