import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.workflows.acoustics.axis import Axis

SCALES = ["linear", "log", ((0.5, 2000.0), (0.8, 6000.0))]


@pytest.mark.parametrize("scale", SCALES)
def test_a_place_and_its_frequency_belong_together(scale):
    axis = Axis.of(scale, 50, 24000)
    for height, frequency in zip(np.linspace(0, 1, 11), axis.edges(10), strict=True):
        assert axis.place(frequency) == pytest.approx(height)


def test_a_logarithmic_axis_gives_each_decade_the_same_height():
    axis = Axis.of("log", 10, 10000)
    assert [axis.place(f) for f in (10, 100, 1000, 10000)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_parts_are_straight_between_their_points():
    axis = Axis.of(((0.5, 2000.0),), 50, 24000)
    assert [axis.place(f) for f in (1000, 2000, 13000)] == pytest.approx([0.25, 0.5, 0.75])


def test_parts_that_fall_are_refused():
    with pytest.raises(ValueError, match="must rise"):
        Axis.of(((0.2, 5000.0), (0.5, 2000.0)), 50, 24000)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 100), st.integers(1, 100), st.sampled_from(SCALES))
def test_rows_keep_a_flat_spectrum_flat_and_lose_no_line(lines, rows, scale):
    spacing = 24000 / (lines - 1)
    axis = Axis.of(scale, spacing, 24000)
    assert axis.rows(np.full(lines, 3.0), rows, spacing) == pytest.approx(np.full(rows, 3.0))
    for k in range(1, lines):
        assert axis.rows(np.eye(lines)[k], rows, spacing).sum() > 0


@pytest.mark.parametrize("scale", SCALES)
def test_ticks_are_inside_and_do_not_crowd(scale):
    axis = Axis.of(scale, 50, 24000)
    places = [axis.place(value) for value in axis.ticks()]
    assert 4 <= len(places) <= 12
    assert all(0 <= place <= 1 for place in places)
    assert min(np.diff(places)) > 0.03
