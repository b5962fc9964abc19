"""The old histories are read and written line by line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.workflows.telescope.observatory import Observatory

from penstock.workflows.telescope.exchange import plan_import
from penstock.workflows.telescope.oldhistory import Unit, done_stages, find_files, read_line, write_line

AT = datetime(2020, 1, 18, 9, 14, 59, tzinfo=UTC)
R0_TO_DL1, DL1AB, CHECK = "lstchain_data_r0_to_dl1", "lstchain_dl1ab", "lstchain_check_dl1"


THIRD = Unit(1807, 3)


def lines(*ends: tuple[str, str, int], unit: Unit = THIRD) -> list[str]:
    return [write_line(unit, program, production, AT, code=code) for program, production, code in ends]


def done(*ends: tuple[str, str, int]) -> list[str]:
    found = (line for text in lines(*ends) if (line := read_line(text)))
    return [*done_stages(found, {1807: "tailcut84"})]


def test_a_line_is_written_as_ever_and_read_again() -> None:
    text = write_line(Unit(1807, 3), DL1AB, "tailcut84", AT, config="dl1b.json", code=0)
    assert text == "01807.0003 lstchain_dl1ab tailcut84 2020-01-18 09:14 None dl1b.json 0\n"
    assert read_line(text) == (Unit(1807, 3), DL1AB, "tailcut84", 0)


@pytest.mark.parametrize(
    ("text", "unit", "code"),
    [
        ("01809 onsite_create_calibration_file v0.1.0 2020-01-18 09:14 None None 0", Unit(1809), 0),
        ("01807.0003 lstchain_dl1ab v1 2020-01-18 09:14:05 /a/b c.h5 x.json -9", Unit(1807, 3), -9),
        ("07", None, None),
        ("01807.0003 lstchain_dl1ab v1 2020-01-18 09:14 None None", None, None),
    ],
)
def test_lines_of_any_form_are_read_or_told(text: str, unit: Unit | None, code: int | None) -> None:
    line = read_line(text)
    assert (line and line.unit, line and line.code) == (unit, code)


def test_success_after_failure_is_done_and_failure_after_success_is_not() -> None:
    assert done((R0_TO_DL1, "v1", 1), (R0_TO_DL1, "v1", 0)) == ["r0_to_dl1"]
    assert done((R0_TO_DL1, "v1", 0), (R0_TO_DL1, "v1", 1)) == []


def test_another_production_is_made_anew_from_dl1ab_only() -> None:
    through = [(R0_TO_DL1, "v1", 0), (DL1AB, "tailcut84", 0), (CHECK, "tailcut84", 0)]
    assert done(*through) == ["r0_to_dl1", "dl1ab", "datacheck"]
    other = [(R0_TO_DL1, "v1", 0), (DL1AB, "tailcut63", 0), (CHECK, "tailcut63", 0)]
    assert done(*other) == ["r0_to_dl1"]


def test_a_stage_is_not_done_where_one_before_it_is_not() -> None:
    assert done((R0_TO_DL1, "v1", 1), (DL1AB, "tailcut84", 0)) == []


def test_a_folder_of_histories_comes_to_units_of_the_night(tmp_path: Path) -> None:
    rule = '[[cleaning]]\nname = "tailcut84"\npath = "x.json"\n'
    place, old = Observatory(tmp_path / "here", rule), tmp_path / "old"
    place.night()
    old.mkdir()
    made = lines(("onsite_create_drs4_pedestal_file", "v1", 0), unit=Unit(1804))
    made += lines(("onsite_create_calibration_file", "v1", 0), unit=Unit(1809))
    (old / "sequence_LST1_01809.history").write_text("".join(made))
    (old / "sequence_LST1_01807.0003.history").write_text(
        "".join(lines((R0_TO_DL1, "v1", 0), (DL1AB, "tailcut84", 0)))
    )
    (old / "sequence_LST1_04711.0000.history").write_text("".join(lines((R0_TO_DL1, "v1", 0))))
    (old / "sequence_LST1_01807.0004.history").write_text("nonsense\n")
    (old / "sequence_LST1_01808.veto").touch()
    found = plan_import(old, place.plan())
    assert found.done == {
        "r0_to_dl1": ["2020-01-17/1807/3"],
        "dl1ab": ["2020-01-17/1807/3"],
        "drs4_pedestal": ["2020-01-17/1804"],
        "charge_calibration": ["2020-01-17/1809"],
    }
    assert found.vetoed == ["2020-01-17/1808"]
    assert found.odd == ["sequence_LST1_01807.0004.history: 'nonsense' is no line of a history"]


def test_files_are_found_by_their_kind(tmp_path: Path) -> None:
    for name in (
        "sequence_LST1_01807.veto",
        "sequence_LST1_01807.0003.veto",
        "sequence_LST1_01807.sh",
        "x.veto",
    ):
        (tmp_path / name).touch()
    assert [unit for unit, _ in find_files(tmp_path, "veto")] == [Unit(1807, 3), Unit(1807)]
