import numpy as np
import pytest

from penstock.workflows.reports.scale import Scale

SCALES = ["linear", "log", ((0.5, 2000.0), (0.8, 6000.0))]


@pytest.mark.parametrize("scale", SCALES)
def test_a_place_and_its_value_belong_together(scale):
    axis = Scale.of(scale, 50, 24000)
    for height, value in zip(np.linspace(0, 1, 11), axis.edges(10), strict=True):
        assert axis.place(value) == pytest.approx(height)


def test_a_logarithmic_axis_gives_each_decade_the_same_height():
    axis = Scale.of("log", 10, 10000)
    assert [axis.place(f) for f in (10, 100, 1000, 10000)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_parts_are_straight_between_their_points():
    axis = Scale.of(((0.5, 2000.0),), 50, 24000)
    assert [axis.place(f) for f in (1000, 2000, 13000)] == pytest.approx([0.25, 0.5, 0.75])


def test_parts_that_fall_are_refused():
    with pytest.raises(ValueError, match="must rise"):
        Scale.of(((0.2, 5000.0), (0.5, 2000.0)), 50, 24000)


@pytest.mark.parametrize("scale", SCALES)
def test_ticks_are_inside_and_do_not_crowd(scale):
    axis = Scale.of(scale, 50, 24000)
    places = [axis.place(value) for value in axis.ticks()]
    assert 4 <= len(places) <= 12
    assert all(0 <= place <= 1 for place in places)
    assert min(np.diff(places)) > 0.03


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="'cubic' is not a scale"):
        Scale.of("cubic", 1, 2)
