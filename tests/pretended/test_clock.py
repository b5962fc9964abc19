"""The clock that a test turns."""

from penstock.testing import ManualClock


def test_it_stands_still() -> None:
    clock = ManualClock(now=5.0)
    assert [clock.now(), clock.now(), clock.monotonic()] == [5.0, 5.0, 0.0]


def test_sleeping_takes_no_time_and_moves_both_hands() -> None:
    clock = ManualClock(now=5.0)
    clock.sleep(3600.0)
    clock.turn(1.0)
    assert (clock.now(), clock.monotonic(), clock.slept) == (3606.0, 3601.0, [3600.0])


def test_the_wall_clock_can_be_put_back_and_the_monotonic_one_not() -> None:
    clock = ManualClock(now=5000.0)
    clock.turn(10.0)
    clock.set(0.0)
    assert (clock.now(), clock.monotonic()) == (0.0, 10.0)


def test_with_a_stride_no_sleep_is_short() -> None:
    clock = ManualClock(now=0.0, stride=60.0)
    clock.sleep(0.01)
    clock.sleep(100.0)
    assert clock.now() == 160.0
