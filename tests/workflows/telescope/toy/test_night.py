"""The toy night, from raw events to what was in the sky."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.workflows.telescope.toy import stages
from penstock.workflows.telescope.toy.simulator import Subrun, simulate


@pytest.mark.slow
def test_gammas_are_found_in_a_night_of_raw_events(tmp_path: Path, task_of, process) -> None:
    made = []
    for run, subrun in ((1807, 0), (1807, 1), (1807, 2)):
        raw = tmp_path / f"r0_{run}_{subrun}.h5"
        simulate(raw, Subrun(run, subrun, events=200))
        made.append(process(raw, tmp_path / f"{run}_{subrun}"))
        raw.unlink()
    told = stages.merge(
        task_of(tmp_path / "dl2.h5", inputs=[each.dl2 for each in made], params={"kind": "dl2"})
    )
    assert told == {"events": 3 * 160, "subruns": 3}
    with h5py.File(tmp_path / "dl2.h5") as file:
        found, truth = file["dl2"][:], file["simulation"][:]
    seen, gamma = np.isfinite(found["gammaness"]), truth["particle"] == 0
    apart = found["gammaness"][seen & gamma][:, None] - found["gammaness"][seen & ~gamma]
    assert (apart > 0).mean() >= 0.9
    off = np.log10(found["reco_energy"] / truth["energy"])[seen & gamma]
    assert off.std() <= 0.2
    assert abs(off.mean()) < 0.1
    beside = np.hypot(found["reco_src_x"] - truth["source_x"], found["reco_src_y"] - truth["source_y"])
    assert np.median(beside[seen & gamma]) < 0.1  # m: a fifth of a degree
