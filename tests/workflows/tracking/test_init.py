"""`penstock init tracking` finds files and their regions, and writes a definition that is right."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.config import load
from penstock.errors import DefinitionError
from penstock.workflows.tracking.definition import WORDS, Shape, stages
from penstock.workflows.tracking.inference import Settings
from penstock.workflows.tracking.init import find_files, write_campaign
from penstock.workflows.tracking.plugin import init
from penstock.workflows.tracking.settings import OF_SCALES, OF_WINDOWS, OWN, read_loading, read_settings
from penstock.workflows.tracking.tessellation import Tessellation

SIGMA = {"sigma": 0.03}


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1 0 0 0\n")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("data", ["data", "data/*.rpt.txt", "data/{source}.rpt.txt"])
def test_a_folder_a_glob_and_a_pattern_mean_the_same(here: Path, data: str) -> None:
    put(here, "data/a.rpt.txt", "data/b.rpt.txt", "data/a.rpt-roi.txt", "data/b.rpt-roi.txt")
    found = find_files(data)
    assert (found.pattern, [path.name for path in found.paths]) == (
        "data/{source}.rpt.txt", ["a.rpt.txt", "b.rpt.txt"],
    )  # fmt: skip


@pytest.mark.parametrize("data", ["data/a.txt", "*/*.txt", "data/*-*.txt"])
def test_a_pattern_that_names_no_source_is_refused(here: Path, data: str) -> None:
    with pytest.raises(DefinitionError, match=r"does not say what names a source; write it as data/\*"):
        find_files(data)


def test_a_folder_without_trajectories_is_refused(here: Path) -> None:
    put(here, "data/a.rpt-roi.txt")
    with pytest.raises(DefinitionError, match="data has no file of trajectories"):
        find_files("data")


def test_the_command_writes_a_right_definition_in_which_regions_are_companions(here: Path) -> None:
    put(here, "data/a.rpt.txt", "data/a.rpt_roi.txt", "data/a.rpt-truth.json")
    words = ["wells", "--data", "data", "--sigma", "0.03", "--pixel-size", "0.16", "--columns", "n x y frame"]
    done = CliRunner().invoke(init, [*words, "--scheduler", "slurm"], catch_exceptions=False)
    assert (
        done.output
        == "1 file of data/{source}.rpt.txt; wrote wells/penstock.toml; next: cd wells && penstock run\n"
    )
    campaign = load(here / "wells")
    companions = [template.text for template in campaign.sources[0].companions]
    assert companions == [f"{here}/data/{{source}}.rpt_roi.txt", f"{here}/data/{{source}}.rpt-truth.json"]
    assert campaign.site == "slurm"
    params = campaign.stage("tessellate").params
    assert params["columns"] == ["n", "x", "y", "frame"]
    assert campaign.stage("infer").params == {"sigma": 0.03, "mode": "dv"}


def test_files_of_which_some_lack_regions_are_a_question(here: Path) -> None:
    put(here, "data/a.rpt.txt", "data/b.rpt.txt", "data/b.rpt-roi.txt")
    with pytest.raises(
        DefinitionError, match=r"a\.rpt\.txt has no file of regions \(roi\) beside it, others have"
    ):
        write_campaign(here / "wells", find_files("data"), Shape(infer=SIGMA))
    write_campaign(here / "wells", find_files("data"), Shape({"regions": []}, SIGMA))
    assert load(here / "wells").sources[0].companions == ()


def test_regions_have_labels(here: Path) -> None:
    put(here, "data/a.txt", "data/a_nuclei.txt", "data/a-spots.txt")
    words = ["wells", "--data", "data", "--sigma", "0", "--regions", "nuclei", "--regions", "spots"]
    assert (
        CliRunner()
        .invoke(init, words, catch_exceptions=False)
        .output.startswith("1 file of data/{source}.txt;")
    )
    campaign = load(here / "wells")
    (source,) = campaign.sources
    assert [Path(template.text).name for template in source.companions] == [
        "{source}_nuclei.txt", "{source}-spots.txt",
    ]  # fmt: skip
    assert campaign.stage("tessellate").params["regions"] == ["nuclei", "spots"]
    with pytest.raises(DefinitionError, match="give one of them"):
        CliRunner().invoke(init, [*words, "--whole"], catch_exceptions=False)


def test_files_that_differ_in_another_field_are_one_source(here: Path) -> None:
    put(here, "data/a-1.xyt", "data/a-2.xyt")
    write_campaign(here / "wells", find_files("data/{source}-{part}.xyt"), Shape(infer=SIGMA))
    assert load(here / "wells").sources[0].many == ("part",)


@pytest.mark.parametrize(
    ("tessellate", "infer", "why"),
    [
        ({"resolutoin": 0.1}, SIGMA, "resolutoin is no parameter of tessellate; did you mean resolution"),
        ({}, {"sigma": 0.03, "cells": 3}, "cells is no parameter of infer; there are sigma"),
        ({}, {}, "sigma is not set"),
        ({"shift": 2.0}, SIGMA, "give their duration, window, in s"),
        ({"regions": "../roi"}, SIGMA, r"regions = '\.\./roi' cannot be; use letters and digits"),
        ({"kind": "circles"}, SIGMA, "kind = 'circles' is unknown"),
        ({"support": "one"}, SIGMA, "support = 'one' is unknown; say own, shared"),
    ],
)
def test_a_wrong_parameter_is_told_before_anything_is_written(
    here: Path, tessellate: dict[str, object], infer: dict[str, object], why: str
) -> None:
    put(here, "data/a.xyt")
    with pytest.raises(DefinitionError, match=why):
        write_campaign(here / "wells", find_files("data"), Shape(tessellate, infer))
    assert not (here / "wells").exists()


def test_the_definition_explains_parameters_that_there_are() -> None:
    known = {
        "tessellate": {*OF_SCALES, *OF_WINDOWS, *OWN, *(each.name for each in fields(Tessellation))},
        "infer": {each.name for each in fields(Settings)},
    }
    assert {stage: {*words} - known[stage] for stage, words in WORDS.items()} == {
        "tessellate": set(),
        "infer": set(),
    }
    assert read_loading({"columns": "n x y t", "window": 2})[0].windows is not None
    assert read_settings(SIGMA).mode == "dv"


def test_a_notebook_has_the_stages_that_a_definition_has(here: Path) -> None:
    put(here, "data/a.xyt")
    write_campaign(here / "wells", find_files("data"), Shape(infer=SIGMA))
    assert [stage.name for stage in load(here / "wells").stages] == [*stages()]
