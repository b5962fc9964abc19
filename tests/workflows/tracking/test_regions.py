"""Regions: their files, their faults, and the steps that begin in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Empty, Unreadable
from penstock.workflows.tracking.regions import (
    boxes,
    find_regions_file,
    read_regions,
    share_supports,
    squares_around,
)
from penstock.workflows.tracking.trajectories import Trajectories
from penstock.workflows.tracking.translocations import find_translocations, within

STEPS = find_translocations(
    Trajectories(np.zeros(5, int), np.arange(5) * 0.1, np.column_stack([np.arange(5.0), np.zeros(5)]))
)


def test_the_file_beside_the_data_is_found_in_both_spellings(tmp_path: Path) -> None:
    data = tmp_path / "cell.rpt.txt"
    assert find_regions_file(data) is None
    for name in ("cell.rpt_roi.txt", "cell.rpt-roi.txt"):
        (tmp_path / name).touch()
        assert find_regions_file(data) == tmp_path / name


def test_boxes_are_read_with_times_and_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "roi.txt"
    path.write_text("x min\tx max\ty min\ty max\tt min\tt max\n1,5\t2\t0\t1\t0\t0,5\n", "utf-8")
    (region,) = read_regions(path, "synapses")
    assert (region.name, region.low, region.high) == ("roi000", (1.5, 0.0), (2.0, 1.0))
    assert (region.times, region.label) == ((0.0, 0.5), "synapses")


def test_one_region_without_content_has_a_fault_and_the_others_none(tmp_path: Path) -> None:
    path = tmp_path / "roi.txt"
    path.write_text("x min\tx max\ty min\ty max\n0\t1\t0\t1\n3\t1\t0\t1\n0\t1\t2\t2\n", "utf-8")
    made = read_regions(path)
    assert [region.fault is None for region in made] == [True, False, False]
    with pytest.raises(Empty, match="roi001 cannot be mapped: x min 3 is not below x max 1"):
        within(STEPS, made[1])


def test_centres_need_a_side(tmp_path: Path) -> None:
    path = tmp_path / "roi.txt"
    path.write_text("x\ty\n1\t2\n", "utf-8")
    with pytest.raises(DefinitionError, match="give the side"):
        read_regions(path)
    assert read_regions(path, side=0.5) == squares_around([(1, 2)], 0.5)
    path.write_text("x\ty\tsize\n1\t2\t0.5\n", "utf-8")
    assert read_regions(path)[0].high == (1.25, 2.25)


def test_a_header_that_lacks_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roi.txt"
    path.write_text("x min\tx max\ty min\n0\t1\t0\n", "utf-8")
    with pytest.raises(Unreadable, match="no column 'y max'"):
        read_regions(path)


def test_a_region_keeps_the_steps_that_begin_in_its_closed_box() -> None:
    kept = within(STEPS, boxes([(1, 2, 0, 0.5)])[0])
    assert kept.r[:, 0].tolist() == [1, 2]
    assert kept.dr[:, 0].tolist() == [1, 1]
    assert kept.after.tolist() == [1, -1]


def test_a_region_beside_the_data_is_empty() -> None:
    with pytest.raises(Empty, match="roi000 holds no translocation"):
        within(STEPS, boxes([(100, 101, 0, 1)])[0])


def test_no_step_is_left_out_for_its_size() -> None:
    still = Trajectories(np.zeros(4, int), np.arange(4.0), np.array([[0, 0], [0, 0], [9, 9], [9, 9.0]]))
    assert len(find_translocations(still)) == 3


def test_steps_know_which_one_shares_their_end() -> None:
    n = np.array([0, 0, 0, 1, 1, 1])
    t = np.array([0, 1, 2, 0, 1, 9.0])
    steps = find_translocations(Trajectories(n, t, np.zeros((6, 2))), max_gap=2)
    assert steps.after.tolist() == [1, -1, -1]


def test_overlapping_regions_share_a_support() -> None:
    made = boxes([(0, 2, 0, 2), (5, 6, 0, 1), (1, 3, 1, 3), (2.5, 4, 2.5, 4), (6, 7, 0, 1), (1, 1, 0, 9)])
    one, *others = share_supports(made)
    assert (one.name, one.low, one.high) == ("roi000+2", (0, 0), (4, 4))
    assert others == [made[1], made[4], made[5]], "what only touches, or has no content, stays alone"
    r = np.array([[0.5, 0.5], [3.5, 3.5], [0.5, 3.5]])
    assert one.contains(r, np.zeros(3)).tolist() == [True, True, False]
