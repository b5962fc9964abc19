"""A night of a telescope, as short as can be: raw files, and what the calibration makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.workflows.telescope.toy.gains import make_calibration
from penstock.workflows.telescope.toy.pedestals import make_pedestals
from penstock.workflows.telescope.toy.simulator import Subrun, simulate

EVENTS = {"DRS4": 120, "PEDCALIB": 200, "DATA": 60}


@dataclass(frozen=True)
class Night:
    """Files of a night: raw ones by type, and the calibration."""

    folder: Path
    raw: dict[str, Path]
    pedestals: Path
    calibration: Path


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("night")
    raw = {}
    for run, (run_type, events) in enumerate(EVENTS.items(), 1804):
        raw[run_type] = folder / f"r0_{run}_0.h5"
        simulate(raw[run_type], Subrun(run, 0, run_type, events))
    pedestals, calibration = folder / "drs4_pedestal.h5", folder / "calibration.h5"
    make_pedestals([raw["DRS4"]], pedestals)
    make_calibration([raw["PEDCALIB"]], pedestals, calibration)
    return Night(folder, raw, pedestals, calibration)
