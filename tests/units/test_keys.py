"""Keys: their identity, and how people see and type them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.units import canonical, compact, identities, parse_key, read_value, show_key

LEVELS = ("night", "run", "name")


def test_the_identity_of_a_key_is_compact_json():
    assert canonical(("2020-01-17", 1807, 0.5, True, "é\n")) == '["2020-01-17",1807,0.5,true,"é\\n"]'


def test_the_campaign_has_the_empty_key():
    assert canonical(()) == "[]"
    assert show_key((), LEVELS, {}) == "campaign"
    assert parse_key("campaign", LEVELS, {}) == ()


def test_a_moment_has_one_identity_whatever_its_zone():
    east = datetime(2020, 1, 17, 2, tzinfo=timezone(timedelta(hours=2)))
    assert canonical((east,)) == canonical((datetime(2020, 1, 17, tzinfo=UTC),)) == '["2020-01-17T00:00:00Z"]'


def test_a_number_and_its_text_are_different_keys():
    assert canonical((7,)) != canonical(("7",))


def test_a_key_is_shown_by_the_formats_of_its_levels():
    shown = show_key(("2020-01-17T00:00:00Z", 1807, "a/b"), LEVELS, {"night": "%Y-%m-%d", "run": "05d"})
    assert shown == "2020-01-17/01807/a%2Fb"


def test_a_shown_key_is_read_back():
    types, formats = {"night": "datetime", "run": "int"}, {"night": "%Y%m%d", "run": "05d"}
    key = parse_key("20200117/01807/a%2Fb", LEVELS, types, formats)
    assert key == (datetime(2020, 1, 17, tzinfo=UTC), 1807, "a/b")


def test_a_time_is_read_without_its_format_too():
    assert parse_key("2020-01-17", LEVELS, {"night": "datetime"}) == (datetime(2020, 1, 17, tzinfo=UTC),)


@pytest.mark.parametrize("text", ["a/x", "a/1/b/c"])
def test_what_cannot_be_a_key_is_refused(text: str):
    with pytest.raises(DefinitionError, match="the key"):
        parse_key(text, LEVELS, {"run": "int"})


@given(st.tuples(st.text(min_size=1), st.integers(), st.text(min_size=1)))
def test_any_key_is_shown_and_read_back(key: tuple[str, int, str]):
    shown = show_key(key, LEVELS, {"run": "05d"})
    assert shown.count("/") == 2
    assert parse_key(shown, LEVELS, {"run": "int"}) == key


@given(
    st.lists(
        st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
    )
)
def test_an_identity_holds_all_of_the_key(values: list[str | int | float | bool]):
    assert json.loads(canonical(values)) == values


PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@given(st.lists(PLAIN), st.dictionaries(st.text(), PLAIN))
def test_keys_and_fields_are_written_as_json_writes_them(values: list[Any], fields: dict[str, Any]):
    write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    assert compact(fields) == write(fields)
    finite = [value for value in values if value not in (inf, -inf) and not isinstance(value, (list, dict))]
    assert canonical(finite) == write(finite)


@given(st.lists(st.one_of(st.text(), st.integers(), st.booleans()), min_size=1))
def test_the_identities_of_a_key_are_those_of_its_groups_and_its_own(key: list[str | int | bool]):
    assert identities(key) == [canonical(key[:n]) for n in range(1, len(key) + 1)]


@pytest.mark.parametrize(
    ("text", "kind"), [("x", "int"), ("nan", "float"), ("maybe", "bool"), ("noon", "datetime")]
)
def test_a_value_of_another_type_says_what_is_wanted(text: str, kind: str):
    with pytest.raises(ValueError, match=f"'{text}' is not"):
        read_value(text, kind)
