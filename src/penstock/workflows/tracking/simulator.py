"""Trajectories that are made up: diffusion in D(r) and V(r), seen by a camera that exposes for a while and errs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.tracking.trajectories import Trajectories

Array = NDArray[np.float64]
Field = Callable[[Array], Array] | float
Rng = np.random.Generator
CONVENTIONS = {
    "ito": "dr = -D grad V dt + sqrt(2 D) dW: stays where D is low, density ~ exp(-V) / D",
    "isothermal": "dr = (-D grad V + grad D) dt + sqrt(2 D) dW: density ~ exp(-V)",
}
NUDGE = 1e-4  # µm, of central differences


@dataclass(frozen=True)
class Medium:
    """Where particles diffuse: D (µm²/s) and V (kT) as numbers or functions of positions (rows × axes, µm); walls of a box.

    >>> Medium(0.1, 0.0).drift(np.zeros((1, 2)))
    array([[0., 0.]])
    """

    diffusivity: Field
    potential: Field = 0.0
    box: tuple[tuple[float, ...], tuple[float, ...]] = ((0.0, 0.0), (1.0, 1.0))
    convention: str = "ito"

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise DefinitionError(
                f"the convention {self.convention!r} is unknown; say {' or '.join(CONVENTIONS)}"
            )

    @property
    def dimensions(self) -> int:
        return len(self.box[0])

    def d(self, r: Array) -> Array:
        """Give D at positions, in µm²/s."""
        return value_of(self.diffusivity, r)

    def v(self, r: Array) -> Array:
        """Give V at positions, in kT."""
        return value_of(self.potential, r)

    def drift(self, r: Array) -> Array:
        """Give the mean velocity at positions, in µm/s."""
        pull = np.zeros_like(r) if not callable(self.potential) else -self.d(r)[:, None] * gradient(self.v, r)
        if self.convention == "ito" or not callable(self.diffusivity):
            return pull
        return pull + gradient(self.d, r)

    def reflect(self, r: Array) -> Array:
        """Give positions with those beyond a wall thrown back."""
        low, high = (np.asarray(end, float) for end in self.box)
        side = high - low
        folded = np.mod(r - low, 2 * side)
        return low + np.where(folded > side, 2 * side - folded, folded)

    def density(self, r: Array) -> Array:
        """Give how dense particles are at rest, up to a factor."""
        v = self.v(r)
        made = np.exp(v.min() - v)
        return made / self.d(r) if self.convention == "ito" else made


def value_of(field: Field, r: Array) -> Array:
    """Evaluate a field that may be a number."""
    return np.asarray(field(r), float) if callable(field) else np.full(len(r), float(field))


def gradient(field: Callable[[Array], Array], r: Array) -> Array:
    """Give the gradient of a field at positions, by central differences of 10⁻⁴ µm."""
    ways = NUDGE * np.eye(r.shape[1])
    return np.column_stack([(field(r + way) - field(r - way)) / (2 * NUDGE) for way in ways])


def simulate(
    medium: Medium,
    trajectories: int,
    *,
    length: int,
    dt: float,
    sigma: float = 0.0,
    exposure: float = 0.0,
    substeps: int = 10,
    seed: int = 0,
    start: Array | None = None,
) -> Trajectories:
    """Make trajectories of `length` positions, `dt` s apart, each the mean over `exposure` s plus an error of `sigma` µm.

    Euler-Maruyama with `substeps` a frame; particles begin at `start` (rows, µm), or as they are at rest in the medium. The
    mean over an exposure takes the Brownian bridge of each substep into account, so that free diffusion is exact. The same
    seed gives the same rows.
    """
    if not 0 <= exposure <= dt:
        raise DefinitionError(f"an exposure of {exposure:g} s does not fit in frames {dt:g} s apart")
    rng = np.random.default_rng(seed)
    r = (
        _at_rest(medium, trajectories, rng)
        if start is None
        else np.broadcast_to(start, (trajectories, medium.dimensions))
    )
    seen = np.empty((trajectories, length, medium.dimensions))
    for frame in range(length):
        r, seen[:, frame] = _expose(medium, r, exposure, substeps, dt, rng)
    seen += sigma * rng.standard_normal(seen.shape)
    n = np.repeat(np.arange(trajectories), length)
    t = np.tile(np.arange(length) * dt, trajectories)
    return Trajectories(n, t, seen.reshape(-1, medium.dimensions))


def _at_rest(medium: Medium, number: int, rng: Rng) -> Array:
    """Draw positions from the density at rest: from a hundred times as many, spread evenly."""
    low, high = (np.asarray(end, float) for end in medium.box)
    tried = low + (high - low) * rng.random((max(100 * number, 20_000), len(low)))
    weight = np.cumsum(medium.density(tried))
    return tried[np.searchsorted(weight, weight[-1] * rng.random(number))]


def _expose(
    medium: Medium, r: Array, exposure: float, substeps: int, dt: float, rng: Rng
) -> tuple[Array, Array]:
    """Go on by a frame; give where particles are then, and their mean positions while the shutter was open."""
    if exposure == 0:
        return _walk(medium, r, dt, substeps, rng)[0], r
    share = exposure / dt
    opened = max(1, round(share * substeps))
    r, mean = _walk(medium, r, exposure, opened, rng)
    if exposure < dt:
        r, _ = _walk(medium, r, dt - exposure, max(1, substeps - opened), rng)
    return r, mean


def _walk(medium: Medium, r: Array, time: float, substeps: int, rng: Rng) -> tuple[Array, Array]:
    h, total = time / substeps, np.zeros_like(r)
    for _ in range(substeps):
        d = medium.d(r)[:, None]
        ahead = medium.reflect(r + medium.drift(r) * h + np.sqrt(2 * d * h) * rng.standard_normal(r.shape))
        total += (r + ahead) / 2 + np.sqrt(d * h / 6) * rng.standard_normal(r.shape)
        r = ahead
    return r, total / substeps


def make_wells(*wells: tuple[float, float, float, float]) -> Callable[[Array], Array]:
    """Make a potential (kT) of Gaussian wells: x, y, width (µm) and depth (kT) of each.

    >>> bool(np.isclose(make_wells((0, 0, 0.2, 2))(np.zeros((1, 2)))[0], -2))
    True
    """

    def potential(r: Array) -> Any:
        return -sum(
            depth * np.exp(-((r[:, 0] - x) ** 2 + (r[:, 1] - y) ** 2) / (2 * width**2))
            for x, y, width, depth in wells
        )

    return potential
