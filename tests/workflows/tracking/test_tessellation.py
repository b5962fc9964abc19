"""Cells: counts, areas and neighbours against the formulas, and which steps count for which."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.tracking.cells import (
    drop_small,
    merge_small,
    sample_knn,
    sample_nearest,
    sample_spheres,
)
from penstock.workflows.tracking.faults import Empty
from penstock.workflows.tracking.lattices import count_hexagons, count_squares, lay_hexagons, lay_squares
from penstock.workflows.tracking.regions import boxes
from penstock.workflows.tracking.simulator import Medium, make_wells, simulate
from penstock.workflows.tracking.tessellation import (
    FREE,
    LATTICES,
    Tessellation,
    choose_size,
    slide,
    tessellate,
)
from penstock.workflows.tracking.translocations import Translocations, find_translocations, within

BOX = np.array([[0.0, 0.0], [1.0, 1.0]])
WELLS = make_wells((0.3, 0.3, 0.15, 2.0), (0.7, 0.7, 0.2, 1.5))
STEPS = find_translocations(simulate(Medium(0.1, WELLS), 150, length=20, dt=0.02, sigma=0.02, seed=1))


def polygon_area(corners: np.ndarray) -> float:
    x, y = corners.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@pytest.mark.parametrize("box", [BOX, np.array([[-1.0, 2.0], [4.0, 3.0]])])
@pytest.mark.parametrize("r", [0.05, 0.1, 0.23])
def test_hexagons_have_the_area_the_distances_and_the_neighbours_of_the_formulas(
    box: np.ndarray, r: float
) -> None:
    cells = lay_hexagons(box, r)
    assert len(cells) == count_hexagons(box, r)
    assert cells.areas == pytest.approx(np.full(len(cells), 2 * 3**0.5 * r**2))
    assert polygon_area(cells.outlines[0]) == pytest.approx(2 * 3**0.5 * r**2)
    ends = np.array([cells.centres.min(axis=0), cells.centres.max(axis=0)])
    assert ends.mean(axis=0) == pytest.approx(box.mean(axis=0))
    rows = np.unique(cells.centres[:, 1].round(9))
    assert np.diff(rows) == pytest.approx(np.full(len(rows) - 1, 3**0.5 * r))
    i, j = cells.pairs.T
    assert np.linalg.norm(cells.centres[i] - cells.centres[j], axis=1) == pytest.approx(
        np.full(len(i), 2 * r)
    )
    columns, number = int(np.ceil((box[1, 0] - box[0, 0]) / (2 * r) - 1e-9)), len(rows)
    within_rows = number * (columns - 1) + number // 2
    assert len(cells.pairs) == within_rows + 2 * columns * (number - 1)


@pytest.mark.parametrize("r", [0.05, 0.07, 0.23])
def test_a_lattice_covers_its_box(r: float) -> None:
    corners = np.random.default_rng(1).random((2000, 2))
    for lay, reach in ((lay_hexagons, 2 / 3**0.5), (lay_squares, 2**0.5)):
        centres = lay(BOX, r).centres
        nearest = np.min(np.linalg.norm(corners[:, None] - centres[None], axis=2), axis=1)
        assert nearest.max() <= reach * r * (1 + 1e-9)
        assert lay(BOX, r).inside.sum() == pytest.approx(1.0)
        assert lay(2 * BOX, r).inside.sum() == pytest.approx(4.0)


def test_squares_touch_along_edges_only() -> None:
    cells = lay_squares(BOX, 0.125)
    assert len(cells) == count_squares(BOX, 0.125) == 16
    assert len(cells.pairs) == 24
    assert cells.areas.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", LATTICES)
def test_the_size_is_the_one_whose_count_is_nearest_to_the_target(kind: str) -> None:
    count, _ = LATTICES[kind]
    target = len(STEPS) / 80
    found = count(BOX, choose_size(count, STEPS, BOX))
    reachable = {count(BOX, r) for r in np.linspace(0.02, 0.5, 20000)}
    assert abs(found - target) == min(abs(each - target) for each in reachable)


def test_a_resolution_is_the_width_of_a_cell_and_steps_set_the_least_one() -> None:
    assert tessellate(STEPS, BOX, Tessellation(resolution=0.2, min_count=1)).cells.areas[0] == pytest.approx(
        2 * 3**0.5 * 0.1**2
    )
    fast = find_translocations(simulate(Medium(2.0), 300, length=20, dt=0.02, seed=1))
    assert choose_size(count_hexagons, fast, BOX) == pytest.approx(0.4 * fast.mean_step())


def test_a_region_is_tessellated_the_same_whatever_was_before() -> None:
    regions = boxes([(0, 0.5, 0, 0.5), (0.5, 1, 0.5, 1)])

    def count(number: int) -> int:
        region = regions[number]
        return len(tessellate(within(STEPS, region), region.box, Tessellation(min_count=1)).cells)

    assert [count(0), count(1)] == [count(1), count(0)][::-1]


@pytest.mark.parametrize("kind", [*LATTICES, *FREE])
def test_every_step_counts_for_one_cell_and_cells_are_joined(kind: str) -> None:
    made = tessellate(STEPS, BOX, Tessellation(kind, min_count=1))
    assert sorted(made.row) == sorted(set(made.row))
    assert made.counts.sum() == len(STEPS)
    assert len(made.cells) == pytest.approx(len(STEPS) / 80, rel=0.6)
    assert set(made.cells.components()) == {0}
    again = tessellate(STEPS, BOX, Tessellation(kind, min_count=1))
    assert np.array_equal(made.cells.centres, again.cells.centres)


@pytest.mark.parametrize("kind", FREE)
def test_free_cells_fill_their_box(kind: str) -> None:
    cells = tessellate(STEPS, BOX, Tessellation(kind, min_count=1)).cells
    assert cells.areas.sum() == pytest.approx(1.0)
    assert [polygon_area(each) for each in cells.outlines] == pytest.approx(cells.areas)


def test_the_leaves_of_a_k_d_tree_are_equally_full() -> None:
    counts = tessellate(STEPS, BOX, Tessellation("kmeans", min_count=1)).counts
    assert counts.std() < 0.5 * counts.mean()


def test_cells_may_have_three_axes() -> None:
    box = np.array([[0.0] * 3, [1.0] * 3])
    steps = find_translocations(simulate(Medium(0.1, box=((0,) * 3, (1,) * 3)), 50, length=20, dt=0.02))
    made = tessellate(steps, box, Tessellation("kmeans", min_count=1))
    assert made.cells.axes == 3
    assert made.cells.areas.sum() == pytest.approx(1.0)


def test_small_cells_are_dropped_or_joined_and_told() -> None:
    full = tessellate(STEPS, BOX, Tessellation(min_count=1))
    dropped, merged = drop_small(full, 40), merge_small(full, 40)
    for made in (dropped, merged):
        assert made.counts.min() >= 40
        assert len(made.told) == len(full.told) + 1
    assert dropped.counts.sum() < full.counts.sum() == merged.counts.sum()
    for made, whole in ((merged.cells.areas, full.cells.areas), (merged.cells.inside, full.cells.inside)):
        assert made.sum() == pytest.approx(whole.sum())
    with pytest.raises(Empty, match="make cells larger"):
        drop_small(full, 10**6)


def test_samplings_take_the_nearest_and_what_is_within_a_radius() -> None:
    cells = lay_squares(BOX, 0.25)
    r = STEPS.r
    apart = np.linalg.norm(r[None] - cells.centres[:, None], axis=2)
    near = sample_knn(cells, r, 30)
    assert near.counts.tolist() == [30] * 4
    assert set(near.row[near.cell == 2]) == set(np.argsort(apart[2])[:30])
    ball = sample_spheres(cells, r, 0.3)
    assert ball.counts.tolist() == np.count_nonzero(apart <= 0.3, axis=1).tolist()
    assert sample_nearest(cells, r).cell.tolist() == np.sort(np.argmin(apart, axis=0)).tolist()


def test_windows_slide_over_all_times() -> None:
    t = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    made = [*slide(t, 1.0, 0.5)]
    assert [(begin, end) for begin, end, _ in made] == [(0, 1), (0.5, 1.5), (1, 2), (1.5, 2.5)]
    assert t[made[1][2]].tolist() == [0.5, 1.0]
    assert np.any([inside for *_, inside in made], axis=0).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(DefinitionError, match="kind = 'hexes' is unknown; say hexagons, squares, kmeans"):
        Tessellation("hexes")
    with pytest.raises(DefinitionError, match="needs a radius"):
        Tessellation(sampling="spheres")
    with pytest.raises(DefinitionError, match="resolution = -1"):
        Tessellation(resolution=-1)
    nothing = Translocations(
        *(np.zeros(0),) * 2, np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)), np.zeros(0, int)
    )
    with pytest.raises(Empty, match="no translocation"):
        tessellate(nothing, BOX)
