from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.acoustics.timeline import Bins, Span, between, choose_width, moment, seconds

SPANS = st.tuples(st.floats(0, 1e6), st.floats(0.01, 1e4)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


@given(SPANS, st.sampled_from([1.0, 7.5, 10.0, 60.0]))
def test_the_seconds_of_a_span_are_shared_out_among_its_bins(span, width):
    bins = Bins.over(span, width)
    inside = bins.seconds_inside(span)
    assert sum(inside) == pytest.approx(span.length, abs=1e-6)
    assert all(0 <= each <= width + 1e-9 for each in inside)


def test_bins_are_counted_from_1970_whatever_the_begin():
    assert Bins.over(Span(1003, 1021), 10) == Bins(10, 100, 3)
    assert Bins.over(Span(1000, 1010), 10) == Bins(10, 100, 1)


def test_distance_is_taken_from_everything_before():
    spans = [Span(0, 100), Span(10, 20), Span(105, 110)]
    assert list(between(spans)) == [(1, -90), (2, 5)]


@given(SPANS, st.sampled_from([1.0, 10.0, 7.0, 0.5]))
def test_a_chosen_width_is_a_multiple_of_the_base_and_gives_few_bins(span, base):
    width = choose_width(span, base)
    assert width / base == pytest.approx(round(width / base))
    assert span.length / width <= 2000 + 1e-6


def test_times_survive_the_way_to_seconds_and_back():
    at = datetime(2022, 9, 25, 22, 34, 50, 10_666, tzinfo=UTC)
    assert moment(seconds(at)) == at
