"""Which runs of a night are processed, and with what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from tests.workflows.telescope.observatory import EVENING, REFERENCE, SOURCES, Observatory

from penstock.errors import DefinitionError
from penstock.workflows.telescope.planning import plan_all
from penstock.workflows.telescope.units import run_units

DAY = timedelta(days=1)
DATA = [(1807, 11, "DATA")]
CALIBRATION = [(1700, 6, "DRS4"), (1701, 5, "PEDCALIB")]
CHOICES = """
[[cleaning]]
name = "dark"
path = "dark.json"
where = "nsb < 2"

[[cleaning]]
name = "bright"
path = "bright.json"

[[model]]
name = "north"
path = "models/north"
where = "dec >= 30"

[[model]]
name = "south"
path = "models/south"
where = "dec < 30"
"""


def test_the_reference_night_is_planned_as_ever(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night()
    made = place.plan()
    rows = [(each.number, each.parent, each.run.number, each.run.subruns) for each in made.sequences]
    assert rows == [(1, None, 1809, 5), (2, 1, 1807, 11), (3, 1, 1808, 9)]
    assert [each.source for each in made.sequences] == ["", "Crab", "MadeUpSource"]
    assert made.sequences[0].fields["drs4_run"] == 1804
    assert {each.fields["calibration_run"] for each in made.sequences} == {1809}
    assert (made.notes, made.problems) == ((), ())


def test_runs_of_other_types_are_ignored_and_said(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night(runs=[*REFERENCE, (1810, 3, "ERRPEDCALIB"), (1811, 2, "CONF")])
    made = place.plan()
    assert len(made.sequences) == 3
    assert made.notes == (
        "ignored: 1 run of the type CONF (1811)",
        "ignored: 1 run of the type ERRPEDCALIB (1810)",
    )


def test_a_calibration_comes_from_the_last_night_that_has_one(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night(runs=DATA, sources=SOURCES[:1])
    place.summary(EVENING - 2 * DAY, [(1702, 6, "DRS4")])
    place.summary(EVENING - 4 * DAY, [*CALIBRATION, (1703, 6, "DRS4")])
    calibration = place.plan().calibration
    assert calibration
    assert (calibration.drs4.number, calibration.drs4.night) == (1702, EVENING - 2 * DAY)
    assert (calibration.pedcal.number, calibration.pedcal.night) == (1701, EVENING - 4 * DAY)
    units = {unit["run"]: unit for unit in run_units(place.plan(), place.settings)}
    assert units[1701]["path"] == "R0/20200113/LST-1.1.Run01701.0000.fits.fz"
    assert (units[1702]["kind"], units[1702]["night"], len(units[1702]["paths"])) == (
        "pedestal",
        "2020-01-17",
        6,
    )


@pytest.mark.parametrize(("walk_back", "found"), [(5, True), (4, False), (0, False)])
def test_no_more_nights_are_looked_at_than_allowed(tmp_path: Path, walk_back: int, found: bool) -> None:
    place = Observatory(tmp_path, f"[calibration]\nwalk_back = {walk_back}\n")
    place.night(runs=DATA, sources=SOURCES[:1])
    place.summary(EVENING - 5 * DAY, CALIBRATION)
    if found:
        assert place.plan().calibration
    else:
        with pytest.raises(DefinitionError, match="2020-01-17 has no DRS4 and PEDCALIB run"):
            place.plan()


def test_a_night_without_data_has_nothing_to_process_and_needs_no_calibration(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night(runs=[(1804, 6, "DRS4")], sources=())
    made = place.plan()
    assert made.sequences == ()
    assert made.notes == ("no DATA run: nothing to process",)


@pytest.mark.parametrize("name", ["Mrk 421", "A, B", "4U 0115+634's"])
def test_any_name_of_a_source_is_as_good_as_another(tmp_path: Path, name: str) -> None:
    place = Observatory(tmp_path)
    place.night(sources=[(1807, name, 1.0, 2.0), SOURCES[1]])
    assert [each.source for each in place.plan().sequences[1:]] == [name, "MadeUpSource"]


def test_a_run_that_is_not_in_the_catalogue_is_said_and_planned(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night(sources=SOURCES[:1])
    made = place.plan()
    assert made.problems == ("run 1808: is not in RunCatalog_20200117.ecsv",)
    assert [each.source for each in made.sequences] == ["", "Crab", ""]


def test_a_run_that_is_twice_in_the_catalogue_is_said_and_has_a_source_only_if_both_agree(
    tmp_path: Path,
) -> None:
    place = Observatory(tmp_path)
    place.night(sources=[*SOURCES, (1807, "Crab", 83.543, 22.08), (1808, "Other", 1.0, 2.0)])
    made = place.plan()
    assert made.problems == (
        "run 1807: is twice in RunCatalog_20200117.ecsv, in lines 10 and 12: remove one",
        "run 1808: is twice in RunCatalog_20200117.ecsv, in lines 11 and 13: remove one",
    )
    assert [each.source for each in made.sequences] == ["", "Crab", ""]


def test_cleaning_and_model_are_the_first_of_their_rules_that_hold(tmp_path: Path) -> None:
    place = Observatory(tmp_path, CHOICES)
    text = (tmp_path / "telescope.toml").read_text()
    sky = 'sky = "monitoring/Sky_{date}.ecsv"\n\n[files]'
    (tmp_path / "telescope.toml").write_text(text.replace("\n[files]", sky))
    place.night()
    place.write(
        "Sky", EVENING, "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: run_id, datatype: int64}\n"
        "# - {name: nsb, datatype: float64}\nrun_id nsb\n1807 1.2\n1808 3.5\n",
    )  # fmt: skip
    made = place.plan()
    chosen = [(each.fields["cleaning"], each.fields["model_path"]) for each in made.sequences[1:]]
    assert chosen == [("dark", "models/south"), ("bright", "models/north")]
    assert made.problems == ()


def test_a_rule_does_not_hold_where_its_field_is_unknown_and_a_run_without_any_is_said(
    tmp_path: Path,
) -> None:
    place = Observatory(tmp_path, CHOICES)
    place.night(sources=SOURCES[:1])
    made = place.plan()
    assert [each.fields["cleaning"] for each in made.sequences[1:]] == ["bright", "bright"]
    assert [each.fields["model"] for each in made.sequences[1:]] == ["south", ""]
    assert made.problems[-1] == "run 1808: no [[model]] is for it; add one without `where`"


def test_the_nearest_earlier_file_by_date_counts(tmp_path: Path) -> None:
    keys = 'time_sampling = "cat/{date}/time_calibration.Run{run:05d}.0000.h5"\n'
    place = Observatory(tmp_path, keys)
    place.night()
    with pytest.raises(
        DefinitionError, match="no file `time_sampling` of 2020-01-17 or before: there is none"
    ):
        place.plan()
    place.touch("cat/20200118/time_calibration.Run01900.0000.h5")
    with pytest.raises(DefinitionError, match="the first one is of 2020-01-18"):
        place.plan()
    place.touch(
        "cat/20191124/time_calibration.Run01625.0000.h5", "cat/20191020/time_calibration.Run01500.0000.h5"
    )
    place.touch("cat/pro/time_calibration.Run01000.0000.h5")
    assert (
        place.plan().sequences[1].fields["time_sampling"] == "cat/20191124/time_calibration.Run01625.0000.h5"
    )


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ([(1807, 11, "DATA"), (1807, 11, "DATA")], "RunSummary_20200117.ecsv:11: run 1807 stands twice, also in line 10"),
        ([(1807, "", "DATA")], "RunSummary_20200117.ecsv:10: a run needs"),
        ([(1807, -1, "DATA")], "RunSummary_20200117.ecsv:10: a run needs"),
    ],
)  # fmt: skip
def test_a_summary_that_cannot_be_right_is_refused_with_its_line(
    tmp_path: Path, runs: list[tuple[object, ...]], why: str
) -> None:
    place = Observatory(tmp_path)
    place.night(runs=runs)
    with pytest.raises(DefinitionError, match=why):
        place.plan()


def test_a_table_without_a_column_is_refused_with_those_that_it_has(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night()
    place.write(
        "RunSummary",
        EVENING,
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: run_id, datatype: int64}\nrun_id\n1\n",
    )
    with pytest.raises(DefinitionError, match="it has no column 'n_subruns': there are run_id"):
        place.plan()


def test_a_night_that_cannot_be_planned_keeps_no_other_from_it(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night()
    place.summary(EVENING + DAY, [(1900, 3, "DATA"), (1900, 3, "DATA")])
    place.summary(EVENING + 6 * DAY, [(1950, 3, "DATA")])
    planned = list(plan_all(place.settings, tmp_path, datetime(2020, 2, 1, tzinfo=UTC)))
    assert [bool(each.plan) for each in planned] == [True, False, False]
    assert "stands twice" in planned[1].why
    assert "2020-01-23 has no DRS4 and PEDCALIB run" in planned[2].why


def test_a_night_waits_for_its_gain_selection(tmp_path: Path) -> None:
    place = Observatory(tmp_path, 'gain_selection = "GainSel/{date}/GainSelFinished.txt"\n')
    place.night()
    with pytest.raises(DefinitionError, match=r"waits for its gain selection: there is no .*GainSelFinished"):
        place.plan()
    place.touch("GainSel/20200117/GainSelFinished.txt")
    assert len(place.plan().sequences) == 3


def test_planning_reads_no_night_before_one_that_has_its_own_calibration(tmp_path: Path) -> None:
    place = Observatory(tmp_path)
    place.night()
    place.write("RunSummary", EVENING - DAY, "no table at all")
    assert len(place.plan(date(2020, 1, 17)).sequences) == 3
