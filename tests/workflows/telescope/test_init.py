"""What `penstock init telescope` writes is a valid definition, whatever is left out."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import DefinitionError
from penstock.workflows.telescope.definition import Shape
from penstock.workflows.telescope.init import write_campaign
from penstock.workflows.telescope.settings import read_settings
from penstock.workflows.telescope.training import place_of

EVERY = {"drs4_pedestal", "charge_calibration", "r0_to_dl1", "dl1ab", "datacheck", "merge_dl1", "merge_muons",
         "merge_datacheck", "dl1_to_dl2", "night_check"}  # fmt: skip


def stages(folder: Path, **shape: Any) -> dict[str, Any]:
    from penstock.config import load

    write_campaign(folder, Shape("lstchain", **shape))
    return {stage.name: stage for stage in load(folder).stages if not stage.closing}


@pytest.mark.parametrize(
    ("shape", "without"),
    [
        ({}, set[str]()),
        ({"calibration": False}, {"drs4_pedestal", "charge_calibration"}),
        ({"dl2": False}, {"dl1_to_dl2"}),
        (
            {"dl1ab": False},
            {"dl1ab", "datacheck", "merge_dl1", "merge_datacheck", "dl1_to_dl2", "night_check"},
        ),
        ({"gain_selection": False, "pedestal_ids": False, "deadline": "18:00 next day"}, set[str]()),
        ({"web": "gate:/www/datacheck"}, set[str]()),
        ({"final": "/fefs/final"}, set[str]()),
        ({"scheduler": "slurm", "jobs": 100, "mail": ("ann@lab.example",)}, set[str]()),
    ],
)
def test_what_is_left_out_is_not_there(tmp_path: Path, shape: dict[str, Any], without: set[str]) -> None:
    assert stages(tmp_path, **shape).keys() == EVERY - without


def test_what_is_last_goes_to_the_final_folder_but_for_what_programs_look_for(tmp_path: Path) -> None:
    from penstock.config import load

    write_campaign(tmp_path / "lst", Shape("lstchain", final="/fefs/final"))
    write_campaign(tmp_path / "toy", Shape(final="final"))
    write_campaign(tmp_path / "few", Shape("lstchain", final="final", dl1ab=False))
    lst, toy, few = (load(tmp_path / name) for name in ("lst", "toy", "few"))
    told = {name: [one.stage for one in move.files] for name, move in lst.move.items()}
    assert told == {"run": ["merge_dl1", "dl1_to_dl2"], "night": ["night_check"]}
    assert [one.stage for one in toy.move["run"].files] == [
        "merge_dl1",
        "merge_datacheck",
        "merge_dl2",
        "merge_muons",
    ]
    assert few.move == {}


def test_dl2_is_made_of_runs_or_of_subruns(tmp_path: Path) -> None:
    assert stages(tmp_path / "runs")["dl1_to_dl2"].after[0].stage == "merge_dl1"
    made = stages(tmp_path / "subruns", dl2_each="subrun")
    assert made["dl1_to_dl2"].after[0].stage == "dl1ab"
    assert made["merge_dl2"].after[0].stage == "dl1_to_dl2"


def test_calibration_products_that_are_there_are_named_where_none_is_made(tmp_path: Path) -> None:
    command = [word.text for word in stages(tmp_path, calibration=False)["r0_to_dl1"].command]
    assert "--calibration-file={charge_calibration_file}" in command
    assert read_settings(tmp_path).uses_existing


def test_settings_have_the_data_the_nights_and_the_name_of_the_telescope(tmp_path: Path) -> None:
    days = {"since": date(2026, 11, 1), "nights": (date(2026, 11, 3),)}
    write_campaign(tmp_path, Shape("lstchain", "LST2"), data="/fefs/real/", **days)  # type: ignore[arg-type]
    made = read_settings(tmp_path)
    assert (made.telescope, made.since) == ("LST2", date(2026, 11, 1))
    assert made.files["r0"].text == "/fefs/real/R0G/{date}/LST-2.1.Run{run:05d}.{subrun:04d}.fits.fz"
    assert (tmp_path / "nights.txt").read_text() == "2026-11-03\n"


def test_the_toy_profile_has_a_cleaning_and_a_place_for_its_model(tmp_path: Path) -> None:
    from penstock.config import load

    write_campaign(tmp_path, Shape(), cleaning=("standard", "cleaning.json"), model=("standard", "model.h5"))
    assert json.loads((tmp_path / "cleaning.json").read_text())["picture"] == 8
    assert place_of(read_settings(tmp_path), tmp_path, None) == tmp_path / "model.h5"
    with pytest.raises(DefinitionError, match=r"'other' in telescope.toml: there are standard"):
        place_of(read_settings(tmp_path), tmp_path, "other")
    names = {stage.name for stage in load(tmp_path).stages if not stage.closing}
    assert names == EVERY | {"merge_dl2"}


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "telescope.toml").write_text("mine")
    with pytest.raises(DefinitionError, match=r"telescope.toml already exists"):
        write_campaign(tmp_path, Shape("lstchain"))
    assert not (tmp_path / "penstock.toml").exists()
