from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.reports.scale import Scale
from penstock.workflows.reports.ticks import say_days, ticks_between, ticks_of, time_ticks

BEGIN = datetime(2026, 1, 17, 4, 0, 7, tzinfo=UTC)


@given(st.floats(0.5, 1e8))
def test_ticks_of_time_are_few_inside_and_at_round_times(length):
    ticks = list(time_ticks(BEGIN, BEGIN + timedelta(seconds=length)))
    assert len(ticks) <= 10 or length > 9 * 365 * 86400
    assert all(0 <= tick.place <= 1 for tick in ticks)


def test_ticks_of_a_minute_stand_at_tens_of_seconds():
    ticks = list(time_ticks(BEGIN, BEGIN + timedelta(seconds=60)))
    assert [tick.text for tick in ticks][:2] == ["04:00:10", "04:00:20"]
    assert ticks[0].place == pytest.approx(3 / 60)


def test_ticks_of_level_are_round():
    assert [tick.text for tick in ticks_between(41, 83)] == ["50", "60", "70", "80"]


def test_ticks_of_a_scale_are_told_in_its_unit():
    made = list(ticks_of(Scale.of("linear", 0, 4000), 1000))
    assert [(tick.place, tick.text) for tick in made][1] == (0.25, "1")


def test_one_day_is_told_once():
    assert say_days(BEGIN, BEGIN + timedelta(hours=1)) == "2026-01-17 UTC"
    assert say_days(BEGIN, BEGIN + timedelta(days=1)) == "2026-01-17 to 2026-01-18 UTC"
