from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.workflows.telescope.toy.showers import PARTICLES, make_muons, make_showers
from penstock.workflows.telescope.toy.simulator import COSMIC, FLATFIELD, SKY_PEDESTAL, Subrun, simulate


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    for name, seed in zip(names, (1, 1, 2), strict=True):
        simulate(tmp_path / name, Subrun(1807, 3, events=10, seed=seed))
    one, again, other = ((tmp_path / name).read_bytes() for name in names)
    assert one == again
    assert one != other


def test_a_data_run_has_all_kinds_of_events(tmp_path: Path) -> None:
    simulate(tmp_path / "r0.h5", Subrun(1807, 2, events=40))
    with h5py.File(tmp_path / "r0.h5") as file:
        assert file["waveform"].shape == (40, 1855, 40)
        assert file["waveform"].dtype == np.uint16
        events, truth = file["events"][:], file["simulation"][:]
    counts = {kind: int((events["event_type"] == kind).sum()) for kind in (COSMIC, FLATFIELD, SKY_PEDESTAL)}
    assert counts == {COSMIC: 32, FLATFIELD: 4, SKY_PEDESTAL: 4}
    assert {name: int((truth["particle"] == code).sum()) for name, code in PARTICLES.items()} == {
        "gamma": 14,
        "proton": 16,
        "muon": 2,
    }
    assert len(np.unique(events["event_id"])) == 40
    assert np.all(np.diff(events["time"]) >= 0)


def test_a_subrun_may_have_no_events(tmp_path: Path) -> None:
    simulate(tmp_path / "r0.h5", Subrun(1807, 0, events=0))
    with h5py.File(tmp_path / "r0.h5") as file:
        assert len(file["events"]) == len(file["waveform"]) == 0


def test_gammas_are_narrower_than_protons_and_point_to_their_source() -> None:
    widths, rng = {}, np.random.default_rng(5)
    for name in ("gamma", "proton"):
        truth, light = make_showers(name, 200, rng, source=(0.4, 0.0))
        bright = np.flatnonzero(np.bincount(light.event) > 300)
        widths[name] = np.median([_width(light, event) for event in bright])
    assert widths["gamma"] < 0.6 * widths["proton"]
    assert truth["source_x"].std() > 0.1  # protons come from everywhere


def _width(light, event: int) -> float:
    some = light.event == event
    return float(np.sqrt(np.linalg.eigvalsh(np.cov(light.x[some], light.y[some]))[0]))


def test_light_of_a_muon_lies_on_its_ring() -> None:
    truth, light = make_muons(5, np.random.default_rng(6))
    apart = np.hypot(light.x - truth["x"][light.event], light.y - truth["y"][light.event])
    assert np.bincount(light.event, apart) / np.bincount(light.event) == pytest.approx(
        truth["radius"], rel=0.02
    )
