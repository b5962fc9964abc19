"""Conditions that say when a group is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.complete import Condition, Group
from penstock.errors import DefinitionError

NIGHT = Group({"night": "2020-01-17", "n": 3}, "2020-01-17", 1000.0, 2)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def why(text: str, group: Group = NIGHT, *, now: float = 0.0, root: Path = Path()) -> str | None:
    return Condition.parse(text).why_open(group, now=now, root=root)


def test_a_count_waits_for_the_last_member() -> None:
    assert why("count n") == "2 of 3 members have arrived"
    assert why("count n", Group({"n": 2}, "", None, 2)) is None


def test_a_file_ends_the_wait(tmp_path: Path) -> None:
    assert why("file {night}.done", root=tmp_path) == "2020-01-17.done does not exist yet"
    (tmp_path / "2020-01-17.done").touch()
    assert why("file {night}.done", root=tmp_path) is None


def test_a_file_condition_stays_in_the_campaign(tmp_path: Path) -> None:
    outside = Group({"night": "../secret"}, "", None, 0)
    assert why("file {night}", outside, root=tmp_path) == "..%2Fsecret does not exist yet"


def test_quiet_counts_from_the_last_member() -> None:
    assert why("quiet 30min", now=1000.0 + 1799) == "its last member arrived less than 30min ago"
    assert why("quiet 30min", now=1000.0 + 1800) is None


def test_a_group_without_members_is_never_quiet() -> None:
    assert why("quiet 1s", Group({}, "", None, 0), now=5000.0) is not None


def test_not_before_is_a_time_of_the_next_day_in_utc() -> None:
    assert (
        why("not_before 08:00 next day", now=at("2020-01-18T07:59:59"))
        == "it is not 2020-01-18 08:00 UTC yet"
    )
    assert why("not_before 08:00 next day", now=at("2020-01-18T08:00:00")) is None
    assert why("not_before 08:00", now=at("2020-01-17T08:00:00")) is None


def test_midnight_is_a_time_too() -> None:
    assert why("not_before 00:00", now=at("2020-01-16T23:59:59")) is not None
    assert why("not_before 00:00", now=at("2020-01-17T00:00:00")) is None


def test_a_group_that_is_no_day_is_told_so() -> None:
    for day in ("run7", "9999-12-31", "", "0000-01-01", "2020-1"):
        told = why("not_before 08:00 next day", Group({}, day, None, 1))
        assert told is not None
        assert "not a date such as" in told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "its 'n' is not known yet"),
        ("", "its 'n' is '', which is not a number of members"),
        ("many", "its 'n' is 'many', which is not a number of members"),
        (-1, "its 'n' is -1, which is not a number of members"),
        (2.5, "its 'n' is 2.5, which is not a number of members"),
        (float("inf"), "its 'n' is inf, which is not a number of members"),
        (True, "its 'n' is True, which is not a number of members"),
        ([3], "its 'n' is [3], which is not a number of members"),
        ("3", "2 of 3 members have arrived"),
        (3.0, "2 of 3 members have arrived"),
        (10**30, f"2 of {10**30} members have arrived"),
        ("2", None),
        (0, None),
    ],
)
def test_a_count_that_no_field_tells_leaves_the_group_open_with_the_reason(
    given: object, told: str | None
) -> None:
    assert why("count n", Group({"n": given}, "", None, 2)) == told


def test_a_field_that_is_not_there_yet_leaves_the_group_open() -> None:
    assert why("count n", Group({}, "", None, 2)) == "its 'n' is not known yet"
    assert why("file {n}.done", Group({}, "", None, 2)) == "its 'n' is not known yet"


def test_a_number_of_members_may_be_given_itself() -> None:
    assert why("count 3") == "2 of 3 members have arrived"
    assert why("count 2") is None


def test_values_of_a_field_may_be_counted_in_place_of_files() -> None:
    assert why("count 3 of stream") == "2 of 3 values of stream have arrived"
    assert why("count n of stream", Group({"n": 2}, "", None, 2)) is None


def test_a_file_that_cannot_be_named_leaves_the_group_open(tmp_path: Path) -> None:
    assert why("file {n:03d}.done", Group({"n": "x"}, "", None, 0), root=tmp_path) is not None
    assert why("file {n}", Group({"n": "x" * 5000}, "", None, 0), root=tmp_path) is not None


@pytest.mark.parametrize(
    "text",
    ["", "count", "quiet 30", "quiet soon", "not_before 25:00", "file", "at noon", "count -3", "count 3.5"],
)
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(DefinitionError, match="is not a condition; write"):
        Condition.parse(text)
