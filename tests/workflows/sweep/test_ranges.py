"""Ranges are decimal: what is typed decides, not what floats add up to."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.workflows.sweep.ranges import counted, logarithmic, stepped


@pytest.mark.parametrize(
    ("start", "stop", "step", "values"),
    [
        ("2", "1.5", "-0.1", ["2", "1.9", "1.8", "1.7", "1.6", "1.5"]),
        ("0.1", "0.8", "0.3", ["0.1", "0.4", "0.7"]),
        ("5", "0", "-2", ["5", "3", "1"]),
        ("1", "14", "4", ["1", "5", "9", "13"]),
        ("2e-9", "6e-9", "2e-9", ["2e-9", "4e-9", "6e-9"]),
        ("1E-9", "3e-9", "1E-9", ["1E-9", "2E-9", "3e-9"]),
        ("7", "7", "0.5", ["7"]),
        ("7", "7", "-0.5", ["7"]),
        ("3", "3.4", "0.5", ["3"]),
        ("-0.3", "0.3", "0.3", ["-0.3", "0.0", "0.3"]),
        ("1d-3", "3d-3", "1d-3", ["1d-3", "0.002", "3d-3"]),
    ],
)
def test_steps_are_decimal_and_the_stop_is_in_if_hit(
    start: str, stop: str, step: str, values: list[str]
) -> None:
    assert stepped(start, stop, step) == values


def test_a_hundred_tenths_come_to_ten_exactly() -> None:
    values = stepped("0.1", "10.0", "0.1")
    assert (len(values), values[6], values[-1]) == (100, "0.7", "10.0")


@pytest.mark.parametrize(
    ("start", "stop", "step", "why"),
    [
        ("0", "1", "0", "the step is 0"),
        ("0", "1", "0.0", "the step is 0"),
        ("2", "0", "0.5", "change the sign"),
        ("0", "2", "-0.5", "change the sign"),
        ("0", "1", "1e-300", "more than 1,000,000 steps"),
        ("0", "1", "one", "'one' is not a number"),
        ("0", "inf", "1", "'inf' is not a number"),
        ("0", "1e999", "1", "larger than any number"),
    ],
)
def test_a_range_that_never_ends_is_refused(start: str, stop: str, step: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        stepped(start, stop, step)


@given(st.decimals("-99", "99", places=3), st.decimals("0.001", "9", places=3), st.integers(0, 50))
def test_steps_are_all_equal_and_never_pass_the_stop(start: Decimal, step: Decimal, count: int) -> None:
    stop = start + step * count
    values = [Decimal(text) for text in stepped(str(start), str(stop), str(step))]
    assert values == [start + step * n for n in range(count + 1)]
    beyond = [Decimal(text) for text in stepped(str(start), str(stop + step / 2), str(step))]
    assert beyond == values


def test_a_count_includes_both_ends_as_they_were_typed() -> None:
    assert counted("0", "2.50", 3) == ["0", "1.25", "2.50"]
    assert counted("10", "0", 6) == ["10", "8", "6", "4", "2", "0"]
    assert counted("0", "1", 4) == ["0", repr(1 / 3), repr(2 / 3), "1"]
    assert counted("4", "4", 1) == ["4"]


@pytest.mark.parametrize(
    ("start", "stop", "count"), [("0", "1", 0), ("0", "1", 1), ("3", "3.0", 2), ("0", "1", 10**7)]
)
def test_a_count_that_cannot_be_is_refused(start: str, stop: str, count: int) -> None:
    with pytest.raises(ValueError, match="count"):
        counted(start, stop, count)


def test_logarithmic_values_are_the_nearest_doubles() -> None:
    assert logarithmic("1e-3", "1000", 7) == ["1e-3", "0.01", "0.1", "1", "10", "100", "1000"]
    assert logarithmic("100", "1", 3) == ["100", "10", "1"]
    assert logarithmic("1", "2", 3)[1] == repr(2**0.5)
    with pytest.raises(ValueError, match="begin above 0"):
        logarithmic("0", "1", 3)
