"""How pixels went from run to run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from penstock.workflows.detector.frames import open_run
from penstock.workflows.detector.passes import measure
from penstock.workflows.detector.products import write_product
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.simulator import simulate
from penstock.workflows.detector.trend import TrendRun, read_trend, write_trend


def product(folder: Path, run: int, faults: dict[int, str], *, frames: int = 60, columns: int = 12) -> Path:
    np.save(folder / f"{run}.npy", simulate(frames, (1, 8, columns), faults, seed=run).frames)
    judged = measure(open_run([folder / f"{run}.npy"]), Settings()).judged
    write_product(folder / f"r{run}.h5", judged, {"run": f"XPP/xpptut15/{run}"})
    return folder / f"r{run}.h5"


def test_runs_are_compared_with_the_judged_one_before_in_order_of_their_numbers(tmp_path: Path) -> None:
    made = [
        product(tmp_path, 10, {5: "dead", 7: "dead"}),
        product(tmp_path, 9, {}, frames=5),
        product(tmp_path, 2, {5: "dead", 6: "dead"}),
        product(tmp_path, 11, {5: "dead"}, columns=10),
    ]
    runs = read_trend(made)
    assert [(run.number, run.bad, run.newly_bad, run.newly_good) for run in runs] == [
        (2, 2, "", ""), (9, "", "", ""), (10, 2, 1, 1), (11, 1, "", ""),
    ]  # fmt: skip
    assert [run.judged for run in runs] == [True, False, True, True]
    assert "frames" in runs[1].why


def test_the_page_links_runs_and_says_what_was_not_judged(tmp_path: Path) -> None:
    runs = read_trend([product(tmp_path, 1, {5: "dead"}), product(tmp_path, 2, {}, frames=5)])
    places = {name: tmp_path / f"t.{end}" for name, end in (("picture", "png"), ("table", "csv"))}
    write_trend(tmp_path / "t.html", runs, "T", **places, link=lambda run: f"../r{run:04d}.html")
    page = (tmp_path / "t.html").read_text()
    assert 'href="../r0001.html"' in page
    assert "Run 2 was not judged" in page
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    (first, second) = csv.DictReader((tmp_path / "t.csv").open())
    assert (first["bad"], first["frozen"], second["bad"]) == ("1", "1", "")


def test_a_trend_of_nothing_is_a_page_too(tmp_path: Path) -> None:
    for runs in ([], [TrendRun(1, 3, "too few")]):
        write_trend(tmp_path / "t.html", runs, "T", picture=tmp_path / "t.png", table=tmp_path / "t.csv")
        assert "judged" in (tmp_path / "t.html").read_text()
