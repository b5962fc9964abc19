"""Made-up trajectories: their steps against the formulas, their density at rest against Boltzmann's."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.tracking.simulator import Medium, make_wells, simulate
from penstock.workflows.tracking.translocations import find_translocations

WIDE = ((0.0, 0.0), (1e3, 1e3))


@pytest.mark.parametrize("exposure", [0.0, 0.007, 0.01, 0.02])
@pytest.mark.parametrize("axes", [2, 3])
def test_steps_have_the_variance_of_blurred_and_erring_diffusion(exposure: float, axes: int) -> None:
    medium = Medium(0.1, box=((0.0,) * axes, (1e3,) * axes))
    made = simulate(medium, 3000, length=15, dt=0.02, sigma=0.03, exposure=exposure, substeps=3, seed=1)
    steps = find_translocations(made)
    expected = 2 * (0.1 * (0.02 - exposure / 3) + 0.03**2)
    assert np.mean(steps.dr**2) == pytest.approx(expected, rel=0.015)
    joined = steps.after >= 0
    shared = np.mean(steps.dr[joined] * steps.dr[steps.after[joined]])
    assert shared == pytest.approx(0.1 * exposure / 3 - 0.03**2, abs=0.015 * expected)


@pytest.mark.parametrize("convention", ["ito", "isothermal"])
def test_density_at_rest_stays_what_the_convention_says(convention: str) -> None:
    medium = Medium(lambda r: 0.05 + 0.1 * r[:, 0], lambda r: 1.5 * r[:, 0], convention=convention)
    made = simulate(medium, 4000, length=40, dt=0.05, substeps=20, seed=2)
    late = made.r[made.t > 1.5]
    counts, _ = np.histogram(late[:, 0], 5, (0, 1))
    grid = np.linspace(0, 1, 501)[:, None] * [1, 0]
    density = medium.density(grid)
    expected = np.array([density[100 * i : 100 * i + 101].mean() for i in range(5)])
    assert counts / counts.sum() == pytest.approx(expected / expected.sum(), abs=0.015)


def test_the_same_seed_gives_the_same_rows() -> None:
    medium = Medium(0.1, make_wells((0.5, 0.5, 0.2, 2.0)))
    first, second, other = (simulate(medium, 5, length=5, dt=0.01, seed=seed).r for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_particles_stay_within_the_walls() -> None:
    made = simulate(Medium(5.0), 50, length=20, dt=0.1, seed=5)
    assert made.r.min() >= 0
    assert made.r.max() <= 1


def test_a_shutter_cannot_be_open_longer_than_a_frame() -> None:
    with pytest.raises(DefinitionError, match="does not fit"):
        simulate(Medium(0.1), 2, length=2, dt=0.01, exposure=0.02)
    with pytest.raises(DefinitionError, match="say ito or isothermal"):
        Medium(0.1, convention="stratonovich")
