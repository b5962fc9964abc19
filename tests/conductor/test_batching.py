"""How many units a batch takes and how long a job may run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.conductor.batching import LEARNED_S, UNLEARNED, Usage, batch_size, local_batch_size, walltime_s

walls = st.lists(st.floats(0, 1e5), max_size=60)


def test_the_definition_can_say_how_many_units_a_batch_takes() -> None:
    assert batch_size(200, Usage([1e6] * 50), workers=4) == 200


def test_a_batch_of_some_time_waits_for_measurements_and_is_small_until_then() -> None:
    assert batch_size(1200.0, Usage()) == UNLEARNED
    assert batch_size(1200.0, Usage([60.0] * 20), workers=4) == 80


def test_without_a_word_a_batch_is_twenty_minutes() -> None:
    assert batch_size(None, Usage([LEARNED_S / 7])) == 7


def test_a_unit_longer_than_the_batch_still_goes() -> None:
    assert batch_size(60.0, Usage([3600.0])) == 1


def test_units_that_take_no_time_do_not_divide_by_zero() -> None:
    assert batch_size(60.0, Usage([0.0] * 20)) > 1000
    assert local_batch_size(None, Usage([0.0] * 20), ready=10_000, slots=2) == 500


def test_on_this_machine_work_is_spread_over_the_slots() -> None:
    assert local_batch_size(None, Usage([0.001]), ready=10, slots=4) == 3
    assert local_batch_size(None, Usage([0.001]), ready=1, slots=4) == 1


def test_on_this_machine_a_batch_is_about_a_second_of_work() -> None:
    assert local_batch_size(None, Usage([0.02]), ready=10_000, slots=2, workers=3) == 150
    assert local_batch_size(None, Usage([30.0]), ready=10_000, slots=2) == 1


def test_on_this_machine_the_definition_says_how_many_at_most() -> None:
    assert local_batch_size(3, Usage([0.001]), ready=10_000, slots=2) == 3


@given(walls, st.integers(0, 10_000), st.integers(0, 64), st.integers(1, 64))
def test_a_local_batch_has_at_least_one_unit_and_at_most_500(
    times: list[float], ready: int, slots: int, workers: int
) -> None:
    assert 1 <= local_batch_size(None, Usage(times), ready=ready, slots=slots, workers=workers) <= 500


def test_the_time_of_19_in_20_is_known_once_20_were_measured() -> None:
    assert Usage([1.0] * 19).p95_s is None
    assert Usage([float(n) for n in range(1, 21)]).p95_s == 19.0


@given(st.lists(st.floats(0, 1e5), min_size=20, max_size=60))
def test_at_least_19_in_20_stay_below_that_time(times: list[float]) -> None:
    p95 = Usage(times).p95_s
    assert p95 is not None
    assert sum(t <= p95 for t in times) >= 0.95 * len(times)


def test_a_job_may_run_30_percent_longer_than_what_was_measured() -> None:
    usage = Usage([10.0] * 20)
    assert walltime_s(8, limit_s=5.0, usage=usage, workers=2) == pytest.approx(1.3 * 8 * 10 / 2)


def test_a_job_may_run_at_least_as_long_as_one_unit_may() -> None:
    assert walltime_s(1, limit_s=600.0, usage=Usage([1.0] * 20)) == 600.0


def test_before_enough_was_measured_each_round_of_the_workers_gets_the_limit() -> None:
    assert walltime_s(9, limit_s=60.0, usage=Usage([1.0] * 19), workers=4) == 180.0


def test_no_job_asks_for_more_than_the_site_gives() -> None:
    assert walltime_s(1000, limit_s=60.0, usage=Usage(), most_s=3600.0) == 3600.0
    assert walltime_s(1000, limit_s=None, usage=Usage([60.0] * 20), most_s=3600.0) == 3600.0


def test_with_nothing_known_the_site_decides() -> None:
    assert walltime_s(5, limit_s=None, usage=Usage()) is None
    assert walltime_s(5, limit_s=None, usage=Usage(), most_s=100.0) == 100.0
