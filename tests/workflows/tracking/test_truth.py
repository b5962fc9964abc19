"""What is made up is kept: as numbers beside the file, and as maps that others are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.reading import read_trajectories
from penstock.workflows.tracking.regions import boxes, find_regions_file, read_regions
from penstock.workflows.tracking.simulator import simulate
from penstock.workflows.tracking.truth import Truth, read_truth, truth_beside, vary, write_file

WORLD = Truth(0.2, ((0.5, 0.5, 0.2, 2.0),), ((1.5, 1.5, 0.3, -0.1),), dt=1 / 30, sigma=0.01)


def test_a_file_is_read_as_it_was_made_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "data/a.rpt.txt"
    regions = boxes([(0, 1, 0, 1), (1, 2, 0.5, 1.25)])
    write_file(path, WORLD, 20, length=10, seed=3, regions=regions)
    seen = read_trajectories(path)
    made = simulate(WORLD.medium, 20, length=10, dt=WORLD.dt, sigma=WORLD.sigma, seed=3)
    assert seen.told == ()
    assert np.array_equal(seen.n, made.n)
    assert np.abs(seen.r - made.r).max() <= 0.5001e-5
    file = find_regions_file(path)
    assert file is not None
    assert read_regions(file) == regions
    assert read_truth(path) == WORLD


def test_the_truth_is_that_of_the_world() -> None:
    places = np.array([[0.5, 0.5], [1.5, 1.5], [0.5, 1.9]])
    assert WORLD.d(places) == pytest.approx([0.2, 0.1, 0.2], abs=1e-3)
    assert WORLD.v(places) == pytest.approx([0, 2, 2], abs=1e-3)
    assert vary(WORLD, 1).v(places) == pytest.approx([0, 2.2, 2.2], abs=1e-3)
    isothermal = Truth(0.2, patches=WORLD.patches, convention="isothermal")
    assert isothermal.v(places) == pytest.approx([0, np.log(2), 0], abs=1e-2)


def test_a_world_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"D falls to -0\.05 µm²/s at a patch"):
        write_file(tmp_path / "a.txt", Truth(0.1, patches=((1, 1, 0.3, -0.15),)), 3)
    with pytest.raises(DefinitionError, match="is empty; give the low corner first"):
        write_file(tmp_path / "a.txt", Truth(box=((0, 0), (0, 1))), 3)


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"diffusivity": 0.1, "colour": "red"}'])
def test_a_truth_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    truth_beside(tmp_path / "a.txt").write_text(text)
    with pytest.raises(Unreadable, match=r"a-truth\.json does not say what trajectories were made of"):
        read_truth(tmp_path / "a.txt")
