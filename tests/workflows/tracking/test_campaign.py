"""Made-up trajectories through the whole engine: the demonstration, with a file more that nobody can read."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner
from tests.workflows.tracking.alone import assert_same, map_alone

from penstock import record
from penstock.workflows.tracking import demo
from penstock.workflows.tracking.commands import group
from penstock.workflows.tracking.mapped import load
from penstock.workflows.tracking.regions import squares_around
from penstock.workflows.tracking.truth import write_file

EMPTY = "roi004 holds no translocation; look whether its box is in µm, as the data"


def penstock(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def wells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration with few particles and two workers, after it ran."""
    folder = tmp_path_factory.mktemp("tracking") / "wells"
    said = list[str]()
    demo.set_up(folder, said.append, 250)
    for name in ("c.rpt.txt", "c.rpt-roi.txt", "c.rpt-truth.json"):
        (folder / "data" / name).write_text("this is no table\n")
    write_file(folder / "data/d.rpt.txt", demo.TRUTH, 3, regions=squares_around([demo.OUTSIDE], 1.0))
    with (folder / "penstock.toml").open("a") as file:
        file.write("\n[site.local]\ncores = 2\n")
    demo.run_demo(folder, said.append)
    assert f"{folder} already holds a campaign: continuing with it" in said
    assert f"\nSee {(folder / 'index.html').resolve().as_uri()}" in said
    return folder


def test_a_region_that_is_empty_and_a_file_that_is_none_fail_alone_and_are_seen(wells: Path) -> None:
    with record.open(wells) as opened:
        failed = {task.unit: task.why for task in opened.tasks(state="failed")}
        done = {task.unit for task in opened.tasks("infer", state="done")}
    assert failed.keys() == {"c", "cell-02/roi004", "d/roi000"}
    assert failed["cell-02/roi004"] == f"not retried: {EMPTY}"
    assert str(failed["c"]).startswith(
        "not retried: data/c.rpt.txt has no column x or y among this, is, no, table"
    )
    assert done == {f"cell-{i:02d}/roi{j:03d}" for i in (1, 2) for j in range(4)}
    with h5py.File(wells / "maps/cell-02.maps.h5") as file:
        assert [*file] == [f"roi{i:03d}" for i in range(4)]
        assert json.loads(file.attrs["failed"]) == {"roi004": EMPTY}
    with h5py.File(wells / "maps/d.maps.h5") as file:
        assert [*file, *json.loads(file.attrs["failed"])] == ["roi000"]
    page = (wells / "index.html").read_text("utf-8")
    assert EMPTY in page
    assert page.count('<img src="regions/') == 8
    assert all((wells / name).exists() for name in page.split('src="')[1:] for name in [name.split('"')[0]])


def test_a_table_has_the_cells_of_all_regions_of_its_file(wells: Path) -> None:
    with (wells / "maps/cell-01.maps.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    regions = load(wells / "maps/cell-01.maps.h5")
    assert [row["region"] for row in rows] == [
        name for name, each in regions.items() for _ in each.maps.counts
    ]


def test_two_workers_and_one_process_make_the_same_maps_in_any_order_of_regions(wells: Path) -> None:
    made = load(wells / "maps/cell-01.maps.h5")
    alone = map_alone(wells / "data/cell-01.rpt.txt", backwards=True)
    assert [*alone] == [*reversed(made)]
    assert_same(made, alone)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_threads_of_blas_make_no_difference(wells: Path, threads: str, tmp_path: Path) -> None:
    words = ["-m", "tests.workflows.tracking.alone", str(wells / "data/cell-01.rpt.txt"), "maps.h5"]
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    environment = {**os.environ, **limits, "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert_same(load(wells / "maps/cell-01.maps.h5"), load(tmp_path / "maps.h5"))


def test_maps_are_near_the_truth_that_products_know(wells: Path) -> None:
    found = [each.compare() for each in load(wells / "maps/cell-01.maps.h5").values()]
    assert max(abs(each["diffusivity_bias"]) for each in found) < 0.1
    assert max(each["potential_rms"] for each in found) < 1
    with record.open(wells) as opened:
        told = {row.unit: row.value for row in opened.results("infer")}
    assert told["cell-01/roi002"].items() >= found[2].items()
    assert told["cell-01/roi002"]["reason"] == "converged"


def test_regions_are_listed_with_what_came_of_them(wells: Path) -> None:
    shown = CliRunner().invoke(group, ["maps", "-C", str(wells), "--json"], catch_exceptions=False)
    rows = json.loads(shown.output)
    assert [row["region"] for row in rows][-3:] == ["cell-02/roi003", "cell-02/roi004", "d/roi000"]
    assert (rows[-2]["state"], rows[-2]["steps"], rows[-2]["why"]) == ("failed", 0, EMPTY)
    assert (rows[0]["state"], rows[0]["why"]) == ("done", None)
    shown = CliRunner().invoke(group, ["maps", "-C", str(wells), "--failed"], catch_exceptions=False)
    assert [line.split()[0] for line in shown.output.splitlines()] == ["region", "cell-02/roi004", "d/roi000"]


def test_regions_that_are_moved_and_removed_change_the_maps_of_their_file_alone(wells: Path) -> None:
    file = wells / "data/cell-02.rpt-roi.txt"
    head, *rows = file.read_text().splitlines()
    kept = (wells / "regions/cell-01/roi000.h5").read_bytes()
    file.write_text("\n".join([head, *rows[:2], "2.88\t3.12\t2.93\t3.07\n"]))
    done = penstock(wells, "run", "--set", "units.settle=0s")
    assert (done.returncode, "2 tasks failed" in done.stderr + done.stdout) == (1, True)
    with h5py.File(wells / "maps/cell-02.maps.h5") as made:
        assert [*made] == [f"roi{i:03d}" for i in range(3)]
        assert json.loads(made.attrs["failed"]) == {}
        assert "potential" not in made["roi002/maps"], "the last one is a single cell"
    assert (wells / "regions/cell-01/roi000.h5").read_bytes() == kept
    with record.open(wells) as opened:
        assert {task.unit for task in opened.tasks(state="failed")} == {"c", "d/roi000"}
