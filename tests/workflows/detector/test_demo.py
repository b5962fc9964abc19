"""The demonstration, as it goes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from penstock import record
from penstock.workflows.detector.demo import grow, run_demo


def test_a_file_grows_beside_its_place_or_in_it_and_is_whole_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.workflows.detector.demo.BEAT_S", 0.0)
    for stream in (0, 1):
        grow(tmp_path / f"{stream}.h5", b"0123456789", stream)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "0.h5": b"0123456789", "1.h5": b"0123456789",
    }  # fmt: skip


@pytest.mark.slow
def test_runs_that_arrive_as_they_should_not_are_told_and_the_others_have_pages(tmp_path: Path) -> None:
    said = list[str]()
    run_demo(tmp_path / "demo", said.append)
    folder = tmp_path / "demo"
    assert said[-1] == f"\nSee {(folder / 'trend/CXI/cxil2316.html').as_uri()}"
    with (folder / "trend/XPP/xpptut15.csv").open() as file:
        runs = {row["run"]: (row["bad"], row["newly_bad"]) for row in csv.DictReader(file)}
    assert runs == {"1": ("4", ""), "2": ("4", "0"), "5": ("4", "0"), "6": ("4", "0"), "7": ("7", "3")}
    assert not (folder / "pixel_status/AMO").exists()
    with record.open(folder) as opened:
        states = {task.unit: task.state for task in opened.tasks("pixel_status") if task.state != "done"}
        assert states == {"XPP/xpptut15/0003": "vetoed"}
        assert [event.what for event in opened.history("CXI/cxil2316/1")].count("ok") >= 3
