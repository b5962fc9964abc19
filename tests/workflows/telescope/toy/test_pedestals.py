from pathlib import Path

import numpy as np
import pytest

from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.pedestals import (
    make_pedestals,
    measure_pedestals,
    raw_blocks,
    read_pedestals,
)
from penstock.workflows.telescope.toy.simulator import ELECTRONICS, Subrun, instrument, simulate


def test_the_pedestal_of_each_capacitor_is_found(night) -> None:
    found, about = read_pedestals(night.pedestals)
    off = found.mean - instrument().pedestals
    taken = 120 * 40 / 256  # samples of a capacitor
    assert abs(off.mean()) < 0.05
    assert off.std() == pytest.approx(ELECTRONICS / np.sqrt(taken), rel=0.1)
    assert found.rms == pytest.approx(ELECTRONICS, rel=0.1)
    assert (about["run_id"], found.events) == (1804, 120)


def test_subtracted_waveforms_have_no_pattern_left(night) -> None:
    found, _ = read_pedestals(night.pedestals)
    left = np.concatenate([found.subtract(raw) for raw in raw_blocks(night.raw["DRS4"])])
    assert abs(left.mean()) < 0.01
    assert left.std() == pytest.approx(ELECTRONICS, rel=0.05)


def test_chosen_events_are_those_that_are_read(night) -> None:
    everything = np.concatenate([raw.waveform for raw in raw_blocks(night.raw["DATA"])])
    some = np.array([0, 1, 5, 17, 40, 41, 42])
    chosen = np.concatenate([raw.waveform for raw in raw_blocks(night.raw["DATA"], some)])
    assert np.array_equal(chosen, everything[some])


def test_too_few_events_are_refused_with_a_sentence(tmp_path: Path) -> None:
    simulate(tmp_path / "r0.h5", Subrun(1804, 0, "DRS4", events=3))
    with pytest.raises(Unusable, match=r"^3 events of a pedestal run are too few"):
        measure_pedestals(raw_blocks(tmp_path / "r0.h5"))


def test_files_of_two_cameras_are_refused(night, tmp_path: Path) -> None:
    simulate(tmp_path / "other.h5", Subrun(1804, 1, "DRS4", events=2, camera="toy-2"))
    with pytest.raises(Unusable, match="is of the camera toy-2, and"):
        make_pedestals([night.raw["DRS4"], tmp_path / "other.h5"], tmp_path / "made.h5")
