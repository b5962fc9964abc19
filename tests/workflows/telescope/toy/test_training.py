import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.workflows.telescope.toy import training
from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.forests import PURPOSES, Models
from penstock.workflows.telescope.toy.reconstruction import features_of, reconstruct
from penstock.workflows.telescope.toy.showers import PARTICLES

GAMMA = PARTICLES["gamma"]


def area_under_curve(score: np.ndarray, is_gamma: np.ndarray) -> float:
    """The chance that a gamma has a higher score than another event (Mann and Whitney)."""
    apart = score[is_gamma][:, None] - score[~is_gamma]
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def test_forests_tell_gammas_energies_and_directions(models: Path) -> None:
    parameters, truth = training.simulate_sample(600, seed=99)
    found = reconstruct(parameters, Models.read(models))
    seen, gamma = np.isfinite(found["gammaness"]), truth["particle"] == GAMMA
    assert area_under_curve(found["gammaness"][seen], gamma[seen]) >= 0.9
    some = seen & gamma
    off = np.log10(found["reco_energy"][some] / truth["energy"][some])
    assert off.std() <= 0.2
    apart = np.hypot(found["reco_src_x"] - truth["source_x"], found["reco_src_y"] - truth["source_y"])[some]
    assert np.median(apart) < 0.1  # m: a fifth of a degree


def test_our_walk_gives_what_scikit_learn_gives() -> None:
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 4))
    fitted = RandomForestRegressor(n_estimators=7, random_state=0).fit(x, x[:, 0] + x[:, 1] ** 2)
    forest = training.Forest.of([each.tree_ for each in fitted.estimators_], lambda value: value[:, 0, 0])
    new = rng.normal(size=(300, 4))
    assert forest.predict(new) == pytest.approx(fitted.predict(new), abs=1e-12)


def test_models_are_arrays_and_the_same_each_time(models: Path, tmp_path: Path) -> None:
    sample = training.simulate_sample(300, seed=1)
    for name in ("a", "b"):
        training.train(*sample).write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with h5py.File(models) as file:
        kinds = {made.dtype.kind for group in file.values() for made in group.values()}
    assert kinds <= set("if")
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(models.read_bytes())


def test_a_sample_without_protons_is_refused() -> None:
    parameters, truth = training.simulate_sample(250, seed=1)
    some = truth["particle"] == GAMMA
    with pytest.raises(Unusable, match=r"^0 protons are too few"):
        training.train(parameters[some], truth[some])


def test_models_that_lack_a_forest_are_told(models: Path, tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_bytes(models.read_bytes())
    with h5py.File(tmp_path / "m.h5", "a") as file:
        del file["gammaness"]
    with pytest.raises(Unusable, match="has no dataset gammaness/roots"):
        Models.read(tmp_path / "m.h5")


def test_events_without_parameters_have_no_estimates(models: Path) -> None:
    parameters, _ = training.simulate_sample(20, seed=5)
    parameters["hillas_width"][3] = np.nan
    assert not features_of(parameters)[1][3]
    found = reconstruct(parameters, Models.read(models))
    assert all(np.isnan(found[name][3]) for name in found.dtype.names)
    assert len(reconstruct(parameters[:0], Models.read(models))) == 0
    assert len(PURPOSES) == 4
