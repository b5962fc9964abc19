"""U = −log L − log prior of all cells: what is minimised, with exact first and second derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csc_array, csr_array, diags_array

from penstock.workflows.tracking.likelihood import Likelihood
from penstock.workflows.tracking.models import Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Jeffreys:
    """−log of Jeffreys' prior of D: `spread` log(D lag + σ²) − `pull` log D, of each cell, with its mean lag.

    √(det I) of the Fisher information I: spread is 1 and half the number of drifts or forces, pull the number of forces.
    """

    spread: float
    pull: float

    def value(self, d: NDArray[Any], lag: Array, sigma2: float) -> Any:
        """Give its sum over cells. Complex numbers may go in."""
        made = self.spread * np.log(d * lag + sigma2)
        return np.sum(made - self.pull * np.log(d) if self.pull else made)

    def slopes(self, d: Array, lag: Array, sigma2: float) -> tuple[Array, Array]:
        """Give its first and second derivatives."""
        share = lag / (d * lag + sigma2)
        if not self.pull:
            return self.spread * share, -self.spread * share**2
        return self.spread * share - self.pull / d, self.pull / d**2 - self.spread * share**2


@dataclass(frozen=True)
class Objective:
    """U of parameters x: D of all cells, then those of the model. `steep` is Q of the priors xᵀ Q x."""

    likelihood: Likelihood
    model: Model
    steep: csr_array
    jeffreys: Jeffreys | None = None

    def value(self, x: NDArray[Any]) -> Any:
        """Give U, in nats. Complex numbers may go in; what is impossible is infinite."""
        with np.errstate(divide="ignore", invalid="ignore"):
            d, u = self.model.expand(x)
            made = self.likelihood.value(d, u) + x @ (self.steep @ x)
            if self.jeffreys:
                made += self.jeffreys.value(d, self.likelihood.mean_lag(), self.likelihood.sigma2)
        return made

    def slopes(self, x: Array) -> tuple[Array, csc_array]:
        """Give the gradient and the second derivatives of U."""
        d, u = self.model.expand(x)
        at, jacobian = self.likelihood.slopes(d, u), self.model.jacobian(x)
        by_d, by_dd = at.d, at.dd
        if self.jeffreys:
            first, second = self.jeffreys.slopes(d, self.likelihood.mean_lag(), self.likelihood.sigma2)
            by_d, by_dd = by_d + first, by_dd + second
        outer = np.concatenate([by_d, at.u.reshape(-1)])
        inner = _blocks(by_dd, at.du, at.uu)
        curve = jacobian.T @ inner @ jacobian + self.model.curve(x, at.u) + 2 * self.steep
        return jacobian.T @ outer + 2 * (self.steep @ x), csc_array(curve)


def _blocks(dd: Array, du: Array, uu: Array) -> csr_array:
    """Give second derivatives by (D, u), axis by axis."""
    m, axes = len(dd), len(du)
    offsets = [m * (1 + axis) for axis in range(axes)]
    bands = [np.concatenate([dd, np.tile(uu, axes)])]
    for each in du:
        bands += [each, each]
    places = [0, *(sign * offset for offset in offsets for sign in (1, -1))]
    size = m * (1 + axes)
    full = [bands[0]]
    for band, place in zip(bands[1:], places[1:], strict=True):
        full.append(np.concatenate([band, np.zeros(size - abs(place) - m)]))
    return csr_array(diags_array(full, offsets=places, shape=(size, size)))


def join_priors(of_d: csr_array, of_y: csr_array) -> csr_array:
    """Give Q of both priors."""
    return csr_array(block_diag([of_d, of_y])) if of_y.shape[0] else of_d
