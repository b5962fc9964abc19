"""Where stages may run, and what a watch does before there is anything to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock import config
from penstock.conductor import Conductor
from penstock.conductor.plan import plan
from penstock.errors import DefinitionError
from penstock.ledger.experience import absences
from penstock.testing import make_campaign

TOML = """
[campaign]
name = "far"
levels = ["file"]
[units]
files = "in/{file}.txt"
settle = "0s"
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
"""
FAR = TOML + 'site = "far"\n[site.far]\nscheduler = "slurm"\nhost = "far"\n'


def test_a_stage_of_a_site_that_cannot_be_reached_is_planned_and_never_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_STATE", str(tmp_path / "state"))
    make_campaign(tmp_path, FAR, files={"in/a.txt": "a"})
    assert "sbatch" in str(plan(config.load(tmp_path)))
    with Conductor(config.load(tmp_path), command="run") as conductor:
        assert conductor.turn().given == 0
        (said,) = absences(conductor.ledger.db, conductor.clock.now())
    assert "needs you: `penstock site login far`" in said
    assert not (tmp_path / "out").exists()


def test_a_turn_before_the_first_file_is_no_mistake(tmp_path: Path) -> None:
    make_campaign(tmp_path, TOML, files={})
    with Conductor(config.load(tmp_path), command="tick") as conductor:
        assert str(conductor.tick()) == "0 new units, 0 attempts finished, 0 tasks submitted"


def test_a_run_without_any_file_is_one(tmp_path: Path) -> None:
    make_campaign(tmp_path, TOML, files={})
    with (
        Conductor(config.load(tmp_path), command="run") as conductor,
        pytest.raises(DefinitionError, match="no file"),
    ):
        conductor.run()


def test_the_ending_names_what_was_wrong_with_the_sources(tmp_path: Path) -> None:
    make_campaign(tmp_path, TOML, files={"in/a.txt": "a"})
    with Conductor(config.load(tmp_path), command="run") as conductor:
        assert conductor.run().lines == ["all done: 1 task"]
    (tmp_path / "in").rename(tmp_path / "unmounted")
    with Conductor(config.load(tmp_path), command="run") as conductor:
        ending = conductor.run()
    assert ending.lines[:2] == ["all done: 1 task", "1 problem: see `penstock status`"]
    assert "does not exist" in ending.lines[2]
