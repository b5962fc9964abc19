from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.workflows.telescope.toy.dl1a import calibrate, is_cosmic
from penstock.workflows.telescope.toy.extraction import SHIFT, WIDTH, extract
from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.gains import read_calibration
from penstock.workflows.telescope.toy.simulator import FLAT_LIGHT, FLATFIELD, SKY_PEDESTAL, Subrun, simulate


def plainly(waveform: np.ndarray) -> tuple[float, float]:
    """Charge and time of one waveform, sample by sample."""
    peak = int(waveform.argmax())
    start, end = max(0, peak - SHIFT), min(len(waveform), peak - SHIFT + WIDTH)
    taken, at = waveform[start:end].astype(float), np.arange(start, end)
    above = np.maximum(taken, 0)
    return taken.sum(), (above * at).sum() / above.sum() if above.sum() else peak


def test_charges_and_times_are_those_of_the_samples_about_the_peak() -> None:
    rng = np.random.default_rng(1)
    waveforms = rng.normal(0, 1, (500, 40)).astype(np.float32)
    waveforms[:40, range(40)] += 20 * np.eye(40, dtype=np.float32)  # peaks at both ends, too
    waveforms[40:60] -= 50  # all below zero
    charge, time = extract(waveforms)
    expected = np.array([plainly(each) for each in waveforms])
    assert charge == pytest.approx(expected[:, 0], abs=1e-3)
    assert time == pytest.approx(expected[:, 1], abs=1e-4)


def test_light_is_measured_in_photo_electrons(night) -> None:
    images, about = calibrate(night.raw["DATA"], read_calibration(night.calibration))
    kinds = images.events["event_type"]
    assert images.image[kinds == FLATFIELD].mean() == pytest.approx(FLAT_LIGHT, rel=0.05)  # six flashes
    assert images.image[kinds == SKY_PEDESTAL].mean() == pytest.approx(0, abs=0.05)
    assert images.peak_time[kinds == FLATFIELD].mean(axis=0).std() < 0.15  # delays are taken out
    cosmic = images.some(is_cosmic(images.events))
    bright = (cosmic.truth["light"] > 500) & (np.hypot(cosmic.truth["x"], cosmic.truth["y"]) < 0.6)
    light = np.where(cosmic.image > 4, cosmic.image, 0).sum(axis=1)
    assert np.median(light[bright] / cosmic.truth["light"][bright]) == pytest.approx(1, abs=0.1)
    assert about["run_id"] == 1806


def damage_datasets(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["waveform"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def rename_camera(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["camera"] = "toy-2"


def mistake(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["kind"] = "dl1"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage_datasets, "has no dataset waveform; make or copy it anew"),
        (cut, "cannot be read; it may be damaged"),
        (rename_camera, "is of the camera toy-1855, and .* of toy-2; name that of the same camera"),
        (mistake, "has no raw events: its attribute kind is 'dl1'"),
        (Path.unlink, "is not there; run the stage that makes it"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path, night, spoil, said: str) -> None:
    path = tmp_path / "r0.h5"
    simulate(path, Subrun(1807, 0, events=2))
    spoil(path)
    with pytest.raises(Unusable, match=said):
        calibrate(path, read_calibration(night.calibration))
