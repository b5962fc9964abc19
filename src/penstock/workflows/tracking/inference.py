"""Infer maps from the translocations of cells: diffusivity alone, or with a drift, a force or a potential."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array, diags_array, hstack

from penstock.errors import DefinitionError
from penstock.workflows.tracking.cells import Cells, Sampling, sample_nearest
from penstock.workflows.tracking.covariance import (
    centring,
    reach_from_bound,
    shared_scores,
    standard_errors,
)
from penstock.workflows.tracking.evidence import weigh_evidence
from penstock.workflows.tracking.faults import Empty
from penstock.workflows.tracking.goodness import flag, judge_fit
from penstock.workflows.tracking.likelihood import Likelihood, sum_steps
from penstock.workflows.tracking.models import Drift, Forced, Model, forced, in_potential, still
from penstock.workflows.tracking.objective import Jeffreys, Objective, join_priors
from penstock.workflows.tracking.optimum import TOLERANCE, Optimum, minimise
from penstock.workflows.tracking.slopes import STEEPNESS, plane_gradient
from penstock.workflows.tracking.translocations import Translocations

Array = NDArray[np.float64]
MODES = {  # with other names that they have
    "d": "diffusivity",
    "dd": "diffusivity and drift",
    "df": "diffusivity and force",
    "dv": "diffusivity and potential",
    "stochastic.dv": "the same as dv: the optimum does not depend on the way to it",
}
ERRORS = {
    "none": "no errors",
    "laplace": "of the second derivatives alone: too small where D dt < σ²",
    "shared": "with what steps in a row share",
}
ORIGINS = {
    "seen": "steps begin where they are seen to",
    "corrected": "of errors and blur of origins, which pull steps to where more particles are",
}
NOTABLE = 0.1  # of a force: so much that is not its own is told
UNITS = {"diffusivity": "µm²/s", "drift": "µm/s", "force": "kT/µm", "potential": "kT"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is inferred, and how. `sigma` is the localisation error of a coordinate (µm), and has to be given.

    Priors weigh Σ A |∇D|² and Σ A |∇V|² (in µm and s); `gradient` is their form. `exposure` is in s, `max_runtime` in s.
    `origins` says whether the mean step is corrected for errors of where it begins.
    """

    sigma: float | None = None
    mode: str = "dv"
    exposure: float = 0.0
    diffusivity_prior: float = 0.0
    potential_prior: float = 1.0
    gradient: str = "slope"
    jeffreys: bool = False
    errors: str = "shared"
    origins: str = "seen"
    tolerance: float = TOLERANCE
    max_runtime: float | None = None

    def __post_init__(self) -> None:
        if self.sigma is None:
            raise DefinitionError("sigma is not set; give the localisation error in µm, 0 if there is none")
        known = {"mode": MODES, "gradient": STEEPNESS, "errors": ERRORS, "origins": ORIGINS}
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise DefinitionError(f"{name} = {getattr(self, name)!r} is unknown; say {', '.join(words)}")
        for name in ("sigma", "exposure", "diffusivity_prior", "potential_prior"):
            if not 0 <= getattr(self, name) < np.inf:
                raise DefinitionError(f"{name} = {getattr(self, name)} cannot be; give 0 or more")


@dataclass(frozen=True)
class Maps:
    """What was found of each cell: `values` and `errors` by name (cells, or cells × axes), `flags`, `evidence`.

    `parameters` may be given to `infer` as its start, to go on when it was out of time. `norm` is that of the gradient: see
    `optimum`.
    """

    cells: Cells
    counts: NDArray[np.int64]
    values: Mapping[str, Array]
    errors: Mapping[str, Array]
    flags: NDArray[np.int64]
    scores: Mapping[str, Array]
    evidence: Mapping[str, Array]
    optimum: Optimum
    settings: Settings
    cpu: float  # s
    told: tuple[str, ...] = field(default=())

    @property
    def density(self) -> Array:
        """Give translocations per µm² of the region."""
        return self.counts / self.cells.inside

    def about(self) -> dict[str, Any]:
        """Give what is to be known about the inference, for products."""
        found = self.optimum
        return {
            "objective": found.value,
            "gradient_norm": found.norm,
            "iterations": found.iterations,
            "reason": found.reason,
            "cpu_s": self.cpu,
            "settings": asdict(self.settings),
            "convention": "ito",
            "versions": {name: version(name) for name in ("penstock", "numpy", "scipy")},
            "told": [*self.told],
        }


