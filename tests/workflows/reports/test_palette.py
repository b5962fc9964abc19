import numpy as np
import pytest

from penstock.workflows.reports.palette import COLOURS, GREYS, NO_DATA, indexed, palette, robust_range


def test_a_few_loud_points_do_not_darken_the_rest():
    levels = np.linspace(40, 60, 10_000)
    levels[:5] = 200
    low, high = robust_range(levels)
    assert (low, high) == (41, 60)


def test_the_lowest_row_is_below_and_what_is_no_number_is_grey():
    made = indexed(np.array([[0.0, np.nan], [5.0, 10.0]], np.float32), 0, 10)
    assert made.tolist() == [[round((COLOURS - 1) / 2), COLOURS - 1], [0, NO_DATA]]


@pytest.mark.parametrize("name", ["viridis", "grey", "magma"])
def test_a_palette_has_three_bytes_an_entry_and_ends_in_greys(name):
    made = palette(name)
    assert len(made) == 3 * (COLOURS + GREYS)
    assert made[-3:] == b"\xff\xff\xff"
    assert made[3 * COLOURS : 3 * COLOURS + 3] == b"\0\0\0"
