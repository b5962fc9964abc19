from pathlib import Path

import numpy as np
import pytest

from penstock.workflows.telescope.toy.extraction import CONTAINED
from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.gains import make_calibration, measure_gains, read_calibration
from penstock.workflows.telescope.toy.pulse import EXCESS_NOISE
from penstock.workflows.telescope.toy.simulator import FLAT_LIGHT, Subrun, instrument, simulate


def charges(events: int, gains: np.ndarray, lamp: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Flat fields and pedestals as they are charged: Poisson light, charges with excess noise, a pedestal."""
    rng, pixels = np.random.default_rng(seed), len(gains)
    flash = np.maximum(0, rng.normal(FLAT_LIGHT, lamp * FLAT_LIGHT, (events, 1)))
    number = rng.poisson(np.broadcast_to(flash, (events, pixels)))
    light = number + np.sqrt(number * (EXCESS_NOISE - 1)) * rng.standard_normal(number.shape)
    noise = 30 + 20 * rng.standard_normal((2, events, pixels))
    return CONTAINED * gains * light + noise[0], noise[1]


@pytest.mark.parametrize("lamp", [0.0, 0.05])
def test_gains_are_found_within_two_percent_whatever_the_lamp_does(lamp: float) -> None:
    gains = np.linspace(30, 50, 400)
    flat, pedestal = charges(1500, gains, lamp)
    found = measure_gains(flat, np.zeros_like(flat), pedestal)
    assert np.abs(found.gain / gains - 1).max() < 0.02
    assert np.median(found.n_pe) == pytest.approx(FLAT_LIGHT, rel=0.01)
    assert found.usable.all()


def test_pixels_that_are_dark_or_far_off_are_unusable() -> None:
    gains = np.full(200, 40.0)
    gains[[3, 7]] = 0.0, 90.0
    flat, pedestal = charges(500, gains, 0.03)
    found = measure_gains(flat, np.zeros_like(flat), pedestal)
    assert np.flatnonzero(~found.usable).tolist() == [3, 7]


def test_gains_of_raw_events_are_found(night) -> None:
    found = read_calibration(night.calibration).gains
    ratio = found.gain / instrument().gains
    assert ratio.mean() == pytest.approx(1, abs=0.02)
    assert np.quantile(np.abs(ratio - 1), 0.75) < 0.02  # of 100 flat fields
    assert np.corrcoef(found.delay, instrument().delays)[0, 1] > 0.9


@pytest.mark.parametrize(("mix", "what"), [({"pedestal": 1}, "flat fields"), ({"flatfield": 1}, "pedestals")])
def test_a_run_without_flat_fields_or_pedestals_is_refused(tmp_path: Path, night, mix, what: str) -> None:
    simulate(tmp_path / "r0.h5", Subrun(1809, 0, "PEDCALIB", events=25, mix=mix))
    with pytest.raises(Unusable, match=f"^0 {what} are too few"):
        make_calibration([tmp_path / "r0.h5"], night.pedestals, tmp_path / "made.h5")


def test_a_lamp_that_was_off_is_told() -> None:
    flat, pedestal = charges(100, np.zeros(50), 0.0)
    with pytest.raises(Unusable, match="the lamp was off"):
        measure_gains(flat, np.zeros_like(flat), pedestal)