def infer(
    sampling: Sampling, steps: Translocations, settings: Settings, *, start: Array | None = None
) -> Maps:
    """Infer the maps of a region; `start` is `optimum.x` of an earlier call with the same cells. Raises Empty."""
    begun = time.process_time()
    likelihood = _summed(sampling, steps, settings)
    model, free = _model(settings.mode, sampling.cells, likelihood.axes)
    objective = _objective(sampling.cells, likelihood, model, free, settings)
    lower = np.full(model.size, -np.inf)
    lower[: len(sampling.cells)] = 0.0
    if start is None:
        start = model.begin(*likelihood.moments())
    found = minimise(objective, start, lower, tolerance=settings.tolerance, max_runtime=settings.max_runtime)
    values, errors = _values(sampling, steps, objective, found, free, settings)
    d, u = model.expand(found.x)
    scores = judge_fit(
        sampling,
        steps,
        d,
        u,
        sigma2=likelihood.sigma2,
        exposure=settings.exposure,
        offset=likelihood.offset(d),
    )
    told = _tell_of_origins(likelihood, d, settings)
    if not found.converged:
        told.append(f"inference is {found.reason}: gradient norm {found.norm:.2g}")
    parts = len(np.unique(sampling.cells.components()))
    if free.any() and parts > 1:
        told.append(
            f"cells are {parts} parts that do not touch: V is 0 at the least of each, and 0 in cells that are alone"
        )
    return Maps(
        sampling.cells, sampling.counts, values, errors, flag(scores, d), scores, weigh_evidence(likelihood),
        found, settings, time.process_time() - begun, (*sampling.told, *told),
    )  # fmt: skip


def _summed(sampling: Sampling, steps: Translocations, settings: Settings) -> Likelihood:
    sigma = settings.sigma or 0.0
    if settings.exposure > steps.dt.min(initial=np.inf) * (1 + 1e-9):
        raise DefinitionError(
            f"an exposure of {settings.exposure:g} s does not fit in steps of {steps.dt.min():g} s"
        )
    if not (sampling.counts > 0).all():
        empty = int(np.count_nonzero(sampling.counts == 0))
        raise Empty(f"{empty} cells have no translocation; drop them first")
    crowding = find_crowding(sampling, steps) if settings.origins == "corrected" else None
    likelihood = sum_steps(sampling, steps, sigma=sigma, exposure=settings.exposure, crowding=crowding)
    if sigma == 0 and (np.bincount(likelihood.cell, likelihood.squares) == 0).any():
        raise Empty("all steps of a cell are zero, so that its D has no likelihood; give sigma, in µm")
    return likelihood


def find_crowding(sampling: Sampling, steps: Translocations) -> Array:
    """Give ∇log ρ of the origins of steps (axes × cells, 1/µm): of planes, as that of V, through log ρ at the mean origins.

    Where a step counts for several cells, ρ is that of the nearest one.
    """
    cells = sampling.cells
    used = np.unique(sampling.row)
    if len(used) < len(sampling.row):
        sampling = sample_nearest(cells, steps.r[used])
        steps = steps.select(np.isin(np.arange(len(steps)), used))
    counts = sampling.counts
    sums = [np.bincount(sampling.cell, axis, len(cells)) for axis in steps.r[sampling.row][:, : cells.axes].T]
    means = np.where(counts > 0, np.array(sums) / np.maximum(counts, 1), cells.centres.T).T
    density = np.maximum(counts, 0.5) / np.maximum(cells.inside, 1e-3 * cells.areas)
    made = np.zeros((steps.dimensions, len(cells)))
    made[: cells.axes] = (plane_gradient(replace(cells, centres=means)) @ np.log(density)).reshape(
        cells.axes, -1
    )
    return made


def _tell_of_origins(likelihood: Likelihood, d: Array, settings: Settings) -> list[str]:
    """Say how much errors of origins add to forces, of particles at rest, if nothing is done about it."""
    shown = d > 0
    if settings.mode == "d" or settings.origins == "corrected" or not shown.any():
        return []
    lag = likelihood.mean_lag() + likelihood.blur
    share = float(np.median((likelihood.sigma2 - d * likelihood.blur)[shown] / (d * lag)[shown]))
    if abs(share) < NOTABLE:
        return []
    return [
        f'errors of where steps begin change forces and V by about {share:+.0%}; origins = "corrected" takes them into account'
    ]


def _model(mode: str, cells: Cells, axes: int) -> tuple[Model, NDArray[np.bool_]]:
    """Give the model, and which cells have a free potential."""
    free = np.zeros(len(cells), bool)
    if mode == "d":
        return still(len(cells), axes), free
    if mode == "dd":
        return Drift(len(cells), axes), free
    return (forced(len(cells), axes), free) if mode == "df" else in_potential(cells, axes)


