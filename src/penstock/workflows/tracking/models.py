"""What moves particles, besides diffusion: nothing, a drift, a force or a potential. Parameters begin with D of all cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csr_array, diags_array, eye_array, vstack

from penstock.workflows.tracking.cells import Cells
from penstock.workflows.tracking.slopes import plane_gradient

Array = NDArray[np.float64]


class Model(Protocol):
    """How the mean velocity u of a step comes from parameters."""

    @property
    def size(self) -> int: ...

    def expand(self, x: NDArray[Any]) -> tuple[Any, Any]: ...

    def jacobian(self, x: Array) -> csr_array: ...

    def curve(self, x: Array, slope: Array) -> csr_array: ...

    def begin(self, d: Array, velocity: Array) -> Array: ...


@dataclass(frozen=True)
class Drift:
    """u = a: the drift of each cell, axis by axis, follows D in the parameters."""

    cells: int
    axes: int

    @property
    def size(self) -> int:
        return self.cells * (1 + self.axes)

    def expand(self, x: NDArray[Any]) -> tuple[Any, Any]:
        """Give D and u (axes × cells)."""
        return x[: self.cells], x[self.cells :].reshape(self.axes, self.cells)

    def jacobian(self, x: Array) -> csr_array:
        """Give the derivatives of (D, u)."""
        return csr_array(eye_array(self.size))

    def curve(self, x: Array, slope: Array) -> csr_array:
        """Give Σ slope × second derivatives of u, which has none."""
        return csr_array((self.size, self.size))

    def begin(self, d: Array, velocity: Array) -> Array:
        """Give parameters to begin with."""
        return np.concatenate([d, velocity.reshape(-1)])


@dataclass(frozen=True)
class Forced:
    """u = D F, with F = K y (kT/µm, axis by axis) of the parameters y that follow D: none, F itself, or V."""

    cells: int
    axes: int
    k: csr_array

    @property
    def size(self) -> int:
        return self.cells + self.k.shape[1]

    def force(self, x: NDArray[Any]) -> Any:
        """Give F (axes × cells)."""
        return (self.k @ x[self.cells :]).reshape(self.axes, self.cells)

    def expand(self, x: NDArray[Any]) -> tuple[Any, Any]:
        """Give D and u (axes × cells)."""
        d = x[: self.cells]
        return d, d * self.force(x)

    def jacobian(self, x: Array) -> csr_array:
        """Give the derivatives of (D, u)."""
        by_d = vstack([eye_array(self.cells), *(diags_array(each) for each in self.force(x))])
        by_y = diags_array(np.tile(x[: self.cells], self.axes)) @ self.k
        return csr_array(block_array([[by_d, vstack([csr_array((self.cells, self.k.shape[1])), by_y])]]))

    def curve(self, x: Array, slope: Array) -> csr_array:
        """Give Σ slope × second derivatives of u."""
        mixed = csr_array((self.cells, self.k.shape[1]))
        for axis, each in enumerate(slope):
            mixed = mixed + diags_array(each) @ self.k[axis * self.cells : (axis + 1) * self.cells]
        return csr_array(block_array([[csr_array((self.cells, self.cells)), mixed], [mixed.T, None]]))

    def begin(self, d: Array, velocity: Array) -> Array:
        """Give parameters to begin with."""
        return np.concatenate([d, np.zeros(self.k.shape[1])])


def still(cells: int, axes: int) -> Forced:
    """Make the model of diffusion alone."""
    return Forced(cells, axes, csr_array((cells * axes, 0)))


def forced(cells: int, axes: int) -> Forced:
    """Make the model of a force in each cell."""
    return Forced(cells, axes, csr_array(eye_array(cells * axes)))


def in_potential(cells: Cells, axes: int) -> tuple[Forced, NDArray[np.bool_]]:
    """Make the model of a potential; of each connected part of the cells one is fixed at 0: say which are free.

    Axes that cells do not divide have no force.
    """
    m = len(cells)
    _, fixed = np.unique(cells.components(), return_index=True)
    free = np.ones(m, bool)
    free[fixed] = False
    gradient = csr_array(plane_gradient(cells))[:, np.flatnonzero(free)]
    lost = csr_array(((axes - cells.axes) * m, gradient.shape[1]))
    return Forced(m, axes, csr_array(vstack([-gradient, lost]))), free
