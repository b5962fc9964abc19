"""Trajectories that another program made: D is found within its errors, and what is no free diffusion is flagged.

`fbm.txt` is of fbm 0.3.0 (PyPI), seed 11: 24 trajectories of H = 0.5, 12 of 0.3 and 12 of 0.7, of 50 steps each, every coordinate
`sqrt(2 * 0.1 * 0.02) * FBM(50, H, 50, "daviesharte").fbm()` µm, written in nm.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penstock.workflows.tracking.inference import Maps, Settings, infer
from penstock.workflows.tracking.tessellation import Tessellation, tessellate
from penstock.workflows.tracking.trajectories import Trajectories
from penstock.workflows.tracking.translocations import find_translocations

D, DT = 0.1, 0.02
ROWS = np.loadtxt(Path(__file__).with_name("fbm.txt"), skiprows=1)


def mapped(hurst: float) -> Maps:
    """Map all steps of one H as one cell."""
    rows = ROWS[ROWS[:, 0] == hurst]
    steps = find_translocations(Trajectories(rows[:, 1].astype(int), rows[:, 4] * DT, rows[:, 2:4] / 1000))
    box = np.array([steps.r.min(axis=0), steps.r.max(axis=0)])
    return infer(tessellate(steps, box, Tessellation(resolution=100.0)), steps, Settings(0.0, "d"))


def test_diffusivity_of_an_independent_simulator_is_found_within_its_error() -> None:
    maps = mapped(0.5)
    assert maps.counts.tolist() == [1200]
    (found,), (error,) = maps.values["diffusivity"], maps.errors["diffusivity"]
    assert error == pytest.approx(D / 1200**0.5, rel=0.05)
    assert abs(found - D) < error
    assert maps.flags.tolist() == [0]


@pytest.mark.parametrize("hurst", [0.3, 0.7])
def test_steps_that_remember_each_other_are_flagged(hurst: float) -> None:
    maps = mapped(hurst)
    assert maps.flags.tolist() == [2]
    assert np.sign(maps.scores["dependent"]) == np.sign(hurst - 0.5)