def _objective(
    cells: Cells, likelihood: Likelihood, model: Model, free: NDArray[np.bool_], settings: Settings
) -> Objective:
    steep = csr_array(STEEPNESS[settings.gradient](cells))
    others = model.size - len(cells)
    inner = np.flatnonzero(free)
    of_y = settings.potential_prior * steep[inner][:, inner] if free.any() else csr_array((others, others))
    priors = join_priors(settings.diffusivity_prior * steep, csr_array(of_y))
    return Objective(likelihood, model, priors, _jeffreys(settings, likelihood.axes))


def _jeffreys(settings: Settings, axes: int) -> Jeffreys | None:
    if not settings.jeffreys:
        return None
    drifts = 0 if settings.mode == "d" else axes
    return Jeffreys(1 + drifts / 2, 0 if settings.mode in ("d", "dd") else drifts)


def _values(
    sampling: Sampling,
    steps: Translocations,
    objective: Objective,
    found: Optimum,
    free: NDArray[np.bool_],
    settings: Settings,
) -> tuple[dict[str, Array], ...]:
    """Give values and their errors; of a potential the error is that of its distance from its mean over translocations."""
    wanted = _wanted(sampling, objective.model, free, settings.mode)
    values = {name: each @ found.x for name, each in wanted.items()}
    errors = {} if settings.errors == "none" else _errors(sampling, steps, objective, found, wanted, settings)
    m, part = len(sampling.cells), sampling.cells.components()
    if "potential" in values:
        least = np.full(part.max() + 1, np.inf)
        np.minimum.at(least, part, values["potential"])
        values["potential"] = values["potential"] - least[part]

    return tuple({name: _shaped(each, m) for name, each in some.items()} for some in (values, errors))


def _shaped(each: Array, cells: int) -> Array:
    """Give vectors of cells a row each."""
    return each if len(each) == cells else each.reshape(-1, cells).T


def _wanted(sampling: Sampling, model: Model, free: NDArray[np.bool_], mode: str) -> dict[str, csr_array]:
    """Give what is reported as linear in the parameters."""
    m, others = len(sampling.cells), model.size - len(sampling.cells)
    none = csr_array((m, others))
    made = {"diffusivity": csr_array(hstack([diags_array(np.ones(m)), none]))}
    if isinstance(model, Drift):
        made["drift"] = csr_array(hstack([csr_array((others, m)), diags_array(np.ones(others))]))
    elif isinstance(model, Forced) and others:
        made["force"] = csr_array(hstack([csr_array((model.k.shape[0], m)), model.k]))
    if free.any():
        placed = csr_array(diags_array(np.ones(m)))[:, np.flatnonzero(free)]
        centred = centring(sampling.counts.astype(float), sampling.cells.components())
        made["potential"] = csr_array(hstack([csr_array((m, m)), centred @ placed]))
    return made


def _errors(
    sampling: Sampling,
    steps: Translocations,
    objective: Objective,
    found: Optimum,
    wanted: Mapping[str, csr_array],
    settings: Settings,
) -> dict[str, Array]:
    slope, curve = objective.slopes(found.x)
    m, shared, fixed = len(sampling.cells), None, found.bound
    if settings.errors == "shared":
        d, sigma2 = found.x[:m], objective.likelihood.sigma2
        scores = shared_scores(sampling, steps, d, sigma2=sigma2, exposure=settings.exposure)
        shared = csr_array(block_diag([scores, csr_array((len(found.x) - m, len(found.x) - m))]))
    made = {name: standard_errors(curve, shared, each, fixed=fixed) for name, each in wanted.items()}
    at_bound = reach_from_bound(slope[:m], curve.diagonal()[:m])
    made["diffusivity"] = np.where(fixed[:m], at_bound, made["diffusivity"])
    return made


def convert_potential(potential: Array, diffusivity: Array, *, to: str) -> Array:
    """Give V (kT, least 0) in another convention: that of `infer` is Ito's, V_isothermal = V_ito + ln D.

    An isothermal world pushes particles by ∇D, which Ito's V takes for a force.
    """
    if to not in ("ito", "isothermal"):
        raise DefinitionError(f"the convention {to!r} is unknown; say ito or isothermal")
    made = potential + np.log(diffusivity) if to == "isothermal" else potential - np.log(diffusivity)
    return made - made.min()


def compare_potential(potential: Array, truth: Array, counts: NDArray[Any], *, least: int = 20) -> float:
    """Give the rms difference (kT) over cells of at least `least` translocations, after taking the mean over translocations."""
    chosen = counts >= least
    off = (potential - truth)[chosen]
    off = off - np.average(off, weights=counts[chosen])
    return float(np.sqrt(np.mean(off**2)))
