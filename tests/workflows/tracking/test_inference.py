"""Inference: exact derivatives, known optima, honest errors, and every known fault of older tools."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from tests.workflows.tracking import literal

from penstock.errors import DefinitionError
from penstock.workflows.tracking.cells import Sampling, sample_knn, sample_nearest
from penstock.workflows.tracking.faults import Empty
from penstock.workflows.tracking.inference import (
    ORIGINS,
    Settings,
    _model,
    _objective,
    compare_potential,
    convert_potential,
    find_crowding,
    infer,
)
from penstock.workflows.tracking.likelihood import sum_steps
from penstock.workflows.tracking.objective import Objective
from penstock.workflows.tracking.optimum import OUT_OF_TIME
from penstock.workflows.tracking.regions import boxes
from penstock.workflows.tracking.simulator import Medium, make_wells, simulate
from penstock.workflows.tracking.slopes import pair_steepness, plane_gradient, plane_steepness
from penstock.workflows.tracking.tessellation import Tessellation, tessellate
from penstock.workflows.tracking.translocations import Translocations, find_translocations, within

BOX = np.array([[0.0, 0.0], [1.0, 1.0]])
WELLS = make_wells((0.3, 0.3, 0.15, 2.0), (0.7, 0.7, 0.2, 1.5))
MEDIUM = Medium(0.1, WELLS)
STEPS = find_translocations(simulate(MEDIUM, 120, length=20, dt=0.02, sigma=0.03, exposure=0.01, seed=1))
SAMPLING = tessellate(STEPS, BOX)
HOW = {"sigma": 0.03, "exposure": 0.01}
MODES = ("d", "dd", "df", "dv")


def problem(mode: str, **more: object) -> tuple[Objective, np.ndarray, np.ndarray]:
    """Give an objective with both priors, parameters away from its optimum, and which potentials are free."""
    settings = Settings(**(HOW | {"mode": mode, "diffusivity_prior": 20.0, "potential_prior": 1.0} | more))
    crowding = find_crowding(SAMPLING, STEPS) if settings.origins == "corrected" else None
    likelihood = sum_steps(SAMPLING, STEPS, sigma=0.03, exposure=0.01, crowding=crowding)
    model, free = _model(mode, SAMPLING.cells, 2)
    rng = np.random.default_rng(7)
    x = model.begin(*likelihood.moments())
    x = x * (1 + 0.1 * rng.standard_normal(len(x)))
    x[len(SAMPLING.cells) :] += 0.3 * rng.standard_normal(len(x) - len(SAMPLING.cells))
    return _objective(SAMPLING.cells, likelihood, model, free, settings), x, free


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("more", [{}, {"jeffreys": True}, {"gradient": "grad"}, {"origins": "corrected"}])
def test_derivatives_are_exact_against_complex_steps_and_differences(
    mode: str, more: dict[str, object]
) -> None:
    objective, x, _ = problem(mode, **more)
    slope, curve = objective.slopes(x)
    ways = np.eye(len(x))
    complex_steps = np.array([objective.value(x + 1e-30j * way).imag / 1e-30 for way in ways])
    assert slope == pytest.approx(complex_steps, rel=1e-11, abs=1e-11 * np.abs(slope).max())
    differences = np.array(
        [(objective.value(x + 1e-6 * way) - objective.value(x - 1e-6 * way)) / 2e-6 for way in ways]
    )
    assert slope == pytest.approx(differences, rel=1e-4, abs=1e-6 * np.abs(slope).max())
    second = np.array(
        [(objective.slopes(x + 1e-6 * way)[0] - objective.slopes(x - 1e-6 * way)[0]) / 2e-6 for way in ways]
    )
    assert np.abs(curve.toarray() - second).max() < 1e-7 * np.abs(second).max()


@pytest.mark.parametrize("origins", ["seen", "corrected"])
@pytest.mark.parametrize("mode", MODES)
def test_the_objective_is_that_of_a_literal_restatement(mode: str, origins: str) -> None:
    objective, x, free = problem(mode, origins=origins)
    cells, m = SAMPLING.cells, len(SAMPLING.cells)
    d, rest = x[:m].tolist(), x[m:]
    members = [
        [(STEPS.dr[row].tolist(), float(STEPS.dt[row])) for row in SAMPLING.row[SAMPLING.cell == cell]]
        for cell in range(m)
    ]
    near = [[int(j) for pair in cells.pairs for j in pair if i in pair and j != i] for i in range(m)]
    y: list[list[float]] = rest.reshape(2, m).T.tolist() if mode in ("dd", "df") else []
    gradients, prior = [], 20 * literal.slope_prior(d, cells.areas, cells.centres, near)
    if mode == "dv":
        v = np.zeros(m)
        v[free] = rest
        gradients = (plane_gradient(cells) @ v).reshape(2, m).T.tolist()
        prior += literal.slope_prior(v.tolist(), cells.areas, cells.centres, near)
    crowding = None
    if origins == "corrected":
        density = [len(steps) / area for steps, area in zip(members, cells.inside, strict=True)]
        means = np.array([STEPS.r[SAMPLING.row[SAMPLING.cell == cell]].mean(axis=0) for cell in range(m)])
        slopes = plane_gradient(replace(cells, centres=means)) @ np.log(density)
        crowding = slopes.reshape(2, m).T.tolist()
    expected = prior + literal.objective(
        mode, members, d, y, gradients, sigma=0.03, exposure=0.01, crowding=crowding
    )
    assert objective.value(x) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("kind", ["hexagons", "squares", "kmeans", "random"])
def test_gradients_are_exact_on_linear_fields_up_to_the_border(kind: str) -> None:
    cells = tessellate(STEPS, BOX, Tessellation(kind, per_cell=40, min_count=1)).cells
    linear = 1.5 + cells.centres @ [2.0, -3.0]
    slopes = (plane_gradient(cells) @ linear).reshape(2, -1)
    assert slopes == pytest.approx(np.tile([[2.0], [-3.0]], len(cells)), abs=1e-9)
    assert linear @ (plane_steepness(cells) @ linear) == pytest.approx(13 * cells.areas.sum())
    assert np.ones(len(cells)) @ (pair_steepness(cells) @ np.ones(len(cells))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_the_optimum_is_at_or_below_that_of_l_bfgs(mode: str) -> None:
    objective, x, _ = problem(mode)
    made = infer(SAMPLING, STEPS, Settings(mode=mode, diffusivity_prior=20.0, **HOW))
    m = len(SAMPLING.cells)
    bounds = [(1e-9, None)] * m + [(None, None)] * (len(x) - m)
    other = minimize(
        objective.value, x, jac=lambda x: objective.slopes(x)[0], bounds=bounds, options={"maxiter": 150}
    )
    assert made.optimum.converged
    assert made.optimum.norm < 1e-7
    assert made.optimum.value <= other.fun + 1e-6


@pytest.mark.parametrize("mode", MODES)
def test_maps_do_not_depend_on_the_start_or_the_order_of_rows(mode: str) -> None:
    settings = Settings(mode=mode, diffusivity_prior=20.0, **HOW)
    made = infer(SAMPLING, STEPS, settings)
    shuffled = np.random.default_rng(3).permutation(len(SAMPLING.row))
    mixed = Sampling(SAMPLING.cells, SAMPLING.cell[shuffled], SAMPLING.row[shuffled])
    other = infer(mixed, STEPS, settings, start=problem(mode)[1])
    for name, values in made.values.items():
        assert other.values[name] == pytest.approx(values, rel=1e-9, abs=1e-9)
        assert other.errors[name] == pytest.approx(made.errors[name], rel=1e-7)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("exposure", [0.0, 0.01, 0.02])
def test_diffusivity_is_unbiased_at_any_exposure_and_with_z(axes: int, exposure: float) -> None:
    medium = Medium(0.1, box=((0.0,) * axes, (10.0,) * axes))
    seen = simulate(medium, 4000, length=11, dt=0.02, sigma=0.03, exposure=exposure, substeps=3, seed=4)
    box = np.array([[1.0] * 2, [9.0] * 2])
    steps = within(find_translocations(seen), boxes([(1, 9, 1, 9)])[0])
    made = infer(tessellate(steps, box, Tessellation(per_cell=400)), steps, Settings(0.03, "d", exposure))
    assert np.average(made.values["diffusivity"], weights=made.counts) == pytest.approx(0.1, rel=0.02)
    if exposure == 0.02:
        blurred = infer(tessellate(steps, box, Tessellation(per_cell=400)), steps, Settings(0.03, "d"))
        assert np.average(blurred.values["diffusivity"], weights=made.counts) == pytest.approx(
            0.0667, rel=0.03
        )


@pytest.mark.parametrize("convention", ["ito", "isothermal"])
def test_wells_are_found_in_both_conventions_whatever_the_error_and_blur_of_positions(
    convention: str,
) -> None:
    wells, box = make_wells((0.6, 0.6, 0.35, 2.5), (1.4, 1.4, 0.4, 1.5)), np.array([[0.0, 0.0], [2.0, 2.0]])
    medium = Medium(lambda r: 0.1 + 0.05 * r[:, 0], wells, ((-0.4, -0.4), (2.4, 2.4)), convention)
    off = {}
    for sigma, exposure in ((0.0, 0.0), (0.04, 0.0), (0.0, 0.02)):
        seen = simulate(
            medium, 14_000, length=20, dt=0.02, sigma=sigma, exposure=exposure, substeps=3, seed=5
        )
        steps = within(find_translocations(seen), boxes([(0, 2, 0, 2)])[0])
        sampling = tessellate(steps, box, Tessellation(per_cell=1600))
        settings = Settings(sigma, exposure=exposure, diffusivity_prior=20.0)
        for origins in ORIGINS:
            made = infer(sampling, steps, replace(settings, origins=origins))
            found, d = made.values["potential"], made.values["diffusivity"]
            assert found.min() == 0
            found = found if convention == "ito" else convert_potential(found, d, to=convention)
            off[sigma, exposure, origins] = compare_potential(
                found, medium.v(sampling.cells.centres), made.counts
            )
            told = [text for text in made.told if "origins" in text]
            assert len(told) == (origins == "seen" and sigma + exposure > 0)
    assert off[0.0, 0.0, "seen"] == off[0.0, 0.0, "corrected"] < 0.3
    for seen in ((0.04, 0.0), (0.0, 0.02)):
        assert off[*seen, "corrected"] < 0.3
        assert off[*seen, "corrected"] < off[*seen, "seen"]


def test_crowding_is_that_of_the_density_up_to_the_border() -> None:
    medium = Medium(0.1, lambda r: 2 * r[:, 0])
    steps = find_translocations(simulate(medium, 60_000, length=2, dt=1e-9, substeps=1, seed=8))
    sampling = tessellate(steps, BOX, Tessellation(per_cell=2000))
    found = find_crowding(sampling, steps)
    assert found.mean(axis=1) == pytest.approx([-2, 0], abs=0.15)
    assert np.quantile(np.abs(found - [[-2], [0]]), 0.9) < 0.3  # corners of the box hold few
    nearest = find_crowding(sample_knn(sampling.cells, steps.r, 3000), steps)
    assert nearest.mean(axis=1) == pytest.approx([-2, 0], abs=0.3)


def test_conventions_differ_by_the_logarithm_of_d() -> None:
    v, d = np.array([0.0, 0.0]), np.array([0.1, 0.2])
    assert convert_potential(v, d, to="isothermal") == pytest.approx([0, np.log(2)])
    assert convert_potential(convert_potential(v, d, to="isothermal"), d, to="ito") == pytest.approx(
        v, abs=1e-12
    )


@pytest.mark.parametrize("exposure", [0.0, 0.02])
def test_errors_cover_68_percent_whatever_steps_share(exposure: float) -> None:
    free = Medium(0.1, box=((0, 0), (10, 10)))
    exact = simulate(free, 36_000, length=20, dt=0.02, exposure=exposure, substeps=1, seed=6)
    noise = np.random.default_rng(7).standard_normal(exact.r.shape)
    box = np.array([[1.0, 1.0], [9.0, 9.0]])
    for ratio in (0.1, 0.3, 1.0, 3.0):  # D dt / σ²
        sigma = (0.1 * 0.02 / ratio) ** 0.5
        seen = replace(exact, r=exact.r + sigma * noise)
        steps = within(find_translocations(seen), boxes([(1, 9, 1, 9)])[0])
        sampling = tessellate(steps, box, Tessellation(per_cell=400, min_count=200))
        made = infer(sampling, steps, Settings(sigma, "d", exposure))
        assert len(made.cells) >= 1000
        covered = np.mean(np.abs(made.values["diffusivity"] - 0.1) < made.errors["diffusivity"])
        assert 0.64 <= covered <= 0.72, ratio
        assert np.mean(made.flags & 3 == 0) > 0.99


def test_errors_of_cells_that_know_nothing_of_each_other_are_those_of_all_together() -> None:
    alone = infer(SAMPLING, STEPS, Settings(mode="d", **HOW)).errors["diffusivity"]
    together = infer(SAMPLING, STEPS, Settings(mode="d", diffusivity_prior=1e-9, **HOW))
    assert together.errors["diffusivity"] == pytest.approx(alone, rel=1e-9)
    plain = infer(SAMPLING, STEPS, Settings(mode="d", errors="laplace", **HOW)).errors["diffusivity"]
    assert (plain < alone).all()


def test_an_overestimated_sigma_gives_no_negative_diffusivity() -> None:
    made = infer(SAMPLING, STEPS, replace(Settings(mode="d", **HOW), sigma=0.2))
    assert (made.values["diffusivity"] == 0).all()
    assert (made.flags & 4 == 4).all()
    assert (made.errors["diffusivity"] > 0).all()
    assert made.optimum.converged


def test_sigma_that_is_not_set_is_asked_for() -> None:
    with pytest.raises(DefinitionError, match="sigma is not set; give the localisation error in µm"):
        Settings()


def test_a_jeffreys_prior_moves_a_force_from_its_start() -> None:
    start = problem("df")[1]
    made = infer(SAMPLING, STEPS, Settings(mode="df", jeffreys=True, **HOW), start=start)
    plain = infer(SAMPLING, STEPS, Settings(mode="df", **HOW))
    assert made.optimum.converged
    assert np.abs(made.optimum.x - start).max() > 0.1
    assert made.values["diffusivity"] == pytest.approx(plain.values["diffusivity"], rel=0.5)
    assert not np.allclose(made.values["diffusivity"], plain.values["diffusivity"], rtol=1e-3)


def test_what_is_out_of_time_says_so_and_goes_on() -> None:
    settings = Settings(mode="stochastic.dv", diffusivity_prior=20.0, max_runtime=0.0, **HOW)
    cut = infer(SAMPLING, STEPS, settings)
    assert cut.optimum.reason == OUT_OF_TIME
    assert "inference is out of time" in cut.told[-1]
    whole = infer(SAMPLING, STEPS, replace(settings, max_runtime=None), start=cut.optimum.x)
    assert whole.values["potential"] == pytest.approx(
        infer(SAMPLING, STEPS, replace(settings, mode="dv", max_runtime=None)).values["potential"], abs=1e-9
    )


def test_mixtures_and_another_sigma_are_flagged() -> None:
    slow = simulate(Medium(0.02), 60, length=20, dt=0.02, sigma=0.02, seed=1)
    fast = simulate(Medium(0.4), 60, length=20, dt=0.02, sigma=0.02, seed=2)
    both = find_translocations(
        replace(slow, n=np.r_[slow.n, fast.n + 1000], t=np.r_[slow.t, fast.t], r=np.r_[slow.r, fast.r])
    )
    whole = Tessellation(resolution=2.0)
    mixed = infer(tessellate(both, BOX, whole), both, Settings(0.02, "d"))
    assert (mixed.flags & 1 == 1).any()
    steps = find_translocations(slow)
    assert (infer(tessellate(steps, BOX, whole), steps, Settings(0.02, "d")).flags == 0).all()
    wrong = infer(tessellate(steps, BOX, whole), steps, Settings(0.0, "d"))
    assert (wrong.flags & 2 == 2).any()


def test_the_evidence_tells_a_force_from_none() -> None:
    pulled = find_translocations(
        simulate(
            Medium(0.1, lambda r: -20 * r[:, 0], ((0, 0), (50, 50))),
            40,
            length=20,
            dt=0.02,
            start=np.array([25.0, 25.0]),
        )
    )
    free = find_translocations(simulate(Medium(0.1, box=((0, 0), (50, 50))), 40, length=20, dt=0.02))
    box, one = np.array([[0.0, 0.0], [50.0, 50.0]]), Tessellation(resolution=80.0)
    made = [infer(tessellate(each, box, one), each, Settings(0.0, "d")) for each in (pulled, free)]
    with_force, without = (each.evidence for each in made)
    most, best = (int(np.argmax(each.counts)) for each in made)
    assert with_force["log10_bayes"][most] > 3
    assert without["log10_bayes"][best] < 0
    assert with_force["snr"][most] > 3 * without["snr"][best]
    assert without["d_low"][best] < 0.1 < without["d_high"][best]


def test_parts_that_do_not_touch_have_potentials_of_their_own() -> None:
    x = SAMPLING.cells.centres[:, 0]
    kept = SAMPLING.cells.keep((x < 0.3) | (x > 0.7))
    made = infer(sample_nearest(kept, STEPS.r), STEPS, Settings(**HOW))
    part = kept.components()
    assert [made.values["potential"][part == each].min() for each in (0, 1)] == [0, 0]
    assert "cells are 2 parts that do not touch" in made.told[-1]


def test_cells_without_steps_or_without_a_likelihood_are_refused() -> None:
    with pytest.raises(Empty, match="1 cells have no translocation"):
        infer(
            SAMPLING.select(~np.isin(np.arange(len(STEPS)), SAMPLING.row[SAMPLING.cell == 3])),
            STEPS,
            Settings(**HOW),
        )
    still = Translocations(STEPS.n, STEPS.t, STEPS.r, STEPS.dt, 0 * STEPS.dr, STEPS.after)
    with pytest.raises(Empty, match="all steps of a cell are zero"):
        infer(SAMPLING, still, Settings(0.0, "d"))
    with pytest.raises(DefinitionError, match="does not fit in steps"):
        infer(SAMPLING, STEPS, Settings(0.03, exposure=0.5))
