import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.editors import LINE
from penstock.errors import DefinitionError
from penstock.workflows.setup.definition import (
    campaign_name,
    definition_in,
    table,
    toml,
    write_definition,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
INSTANT = st.datetimes(timezones=st.just(UTC)) | st.dates()
PLAIN = TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | INSTANT
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8)


@given(st.dictionaries(TEXT, VALUES))
def test_what_is_written_is_read_again_as_it_was(keys):
    assert tomllib.loads(table("a.b", keys)) == {"a": {"b": keys}}


def test_a_float_stays_one_and_a_tuple_is_a_list():
    assert [toml(value) for value in (1.0, 1e-7, True, (1, 2))] == ["1.0", "1e-07", "true", "[1, 2]"]
    assert [toml(value) for value in (float("inf"), date(2026, 1, 17))] == ["inf", "2026-01-17"]
    assert toml(datetime(2026, 1, 17, tzinfo=UTC)) == "2026-01-17T00:00:00+00:00"
    assert toml(Path("a/b")) == '"a/b"'


def test_what_is_none_is_left_out():
    assert (
        table("stage.a", {"batch": None, "with": "b", "where": {"x": None}})
        == '[stage.a]\nwith = "b"\nwhere = {}\n'
    )


def test_what_toml_has_no_word_for_is_refused():
    with pytest.raises(TypeError, match="cannot be written as TOML"):
        toml(object())


def test_a_campaign_that_is_there_is_not_overwritten(tmp_path):
    definition = definition_in(tmp_path / "new")
    write_definition(definition, [table("campaign", {"name": "a"}), table("units", {"files": "{file}"})])
    assert definition.read_text() == LINE + '[campaign]\nname = "a"\n\n[units]\nfiles = "{file}"\n'
    with pytest.raises(DefinitionError, match="already exists"):
        definition_in(tmp_path / "new")


@pytest.mark.parametrize(
    ("folder", "name"), [("my sea", "my-sea"), (".._x", "x"), ("ÄÖ", "other"), ("...", "other")]
)
def test_a_campaign_is_called_as_its_folder(tmp_path, folder, name):
    assert campaign_name(tmp_path / folder, "other") == name
