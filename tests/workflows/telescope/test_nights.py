"""Which nights there are, and how a missing table is made."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from tests.workflows.telescope.observatory import EVENING, Observatory

from penstock.errors import DefinitionError
from penstock.workflows.telescope.nights import list_nights, yesterday
from penstock.workflows.telescope.settings import settings_of

NOON = datetime(2020, 1, 18, 12, tzinfo=UTC)
MAKER = """
import pathlib, sys
text = "# %ECSV 1.0\\n# ---\\n# datatype:\\n# - {name: run_id, datatype: int64}\\n# - {name: n_subruns, datatype: int64}\\n"
text += "# - {name: run_type, datatype: string}\\nrun_id n_subruns run_type\\n7 2 ERRDATA\\n"
if sys.argv[1] == "20200101":
    sys.exit("no such night")
pathlib.Path(f"monitoring/RunSummary_{sys.argv[1]}.ecsv").write_text(text)
"""


def with_maker(folder: Path) -> Observatory:
    place = Observatory(folder)
    (folder / "make.py").write_text(MAKER)
    text = (folder / "telescope.toml").read_text()
    command = f'make_summary = ["{sys.executable}", "make.py", "{{date}}"]\n\n[files]'
    (folder / "telescope.toml").write_text(text.replace("\n[files]", command))
    return place


def test_the_night_by_default_is_that_of_yesterday_evening() -> None:
    assert yesterday(NOON) == EVENING
    assert yesterday(datetime.fromisoformat("2020-01-18T00:30:00+01:00")) == date(2020, 1, 16)


def test_nights_are_those_with_a_summary_since_a_date(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    for day in (date(2020, 1, 1), date(2020, 1, 15), EVENING, date(2020, 1, 18)):
        place.summary(day, ())
    place.touch("monitoring/RunSummary_merged.ecsv")
    assert list_nights(place.settings, tmp_path, NOON) == [date(2020, 1, 1), date(2020, 1, 15), EVENING]
    text = (tmp_path / "telescope.toml").read_text()
    (tmp_path / "telescope.toml").write_text("since = 2020-01-10\n" + text)
    assert list_nights(place.settings, tmp_path, NOON) == [date(2020, 1, 15), EVENING]


def test_a_list_of_nights_is_all_there_is(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.summary(EVENING, ())
    (tmp_path / "nights.txt").write_text("# to be done again\n2020-01-05\n\n2019-12-24  # Christmas\n")
    assert list_nights(place.settings, tmp_path, NOON) == [date(2019, 12, 24), date(2020, 1, 5)]
    (tmp_path / "nights.txt").write_text("17 January\n")
    with pytest.raises(DefinitionError, match="'17 January' is no night; write it as 2020-01-17"):
        list_nights(place.settings, tmp_path, NOON)


def test_a_missing_summary_is_made_by_the_command_that_is_named(tmp_path: Path) -> None:
    place = with_maker(tmp_path)
    assert list_nights(place.settings, tmp_path, NOON) == [EVENING]
    assert place.plan().notes == (
        "ignored: 1 run of the type ERRDATA (7)",
        "no DATA run: nothing to process",
    )


def test_a_command_that_fails_and_a_summary_that_nobody_makes_are_said(tmp_path: Path) -> None:
    place = with_maker(tmp_path / "made")
    with pytest.raises(
        DefinitionError, match=r"summary of 2020-01-01 cannot be made: .* ended with 1: no such night"
    ):
        place.plan(date(2020, 1, 1))
    with pytest.raises(
        DefinitionError, match=r"2020-01-17 has no run summary: there is no .*RunSummary_20200117"
    ):
        Observatory(tmp_path / "not").plan()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"telescope": "LST 1", "tables": {"summary": "s"}, "files": {"r0": "r"}}, "`telescope` must name it, in one word"),
        ({"telescop": "LST1"}, "names 'telescop', which is unknown; did you mean 'telescope'?"),
        ({"telescope": "LST1", "tables": {"summary": "s_{date}"}}, r"\[files\] needs 'r0'"),
        ({"tables": {"summary": "{day}"}, "files": {"r0": "r"}}, "'summary' names 'day', which is unknown"),
        ({"tables": {"summary": "s", "make_summary": "make"}, "files": {"r0": "r"}}, "must be a command"),
        ({"tables": {"summary": "s"}, "files": {"r0": "r"}, "calibration": {"walk_back": -1}}, "`walk_back` is -1"),
        ({"tables": {"summary": "s"}, "files": {"r0": "r"}, "model": [{"name": "m"}]}, "needs `name` and `path`"),
        ({"tables": {"summary": "s"}, "files": {"r0": "r"}, "since": "May"}, "`since` is 'May'"),
        ({"tables": {"summary": "s"}, "files": {"r0": "r"}, "model": [{"name": "m", "path": "p", "where": "dec ="}]},
         "cannot be read"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_with_what_is_wrong(given: dict[str, object], why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        settings_of({"telescope": "LST1", **given})
