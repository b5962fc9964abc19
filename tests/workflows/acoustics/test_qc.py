import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.acoustics.headers import Header
from penstock.workflows.acoustics.qc import (
    FAULTS,
    KINDS,
    Finding,
    SampleCheck,
    Usual,
    check_header,
    check_times,
    find_usual,
)
from penstock.workflows.acoustics.timeline import Span

USUAL = Usual(48000, 1, 16, 10.0)


def header(**other):
    values = {"format": "WAV", "rate": 48000, "channels": 1, "bits": 16, "floating": False, "size": 960_044}
    values |= {"frames": 480_000, "promised": 480_000} | other
    return Header(**values)


def kinds(found):
    return [finding.kind for finding in found]


def checked(samples, bits=16, cuts=()):
    check = SampleCheck(bits)
    for piece in np.split(np.asarray(samples, np.float32), cuts):
        if len(piece):
            check.add(piece)
    return check


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({}, []),
        ({"promised": 0, "frames": 0}, ["empty"]),
        ({"frames": 479_999}, ["truncated"]),
        ({"rate": 44100, "promised": 441_000, "frames": 441_000}, ["rate"]),
        ({"channels": 2}, ["channels"]),
        ({"bits": 24}, ["bits"]),
        ({"promised": 505_000, "frames": 505_000}, ["duration"]),
        ({"promised": 503_000, "frames": 503_000}, []),
    ],
)
def test_a_header_is_found_out_for_what_is_wrong_and_nothing_else(fault, kind):
    assert kinds(check_header(header(**fault), USUAL)) == kind


def test_the_majority_is_the_rule():
    headers = [header()] * 3 + [header(rate=96000), header(promised=0, frames=0, rate=1)]
    assert find_usual(headers) == USUAL


def test_nothing_is_usual_without_recordings():
    assert find_usual([]) == Usual()
    assert check_header(header(rate=5), Usual()) == []


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        ((0, 10, 20), [[], [], []]),
        ((0, 10.9, 20), [[], [], []]),
        ((0, 12, 22), [[], ["gap"], []]),
        ((0, 8, 18), [[], ["overlap"], []]),
        ((0, 0, 10), [[], ["duplicate_time"], []]),
    ],
)
def test_times_are_found_out(begins, expected):
    found = check_times([Span(begin, begin + 10) for begin in begins])
    assert [kinds(each) for each in found] == expected


def test_a_gap_is_told_in_seconds():
    (_, (finding,)) = check_times([Span(0, 10), Span(30, 40)])
    assert finding == Finding("gap", "nothing was recorded for 20 s before it", 20)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.1, -0.1] * 50, []),
        ([0.0] * 100, ["silent"]),
        ([0.25] * 100, ["silent"]),
        ([0.1, -0.1] * 50 + [1.0] * 3, ["clipping", "dc_offset"]),
        ([0.1, -0.1] * 500 + [1.0, 1.0, 0, -1.0, -1.0], []),
        ([0.12, -0.1] * 50, []),
        ([0.13, -0.1] * 50, ["dc_offset"]),
        ([0.002, 0.0021] * 50, ["dc_offset"]),
        ([0.1, -0.1] * 50 + [np.nan], ["not_finite"]),
        ([np.inf, -np.inf] * 50, ["not_finite"]),
    ],
)
def test_samples_are_found_out_for_what_is_wrong_and_nothing_else(samples, expected):
    assert kinds(checked(samples).findings()) == expected


@given(st.lists(st.sampled_from([0.5, -0.5, 1.0, -1.0]), min_size=1, max_size=60), st.data())
def test_clipped_runs_are_counted_across_any_blocks(samples, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=6)))
    text = "".join("x" if abs(sample) == 1 else " " for sample in samples)
    assert checked(samples, cuts=cuts).clipped == sum(len(run) for run in text.split() if len(run) >= 3)


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_the_highest_number_of_a_format_is_full_scale(bits):
    highest = 1 - 2.0 ** (1 - bits)
    assert checked([0.0] + [highest] * 3, bits).clipped == 3
    assert checked([0.0] + [highest * 0.99] * 3, bits).clipped == 0


def test_mean_and_rms_keep_their_digits_beside_a_strong_offset():
    samples = (0.5 + 1e-4 * np.random.default_rng(1).standard_normal(300_000)).astype(np.float32)
    check = checked(samples, cuts=(100_000, 150_000))
    assert check.mean == pytest.approx(samples.mean(dtype=float), rel=1e-7)
    assert check.rms == pytest.approx(samples.std(dtype=float), rel=1e-4)


def test_every_fault_is_in_the_table():
    assert set(FAULTS) < set(KINDS)
