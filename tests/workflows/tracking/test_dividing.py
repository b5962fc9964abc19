"""Each region is divided by itself; one that cannot be costs no other."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.tracking.dividing import Windows, divide, regions_of
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.regions import boxes, share_supports
from penstock.workflows.tracking.simulator import Medium, simulate
from penstock.workflows.tracking.tessellation import Tessellation
from penstock.workflows.tracking.translocations import find_translocations

SEEN = simulate(Medium(0.1), 40, length=20, dt=0.02, seed=1)
STEPS = find_translocations(SEEN)
LEFT, WHOLE = (0.0, 0.5, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0)


def test_what_cannot_be_divided_is_named_and_others_are() -> None:
    strange = [(2, 3, 0, 1), (1, 0, 0, 1), (0.0, np.inf, 0.0, 1.0), (0.0, 0.001, 0.0, 0.001)]
    made = divide(STEPS, boxes([WHOLE, *strange, LEFT]))
    assert [*made.made] == ["roi000", "roi005"]
    assert [*made] == [f"roi{i:03d}" for i in range(6)]
    assert made.failed["roi001"].startswith("roi001 holds no translocation")
    assert made.failed["roi002"] == "roi002 cannot be mapped: x min 1 is not below x max 0"
    assert made.failed["roi003"] == "roi003 cannot be mapped: x goes from 0 to inf µm"
    assert made.failed["roi004"].startswith("roi004 holds no translocation")
    assert made.counts["roi001"] == 0


def test_a_region_that_geometry_fails_on_is_one_sentence_and_no_warning() -> None:
    line = replace(STEPS, r=STEPS.r * [1, 0] + [0, 0.5])
    flat = [(0.0, 1.0, 0.5 - 1e-13, 0.5 + 1e-13)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = divide(line, boxes([*flat, WHOLE]), Tessellation("kmeans"))
    assert [*made.made] == ["roi001"]
    assert made.failed["roi000"].startswith("it cannot be divided into cells: QhullError: ")
    assert "\n" not in made.failed["roi000"]
    assert made.counts["roi000"] == len(STEPS)


def test_cells_of_a_region_do_not_depend_on_others() -> None:
    alone, last = (divide(STEPS, boxes(some)).made for some in ([LEFT], [WHOLE, (9, 9.5, 0, 1), LEFT]))
    one, other = alone["roi000"], last["roi002"]
    assert np.array_equal(one[0].cells.centres, other[0].cells.centres)
    assert np.array_equal(one[0].row, other[0].row)


def test_regions_that_overlap_may_be_mapped_together() -> None:
    both = boxes([(0.0, 0.6, 0.0, 0.6), (0.4, 1.0, 0.4, 1.0)])
    made = divide(STEPS, share_supports(both), Tessellation("squares", min_count=1)).made
    _, steps = made["roi000+1"]
    inside = [region.contains(STEPS.r, STEPS.t) for region in both]
    assert [*made] == ["roi000+1"]
    assert len(steps) == np.count_nonzero(inside[0] | inside[1])


def test_windows_in_time_are_regions_of_their_own() -> None:
    made = divide(STEPS, boxes([WHOLE]), Tessellation("squares", min_count=1), Windows(0.1, 0.2))
    assert [*made] == ["roi000-t000", "roi000-t001"]
    assert made.made["roi000-t001"][1].t.min() == pytest.approx(0.2)
    assert all(each[1].t.max() - each[1].t.min() < 0.1 for each in made.made.values())


def test_a_setting_that_no_region_can_have_is_no_fault_of_a_region() -> None:
    seen = simulate(Medium(0.1, box=((0, 0, 0), (1, 1, 1))), 5, length=20, dt=0.02)
    solid = regions_of(Path("none.txt"), seen)
    with pytest.raises(DefinitionError, match="adaptive cells are of two dimensions"):
        divide(find_translocations(seen), solid, Tessellation("adaptive"))


def test_a_file_of_regions_beside_the_data_is_used_unless_it_shall_not_be(tmp_path: Path) -> None:
    path = tmp_path / "a.rpt.txt"
    beside = tmp_path / "a.rpt-roi.txt"
    assert [each.low for each in regions_of(path, SEEN)] == [tuple(SEEN.r.min(axis=0))]
    beside.write_text("x\ty\n0.5\t0.5\n0.2\t0.2\n")
    assert [each.high for each in regions_of(path, SEEN, side=0.2)] == [(0.6, 0.6), pytest.approx((0.3, 0.3))]
    assert len(regions_of(path, SEEN, labels=())) == 1
    (tmp_path / "a.rpt_nuclei.txt").write_text("x min\tx max\ty min\ty max\n0\t1\t0\t1\n")
    both = regions_of(path, SEEN, side=0.2, labels=("nuclei", "roi"))
    assert [(each.name, each.label) for each in both] == [
        ("nuclei000", "nuclei"), ("roi000", "roi"), ("roi001", "roi"),
    ]  # fmt: skip
    beside.write_text("x min\tx max\ty min\ty max\n")
    with pytest.raises(Unreadable, match="has no region; add one a line, or remove the file"):
        regions_of(path, SEEN)
