"""How likely steps are: −log L of each cell's diffusivity D (µm²/s) and mean velocity u (µm/s), with exact derivatives.

Steps of a cell that took the same time are summed once: the cost of an evaluation is that of the cells.

Where a step begins is seen with an error, and so more often from where more particles are: the mean step has a part
(σ² − D t_e / 3) ∇log ρ, with ρ the density of origins (Tweedie's formula; t_e / 3 as in Berglund 2010, of exposure).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    `crowding` is ∇log ρ (axes × cells, 1/µm) of the origins, 0 where it is not taken into account; `blur` is t_e / 3 (s).
    """

    cell: NDArray[np.int64]
    dt: Array
    lag: Array
    number: Array
    squares: Array
    sums: Array
    sigma2: float
    blur: float
    crowding: Array

    @property
    def cells(self) -> int:
        return self.crowding.shape[1]

    @property
    def axes(self) -> int:
        return len(self.sums)

    def value(self, d: NDArray[Any], u: NDArray[Any]) -> Any:
        """Give −log L = Σ [(axes / 2) log(π v) + |dr − m|² / v], v = 4 (D lag + σ²), m = u dt + (σ² − D blur) ∇log ρ.

        Complex numbers may go in.
        """
        v, q, _ = self._parts(d, u)
        return np.sum(self.number * (self.axes / 2) * np.log(np.pi * v) + q / v)

    def _parts(self, d: NDArray[Any], u: NDArray[Any]) -> tuple[Any, Any, Any]:
        """Give v, Σ|dr − m|² and Σ(m − dr) of each group."""
        mine = d[self.cell]
        v = 4 * (mine * self.lag + self.sigma2)
        mean = u[:, self.cell] * self.dt + (self.sigma2 - mine * self.blur) * self.crowding[:, self.cell]
        q = self.squares + np.sum(mean * (self.number * mean - 2 * self.sums), axis=0)
        return v, q, self.number * mean - self.sums

    def slopes(self, d: Array, u: Array) -> Slopes:
        """Give the derivatives of −log L."""
        v, q, pull = self._parts(d, u)
        lag, n = 4 * self.lag, self.number * self.axes / 2
        by_d = -self.blur * self.crowding[:, self.cell]  # of the mean step
        q_d, by_u = 2 * np.sum(pull * by_d, axis=0), 2 * self.dt * pull
        mixed = 2 * self.number * self.dt * by_d / v - lag * by_u / v**2
        q_dd = 2 * self.number * np.sum(by_d**2, axis=0)
        return Slopes(
            self._add(lag * (n / v - q / v**2) + q_d / v),
            np.array([self._add(each / v) for each in by_u]),
            self._add(lag**2 * (2 * q / v**3 - n / v**2) - 2 * lag * q_d / v**2 + q_dd / v),
            np.array([self._add(each) for each in mixed]),
            self._add(2 * self.number * self.dt**2 / v),
        )

    def _add(self, values: Array) -> Array:
        return np.bincount(self.cell, values, self.cells)

    def offset(self, d: Array) -> Array:
        """Give the part of the mean step that is of errors of origins, (σ² − D blur) ∇log ρ (axes × cells, µm)."""
        return (self.sigma2 - d * self.blur) * self.crowding

    def without_crowding(self, d: Array) -> Likelihood:
        """Give the sums of steps less that part."""
        off = self.offset(d)[:, self.cell]
        squares = self.squares + np.sum(off * (self.number * off - 2 * self.sums), axis=0)
        return replace(
            self, squares=squares, sums=self.sums - self.number * off, crowding=np.zeros_like(self.crowding)
        )

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
    sampling: Sampling,
    steps: Translocations,
    *,
    sigma: float,
    exposure: float = 0.0,
    crowding: Array | None = None,
) -> Likelihood:
    """Sum the steps of cells, in groups of equal dt; `crowding` is ∇log ρ of their origins (axes × cells, 1/µm)."""
    cell, row = sampling.cell, sampling.row
    dt, dr = steps.dt[row], steps.dr[row]
    times, kind = np.unique(np.round(dt, 12), return_inverse=True)
    groups, place = np.unique(cell * len(times) + kind, return_inverse=True)
    size, dt = len(groups), times[groups % len(times)]
    sums = np.array([np.bincount(place, axis, size) for axis in dr.T])
    squares = np.bincount(place, np.sum(dr**2, axis=1), size)
    number = np.bincount(place, minlength=size).astype(float)
    if crowding is None:
        crowding = np.zeros((len(sums), len(sampling.cells)))
    blur = exposure / 3
    return Likelihood(groups // len(times), dt, dt - blur, number, squares, sums, sigma**2, blur, crowding)
