"""Training of the forests on simulated showers, by scikit-learn, which only this needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import NAME, PIXELS, camera
from penstock.workflows.telescope.toy.dl1a import Images
from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.files import EVENTS, open_file, read
from penstock.workflows.telescope.toy.forests import Forest, Models
from penstock.workflows.telescope.toy.parameters import parametrise
from penstock.workflows.telescope.toy.reconstruction import FEATURES, features_of
from penstock.workflows.telescope.toy.showers import PARTICLES, make_showers
from penstock.workflows.telescope.toy.simulator import COSMIC, SHAPE_OF_CHARGE

TREES, DEPTH, LEAST = 40, 14, 3
FEWEST = 100  # events of each particle
NOISE, OFFSET, JITTER = (
    0.85,
    0.6,
    0.5,
)  # pe, pe and samples: what electronics and night sky add to a charge, and to a time
BLOCK = 1000  # images at once


def simulate_images(particle: str, number: int, rng: np.random.Generator) -> Images:
    """Make images of showers (sources everywhere) as they come out of the calibration, without their waveforms."""
    truth, light = make_showers(particle, number, rng, source=None)
    pixel = camera().find_pixels(light.x, light.y)
    seen = pixel >= 0
    place = light.event[seen] * PIXELS + pixel[seen]
    charge = rng.standard_gamma(SHAPE_OF_CHARGE, len(place)) / SHAPE_OF_CHARGE
    sums, times = (
        np.bincount(place, each, minlength=number * PIXELS) for each in (charge, charge * light.t[seen])
    )
    with np.errstate(invalid="ignore"):
        time = np.where(sums > 0, times / sums, rng.uniform(5, 35, len(sums)))
    time += rng.normal(0, JITTER, len(time)) / np.sqrt(1 + sums)
    image = sums + rng.normal(OFFSET, NOISE, len(sums))
    events = np.zeros(number, EVENTS)
    events["event_id"], events["event_type"] = np.arange(number), COSMIC
    image, time = (each.astype(np.float32).reshape(number, PIXELS) for each in (image, time))
    return Images(events, image, time, truth)


def simulate_sample(number: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give parameters and truth of so many gammas, and as many protons."""
    rng, rows, truth = np.random.default_rng([seed, 2]), [], []
    for particle in ("gamma", "proton"):
        for start in range(0, number, BLOCK):
            made = simulate_images(particle, min(BLOCK, number - start), rng)
            rows.append(parametrise(camera(), made.image, made.peak_time))
            truth.append(made.truth)
    return np.concatenate(rows), np.concatenate(truth)


def read_sample(paths: list[Path]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give parameters and truth of simulated events in files of DL1b."""
    rows, truth = [], []
    for path in paths:
        with open_file(path, "dl1ab") as file:
            rows.append(read(file, "parameters"))
            truth.append(read(file, "simulation"))
    return np.concatenate(rows), np.concatenate(truth)


def train(parameters: NDArray[Any], truth: NDArray[Any], *, seed: int = 0) -> Models:
    """Train forests on gammas and protons; energies and directions on gammas alone.

    Raises Unusable if there are too few of either. The same sample and seed give the same models.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    columns, sound = features_of(parameters)
    is_gamma, is_proton = (truth["particle"] == PARTICLES[name] for name in ("gamma", "proton"))
    gamma, both = sound & is_gamma, sound & (is_gamma | is_proton)
    for name, some in (("gammas", gamma), ("protons", both & is_proton)):
        if some.sum() < FEWEST:
            raise Unusable(f"{some.sum()} {name} are too few to train forests; give at least {FEWEST}")
    x, y = (truth[f"source_{axis}"] - parameters[f"hillas_{axis}"] for axis in "xy")
    forward = x * np.cos(parameters["hillas_psi"]) + y * np.sin(parameters["hillas_psi"]) > 0
    numbers = {"log_energy": np.log10(truth["energy"]), "disp_norm": np.hypot(x, y)}
    choices = {"disp_sign": (gamma, forward), "gammaness": (both, is_gamma)}
    grown = {"n_estimators": TREES, "max_depth": DEPTH, "min_samples_leaf": LEAST, "random_state": seed}
    forests: dict[str, Forest] = {}
    for name, wanted in numbers.items():
        fitted = RandomForestRegressor(max_features=0.5, **grown).fit(columns[gamma], wanted[gamma])
        forests[name] = Forest.of([each.tree_ for each in fitted.estimators_], lambda value: value[:, 0, 0])
    for name, (some, wanted) in choices.items():
        fitted = RandomForestClassifier(**grown).fit(columns[some], wanted[some])
        forests[name] = Forest.of([each.tree_ for each in fitted.estimators_], _share)
    about = {"camera": NAME, "features": ",".join(FEATURES), "gammas": int(gamma.sum()), "seed": seed}
    return Models(forests, about)


def _share(value: NDArray[Any]) -> NDArray[Any]:
    """Give the share of the second class in a node."""
    return value[:, 0, 1] / value[:, 0].sum(axis=1)
