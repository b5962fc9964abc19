"""Rows become units."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.conftest import found_in, state_at

import penstock
from penstock import files, table
from penstock.campaign import Campaign, Source
from penstock.errors import DefinitionError
from penstock.sources import Found, scan

Put = Callable[..., Path]
Freeze = Callable[..., Campaign]

TYPES = {"run": "int", "gain": "float", "begin": "datetime", "good": "bool"}


def test_a_row_becomes_a_unit_with_typed_fields(put: Put, campaign_of: Freeze):
    put("t.csv", "night,run,kind,gain,begin,good\nn1,7,DATA,0.5,2020-01-17 22:15,yes\n\nn1,8,,,,\n")
    one, two = found_in(campaign_of(table("t.csv", types=TYPES), "night", "run"))
    assert (one.level, one.key) == (2, ("n1", 7))
    assert one.fields == {"kind": "DATA", "gain": 0.5, "begin": "2020-01-17T22:15:00Z", "good": True}
    assert two.fields == {"kind": "", "gain": None, "begin": None, "good": None}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffnight,run\nn,1\n",
        "night;run\nn;1\n",
        "night\trun\nn\t1\n",
        "run,night\r\n1,n\r\n",
        '"night", run\n"n",1',
    ],
)
def test_tables_of_all_makes_are_read(put: Put, campaign_of: Freeze, text: str):
    put("t.csv", text)
    assert [
        unit.key for unit in found_in(campaign_of(table("t.csv", types={"run": "int"}), "night", "run"))
    ] == [("n", 1)]


def test_a_table_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, campaign_of: Freeze):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(DefinitionError, match="the table is a named pipe, not a file"):
        found_in(campaign_of(table("t.csv"), "run"))


def test_a_row_is_known_by_its_fields_and_has_no_files(put: Put, campaign_of: Freeze):
    put("t.csv", "run,kind\n1,A\n2,A\n")
    campaign = campaign_of(table("t.csv"), "run")
    one, two = found_in(campaign)
    put("t.csv", "run,kind\n1,B\n2,A\n")
    changed, same = found_in(campaign)
    assert (changed.fields, same.fields) == ({"kind": "B"}, two.fields)
    assert {unit.fingerprint for unit in (one, two, changed, same)} == {""}


def test_a_wrong_row_is_reported_and_hurts_nothing(put: Put, campaign_of: Freeze):
    put("t.csv", "run,gain\n1,0.5\nx,0.5\n3\n4,high\n5,nan\n6,1\n,1\n")
    state = state_at()
    units = found_in(campaign_of(table("t.csv", types={"run": "int", "gain": "float"}), "run"), state)
    assert [unit.key for unit in units] == [(1,), (6,)]
    assert [problem.subject for problem in state.problems] == [f"t.csv:{line}" for line in (3, 4, 5, 6, 8)]
    assert state.problems[0].why == "'x' is not a whole number"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_no_unit_can_be_called_is_reported(put: Put, campaign_of: Freeze, name: str):
    put("t.csv", f"run,x\n{name},1\nok,1\n")
    state = state_at()
    assert [unit.key for unit in found_in(campaign_of(table("t.csv"), "run"), state)] == [("ok",)]
    assert len(state.problems) == 1


def test_of_two_rows_with_one_key_the_first_stands_and_the_second_is_told(put: Put, campaign_of: Freeze):
    put("t.csv", "run,kind\n1,A\n2,A\n1,B\n")
    state = state_at()
    units = found_in(campaign_of(table("t.csv"), "run"), state)
    assert [(unit.key, unit.fields["kind"]) for unit in units] == [(("1",), "A"), (("2",), "A")]
    assert state.problems == [("t.csv:4", "it has the same key 1 as line 2, which stands; remove one")]


def test_keys_of_one_hash_are_not_one_key(put: Put, campaign_of: Freeze):
    assert hash((-1,)) == hash((-2,))
    put("t.csv", "run\n-1\n-2\n")
    assert len(found_in(campaign_of(table("t.csv", types={"run": "int"}), "run"))) == 2


def test_a_column_named_twice_is_an_error(put: Put, campaign_of: Freeze):
    put("t.csv", "run,a,a\n1,2,3\n")
    with pytest.raises(DefinitionError, match="two columns called 'a'"):
        found_in(campaign_of(table("t.csv"), "run"))


def test_a_table_that_came_later_without_a_level_is_an_error(put: Put, campaign_of: Freeze):
    campaign = campaign_of(table("t.csv"), "night", "run")
    put("t.csv", "night,rum\n1,2\n")
    with pytest.raises(DefinitionError, match="names 'run', which is unknown; did you mean 'rum'"):
        found_in(campaign)


def test_a_missing_table_is_told_and_is_not_nothing(tmp_path: Path, campaign_of: Freeze):
    state = state_at()
    assert found_in(campaign_of(table("t.csv"), "run"), state) == []
    assert state.missing_roots == [str(tmp_path / "t.csv")]


def test_a_table_that_is_not_utf8_is_an_error(tmp_path: Path, campaign_of: Freeze):
    (tmp_path / "t.csv").write_text("run\n1\n")
    campaign = campaign_of(table("t.csv"), "run")
    (tmp_path / "t.csv").write_bytes(b"run\n\xff\n")
    with pytest.raises(DefinitionError, match="not UTF-8"):
        found_in(campaign)


def test_a_level_has_the_type_that_the_files_give_it(put: Put, campaign_of: Freeze):
    put("runs.csv", "night,run,kind\n2020-01-17,01807,DATA\n")
    put("2020-01-17/01807.h5")
    units = files("{night:%Y-%m-%d}/{run:05d}.{sub}", run=table("runs.csv"))
    campaign = campaign_of(units, "night", "run", "sub")
    (row,) = [unit for source in campaign.sources[:1] for unit in found_of(source, campaign)]
    (file,) = found_in(campaign)
    assert row.key == file.key[:2] == ("2020-01-17T00:00:00Z", 1807)


def found_of(source: Source, campaign: Campaign) -> list[Found]:
    return list(scan(source, campaign, state_at()))


def test_a_field_can_be_derived(put: Put, campaign_of: Freeze):
    put("t.csv", "run,kind\n1,calib\n")
    (unit,) = found_in(campaign_of(table("t.csv", derive={"big": "upper(kind)"}), "run"))
    assert unit.fields == {"kind": "calib", "big": "CALIB"}


CELLS = st.text(st.characters(blacklist_characters="\0\r", blacklist_categories=["Cs"]), max_size=20)


@given(
    rows=st.lists(
        st.tuples(CELLS.filter(lambda text: text not in ("", ".", "..")), CELLS),
        max_size=8,
        unique_by=lambda row: row[0],
    )
)
def test_any_text_in_a_cell_is_kept(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]):
    import csv

    root = tmp_path_factory.mktemp("table")
    with (root / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("unit", "text"), *rows])
    campaign = penstock.Campaign("x", levels=["unit"], units=table("t.csv"), root=root).freeze()
    assert {unit.key[0]: unit.fields["text"] for unit in found_in(campaign)} == dict(rows)


def test_the_same_rows_have_the_same_keys_whatever_the_order(put: Put, campaign_of: Freeze):
    rows = [f"{run},{run * 2}" for run in range(50)]
    put("t.csv", "\n".join(["run,x", *rows]))
    campaign = campaign_of(table("t.csv"), "run")
    before = found_in(campaign)
    put("t.csv", "\n".join(["run,x", *reversed(rows)]))
    assert found_in(campaign) == before
