"""How likely steps are: −log L of each cell's diffusivity D (µm²/s) and mean velocity u (µm/s), with exact derivatives.

Steps of a cell that took the same time are summed once: the cost of an evaluation is that of the cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.tracking.cells import Sampling
from penstock.workflows.tracking.translocations import Translocations

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slopes:
    """First and second derivatives of −log L: by D, by u (axes × cells), by D twice, by D and u, by u twice (one number)."""

    d: Array
    u: Array
    dd: Array
    du: Array
    uu: Array


@dataclass(frozen=True)
class Likelihood:
    """Sums of groups of steps of one `cell` and one `dt`: `number`, `squares` Σ|dr|², `sums` Σdr (axes × groups).

    `lag` is dt − t_e / 3: of so much diffusion a step shows. `sigma2` is σ² (µm²) of one coordinate of one position.
    """

    cell: NDArray[np.int64]
    dt: Array
    lag: Array
    number: Array
    squares: Array
    sums: Array
    sigma2: float
    cells: int

    @property
    def axes(self) -> int:
        return len(self.sums)

    def value(self, d: NDArray[Any], u: NDArray[Any]) -> Any:
        """Give −log L = Σ [(axes / 2) log(π v) + |dr − u dt|² / v], v = 4 (D lag + σ²). Complex numbers may go in."""
        v, q, _ = self._parts(d, u)
        return np.sum(self.number * (self.axes / 2) * np.log(np.pi * v) + q / v)

    def _parts(self, d: NDArray[Any], u: NDArray[Any]) -> tuple[Any, Any, Any]:
        """Give v, Σ|dr − u dt|² and Σ(u dt − dr) dt of each group."""
        v, mine = 4 * (d[self.cell] * self.lag + self.sigma2), u[:, self.cell]
        q = self.squares + np.sum(mine * self.dt * (self.number * self.dt * mine - 2 * self.sums), axis=0)
        return v, q, self.dt * (self.number * self.dt * mine - self.sums)

    def slopes(self, d: Array, u: Array) -> Slopes:
        """Give the derivatives of −log L."""
        v, q, pull = self._parts(d, u)
        lag, n = 4 * self.lag, self.number * self.axes / 2
        return Slopes(
            self._add(lag * (n / v - q / v**2)),
            np.array([self._add(2 * each / v) for each in pull]),
            self._add(lag**2 * (2 * q / v**3 - n / v**2)),
            np.array([self._add(-2 * lag * each / v**2) for each in pull]),
            self._add(2 * self.number * self.dt**2 / v),
        )

    def _add(self, values: Array) -> Array:
        return np.bincount(self.cell, values, self.cells)

    def mean_lag(self) -> Array:
        """Give the mean of dt − t_e / 3 of each cell, in s."""
        return self._add(self.number * self.lag) / self._add(self.number)

    def moments(self) -> tuple[Array, Array]:
        """Give where to begin: D without drift, made positive, and the mean velocity (axes × cells) of each cell."""
        number = self._add(self.number)
        spread = self._add(self.squares) / (2 * self.axes * number)
        everywhere = (self.squares.sum() / (2 * self.axes * number.sum()) - self.sigma2) / self.lag.mean()
        least = max(0.05 * everywhere, 1e-3 * float(spread.mean()) / float(self.lag.mean()))
        velocity = np.array([self._add(each) for each in self.sums]) / self._add(self.number * self.dt)
        return np.maximum((spread - self.sigma2) / self.mean_lag(), least), velocity


def sum_steps(
    sampling: Sampling, steps: Translocations, *, sigma: float, exposure: float = 0.0
) -> Likelihood:
    """Sum the steps of cells, in groups of equal dt."""
    cell, row = sampling.cell, sampling.row
    dt, dr = steps.dt[row], steps.dr[row]
    times, kind = np.unique(np.round(dt, 12), return_inverse=True)
    groups, place = np.unique(cell * len(times) + kind, return_inverse=True)
    size, dt = len(groups), times[groups % len(times)]
    sums = np.array([np.bincount(place, axis, size) for axis in dr.T])
    squares = np.bincount(place, np.sum(dr**2, axis=1), size)
    number = np.bincount(place, minlength=size).astype(float)
    lag = dt - exposure / 3
    return Likelihood(groups // len(times), dt, lag, number, squares, sums, sigma**2, len(sampling.cells))
