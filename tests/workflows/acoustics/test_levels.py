import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.workflows.acoustics.levels import BinSums, Columns
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins, Span

RATE = 100.0


def summed(power, transform, bins, lead, block):
    sums = BinSums(transform, bins, lead)
    found = [
        each
        for first in range(0, len(power), block)
        for each in sums.add(first, power[first : first + block])
    ]
    return sums, found + list(sums.close())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 40), st.floats(0, 0.99), st.sampled_from([0.3, 1.0, 5.0]))
def test_each_frame_is_in_the_bin_of_its_centre(count, block, lead, width):
    transform = Transform.of(rate=RATE, size=16, hop=8)
    power = np.random.default_rng(count).random((count, 9))
    bins = Bins(width, 0, int((lead * width + count * 0.08 + 1) / width) + 1)
    sums, found = summed(power, transform, bins, lead * width, block)
    places = [int((lead * width + time) / width) for time in transform.times(count)]
    assert {each.place: each.frames for each in found} == {p: places.count(p) for p in places}
    for each in found:
        assert np.allclose(each.total, power[np.array(places) == each.place].sum(axis=0))
    assert np.allclose(sums.mean(), power.mean(axis=0))


def test_the_overall_mean_is_the_same_for_any_width_of_bins():
    transform = Transform.of(rate=RATE, size=16, hop=8)
    power = np.random.default_rng(1).random((500, 9))
    means = []
    for width in (0.1, 1.0, 7.0, 100.0):
        bins = Bins.over(Span(0, 41), width)
        _, found = summed(power, transform, bins, 0, 64)
        means.append(sum(each.total for each in found) / sum(each.frames for each in found))
    assert np.allclose(means, means[0], rtol=1e-12)


def test_frames_that_are_not_finite_are_left_out_of_sum_and_count():
    transform = Transform.of(rate=RATE, size=16, hop=8)
    power = np.ones((10, 9))
    power[3] = np.nan
    sums, found = summed(power, transform, Bins(10, 0, 1), 0, 4)
    assert [each.frames for each in found] == [9]
    assert np.array_equal(sums.mean(), np.ones(9))


def test_a_mean_over_no_frame_is_not_a_number():
    sums = BinSums(Transform.of(rate=RATE, size=16, hop=8), Bins(10, 0, 1), 0)
    assert list(sums.close()) == []
    assert np.isnan(sums.mean()).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 50), st.integers(2, 80), st.integers(2, 40))
def test_every_frame_and_line_counts_in_a_picture(count, block, width, lines, height):
    power = np.random.default_rng(count).random((count, lines)).astype(np.float32)
    columns = Columns(count, lines, width, height)
    for first in range(0, count, block):
        columns.add(first, power[first : first + block])
    picture = columns.mean()
    column_of = np.arange(count) * columns.width // count
    row_of = np.arange(lines) * columns.height // lines
    assert picture.shape == (columns.height, columns.width)
    for row in range(columns.height):
        for column in range(columns.width):
            cut = power[column_of == column][:, row_of == row]
            assert picture[row, column] == pytest.approx(cut.mean(), rel=1e-4)


def test_a_click_in_a_single_frame_is_seen_in_a_picture_of_few_columns():
    power = np.full((1000, 8), 1e-9, np.float32)
    power[617] = 1.0
    columns = Columns(1000, 8, 10, 8)
    columns.add(0, power)
    assert columns.mean()[:, 6] == pytest.approx(0.01, rel=1e-4)
