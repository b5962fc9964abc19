import math
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.segments import Clip, Piece, name_of, plan_segments
from penstock.workflows.acoustics.settings import Settings

RATE = 10
START = 1768622400.0  # 2026-01-17T04:00:00Z


def clip(name, begin, seconds, rate=RATE):
    return Clip(f"audio/{name}.wav", START + begin, rate, int(seconds * rate))


def plan(clips, **params):
    return plan_segments(clips, Settings.read(params))


def test_a_segment_across_a_border_takes_the_end_of_one_file_and_the_begin_of_the_next():
    made = plan([clip("a", 0, 10), clip("b", 10, 10)], segment=8)
    assert [segment.name for segment in made] == ["20260117T040000", "20260117T040008", "20260117T040016"]
    assert made[1].pieces == (
        Piece("audio/a.wav", RATE, 80, 20, 0),
        Piece("audio/b.wav", RATE, 0, 60, 20),
    )
    assert [round(segment.coverage, 9) for segment in made] == [1, 1, 0.5]


def test_a_gap_lowers_the_coverage_and_a_segment_of_nothing_is_none():
    made = plan([clip("a", 0, 10), clip("b", 35, 5)], segment=10)
    assert [segment.name[-2:] for segment in made] == ["00", "30"]
    assert made[1].coverage == pytest.approx(0.5)
    assert made[1].pieces[0].at == 50


def test_where_files_overlap_the_earlier_one_is_heard():
    (made,) = plan([clip("b", 6, 10), clip("a", 0, 10)], segment=16)
    assert made.pieces == (Piece("audio/a.wav", RATE, 0, 100, 0), Piece("audio/b.wav", RATE, 40, 60, 100))
    assert made.coverage == 1


def test_segments_overlap_by_the_share_asked_for():
    made = plan([clip("a", 0, 20)], segment=10, segment_overlap=0.5)
    assert [segment.begin - START for segment in made] == [0, 5, 10, 15]


def test_each_file_is_a_segment_by_file():
    made = plan([clip("a", 0, 10), clip("b", 12, 7)], segment_mode="file")
    assert [(segment.name, segment.end - segment.begin) for segment in made] == [("a", 10), ("b", 7)]


def test_segments_inside_a_file_do_not_leave_it():
    made = plan([clip("a", 0, 10), clip("b", 10, 9)], segment=3, segment_mode="inside")
    assert [segment.name for segment in made] == ["a_0", "a_1", "a_2", "b_0", "b_1", "b_2"]
    assert all(len(segment.pieces) == 1 and segment.coverage == 1 for segment in made)


@pytest.mark.parametrize("mode", ["file", "first", "inside"])
def test_begin_and_end_cuts_hold_in_all_modes(mode):
    cuts = {"segment_begin": "2026-01-17T04:00:05Z", "segment_end": "2026-01-17T05:00:15+01:00"}
    made = plan([clip("a", 0, 10), clip("b", 10, 10)], segment=5, segment_mode=mode, **cuts)
    assert (min(s.begin for s in made) - START, max(s.end for s in made) - START) == (5, 15)


def test_a_cut_that_is_no_time_is_one_sentence():
    with pytest.raises(DefinitionError, match="'noon' is not a time; write it as"):
        plan([clip("a", 0, 10)], segment_begin="noon")


def test_a_segment_that_begins_between_seconds_says_so():
    assert name_of(START + 0.25) == "20260117T040000_250"


def test_the_order_in_which_files_are_found_does_not_matter():
    """A glob that nobody sorted, cut into batches by index, mixes times."""
    clips = [clip(f"{i:02d}", 7 * i, 6 + i % 3) for i in range(30)]
    shuffled = [clips[i] for i in np.random.default_rng(1).permutation(30)]
    for mode in ("first", "inside", "file"):
        params = {"segment": 5, "segment_overlap": 0.4, "segment_mode": mode}
        assert plan(shuffled, **params) == plan(clips, **params)


def test_no_file_no_segment():
    assert plan([]) == []


def calls_to_plan(files):
    """Count the calls of functions that it takes to cut so many files of 10 s."""
    clips, counts = [clip(f"{i:05d}", 10 * i, 10) for i in range(files)], Counter()
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, arg: counts.update([event]))
    try:
        made = plan(clips, segment=60)
    finally:
        sys.setprofile(before)
    assert len(made) == math.ceil(files / 6)
    return counts["call"]


def test_ten_times_the_files_take_ten_times_the_steps():
    assert calls_to_plan(3000) < 11 * calls_to_plan(300)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-20, 60), st.integers(1, 80)), min_size=1, max_size=6),
    st.integers(3, 120),
)
def test_each_recorded_sample_is_in_one_segment_and_where_it_was(steps, length):
    clips, at = [], 0
    for i, (wait, frames) in enumerate(steps):
        at = max(0, at + wait)
        clips.append(clip(f"{i:02d}", at / RATE, frames / RATE))
        at += frames
    made = plan(clips, segment=length / RATE)
    heard: dict[int, str] = {}
    for segment in made:
        first = round((segment.begin - START) * RATE)
        for piece in segment.pieces:
            assert piece.at + piece.count <= length
            own = round((next(c for c in clips if c.path == piece.path).begin - START) * RATE)
            for k in range(piece.count):
                place = first + piece.at + k
                assert place == own + piece.skip + k
                assert place not in heard
                heard[place] = piece.path
    expected = {round((c.begin - START) * RATE) + k for c in clips for k in range(c.frames)}
    assert set(heard) == expected
    assert np.isclose(sum(s.coverage for s in made) * length, len(expected))
