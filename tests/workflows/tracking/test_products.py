"""Products: what is written is read again, and pictures hold what was asked for."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.inference import Settings, infer
from penstock.workflows.tracking.mapped import Mapped, load
from penstock.workflows.tracking.panels import write_region_picture, write_source_picture
from penstock.workflows.tracking.pictures import draw_cells, draw_force, draw_map, draw_trajectories
from penstock.workflows.tracking.products import collect, find_regions, merge, read_maps, write_table
from penstock.workflows.tracking.regionfile import read_cells, write_cells
from penstock.workflows.tracking.simulator import Medium, make_wells, simulate
from penstock.workflows.tracking.tessellation import tessellate
from penstock.workflows.tracking.translocations import find_translocations
from penstock.workflows.tracking.truth import Truth

BOX = np.array([[0.0, 0.0], [1.0, 1.0]])
SEEN = simulate(Medium(0.1, make_wells((0.5, 0.5, 0.2, 2.0))), 60, length=20, dt=0.02, sigma=0.02, seed=1)
STEPS = find_translocations(SEEN)
SAMPLING = tessellate(STEPS, BOX)
MAPS = infer(SAMPLING, STEPS, Settings(0.02))


def test_regions_of_a_source_are_one_file_and_failed_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.maps.h5"
    collect(path, {"roi000": (MAPS, SAMPLING, STEPS)}, {"source": "a"}, {"roi001": "it is empty"})
    found = read_maps(path)["roi000"]
    assert np.array_equal(found["potential"], MAPS.values["potential"])
    assert np.array_equal(found["force_error"], MAPS.errors["force"])
    assert np.array_equal(found["positions"], STEPS.r)
    assert found["corner_counts"].sum() == len(found["corners"]) == 6 * len(MAPS.cells)
    with h5py.File(path) as file:
        assert json.loads(file.attrs["failed"]) == {"roi001": "it is empty"}
        assert file["roi000"].attrs["reason"] == "converged"
        assert file["roi000"].attrs["gradient_norm"] < 1e-7
        assert json.loads(file["roi000"].attrs["settings"])["sigma"] == 0.02
        assert json.loads(file["roi000"].attrs["versions"])["numpy"] == np.__version__
        assert file["roi000/maps/diffusivity"].attrs["units"] == "µm²/s"


def test_what_is_read_again_is_what_was_written(tmp_path: Path) -> None:
    truth = Truth(0.1, ((0.5, 0.5, 0.2, 2.0),), box=((0, 0), (1, 1)))
    paths = [tmp_path / name for name in ("a.h5", "b.h5", "both.h5")]
    for path, name in zip(paths, ("roi001", "roi000"), strict=False):
        collect(path, {name: (MAPS, SAMPLING, STEPS)}, {"truth": truth.text})
    places = find_regions(paths[:2])
    assert places == {"roi001": paths[0], "roi000": paths[1]}
    merge(paths[2], places, {"truth": truth.text}, {"roi002": "empty"})
    assert [*load(paths[2])] == ["roi000", "roi001"]
    for name, each in load(paths[2]).items():
        assert each.name == name
        assert each.truth == truth
        assert same(each.maps, MAPS)
        assert same(each.sampling, SAMPLING)
        assert same(each.steps, STEPS)
    assert load(paths[2])["roi000"].compare()["potential_rms"] < 1


def same(one: Any, other: Any) -> bool:
    """Whether two are alike to the last bit, through dataclasses, mappings and tuples."""
    if is_dataclass(one):
        return all(same(getattr(one, each.name), getattr(other, each.name)) for each in fields(one))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return np.array_equal(one, other, equal_nan=True) if isinstance(one, np.ndarray) else one == other


def test_cells_go_from_one_stage_to_the_next_and_a_missing_region_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.cells.h5"
    write_cells(path, {"roi000": (SAMPLING, STEPS)}, {"source": "a"}, {})
    sampling, steps, about = read_cells(path, "roi000")
    assert same((sampling, steps), (SAMPLING, STEPS))
    assert about == {"source": "a"}
    with pytest.raises(Unreadable, match="has no region roi001; it has roi000"):
        read_cells(path, "roi001")


def test_a_region_draws_what_it_has(tmp_path: Path) -> None:
    region = Mapped("roi000", MAPS, SAMPLING, STEPS)
    axes = Figure().add_subplot()
    assert region.plot("potential", axes) is axes
    with pytest.raises(DefinitionError, match="roi000 has no 'drift'; it has diffusivity, "):
        region.plot("drift", axes)
    assert region.compare() == {}
    write_region_picture(tmp_path / "a.png", region, "a")
    write_source_picture(tmp_path / "b.png", {"roi000": region}, "a")
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("a.png", "b.png"))


def test_a_damaged_product_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "a.maps.h5"
    path.write_bytes(b"no HDF5")
    with pytest.raises(Unreadable, match="is no whole HDF5 file"):
        read_maps(path)


def test_a_table_has_a_row_for_each_cell_with_units_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_table(path, {"roi000": MAPS})
    with path.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == len(MAPS.cells)
    assert float(rows[3]["diffusivity [µm²/s]"]) == MAPS.values["diffusivity"][3]
    assert float(rows[3]["force_y [kT/µm]"]) == MAPS.values["force"][3, 1]


def test_pictures_have_units_and_a_scale_bar() -> None:
    figure = Figure()
    axes = [figure.add_subplot(2, 2, i + 1) for i in range(4)]
    drawn = [
        draw_map(axes[0], MAPS),
        draw_cells(axes[1], MAPS.cells, STEPS),
        draw_force(axes[2], MAPS),
        draw_trajectories(axes[3], SEEN),
    ]
    assert drawn == axes
    assert all(any(text.get_text().endswith(" µm") for text in each.texts) for each in axes)
    labels = {each.get_ylabel() for each in figure.axes}
    assert {"diffusivity (µm²/s)", "potential (kT)"} <= labels
    assert len(axes[0].collections[0].get_paths()) == len(MAPS.cells)
