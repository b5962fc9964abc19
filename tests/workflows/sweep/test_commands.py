"""What people do with a sweep that has run: list, retry, compare, copy, delete, analyse."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.workflows.sweep.conftest import Bench
from tests.workflows.sweep.test_campaign import penstock

from penstock.workflows.sweep.submitting import read_submissions


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a sweep of which two of six points failed, to look at."""
    folder = Bench(tmp_path_factory.mktemp("ran")).ready("repeat = 2\n[vary]\nT = [3, 4, 5]")
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 1
    return folder


@pytest.fixture
def heat(ran: Path, tmp_path: Path) -> Path:
    """Give such a sweep to change."""
    return Path(shutil.copytree(ran, tmp_path / "heat"))


def lines(folder: Path, *words: str) -> list[str]:
    done = penstock(folder, "sweep", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_points_are_listed_by_condition_and_state(ran: Path) -> None:
    head, *rows = lines(ran, "list")
    assert head.split("  ")[0] == "state"
    assert ["T (K)" in head, "T_out (K)" in head] == [True, True]
    assert [row.split()[:4] for row in rows] == [
        [{"4": "failed"}.get(T, "done"), T, seed, {"4": "-"}.get(T, T)] for T in "345" for seed in "12"
    ]
    assert [row.split()[1] for row in lines(ran, "list", "T > 3 and seed == 1")[1:]] == ["4", "5"]
    assert [row.split()[1] for row in lines(ran, "list", "--state", "failed")[1:]] == ["4", "4"]
    assert [row.split()[1] for row in lines(ran, "list", "T_out < 5")[1:]] == ["3", "3"]
    assert lines(ran, "list", "T > 99")[1:] == []
    told = penstock(ran, "sweep", "list", "--limit", "2")
    assert (len(told.stdout.splitlines()), told.stderr) == (3, "… and 4 more: --limit 0 shows all\n")
    wrong = penstock(ran, "sweep", "list", "warmth < 1")
    assert (wrong.returncode, "'warmth', which is unknown" in wrong.stderr) == (2, True)


def test_the_json_of_points_has_types_and_null_for_what_is_missing(ran: Path) -> None:
    told = json.loads("\n".join(lines(ran, "list", "seed == 2", "--json")))
    assert {"name": "T", "type": "float", "unit": "K"} in told["columns"]
    assert [(p["T"], p["T_out"], p["seed_out"], p["state"]) for p in told["points"]] == [
        (3.0, 3.0, 2, "done"), (4.0, None, None, "failed"), (5.0, 5.0, 2, "done"),
    ]  # fmt: skip


def test_sweeps_are_listed_with_what_was_submitted_last_first(heat: Path) -> None:
    home = heat / "home"
    home.mkdir()
    for name in ("one", "two"):
        assert penstock(heat, "sweep", "copy", ".", f"home/{name}").returncode == 0
    assert penstock(home, "sweep", "submit", "one", "--wait").returncode == 1
    told = json.loads("\n".join(lines(home, "list", "--json")))
    assert [(s["sweep"], s["points"], s["done"], s["failed"], s["submitted"]) for s in told] == [
        ("one", 6, 4, 2, 1), ("two", 0, 0, 0, 0),
    ]  # fmt: skip
    assert [line.split()[0] for line in lines(home, "list")] == ["sweep", "one", "two"]
    (submission,) = read_submissions(home / "one")
    assert (submission.at, submission.points) == (told[0]["last"], "6")


def test_only_what_failed_is_run_again(heat: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in heat.glob("runs/*/out.dat")}
    (heat / "mended").touch()
    told = lines(heat, "retry", "seed == 1")
    assert "next: cd" in told[-1]
    assert penstock(heat, "run").returncode == 1
    assert len(lines(heat, "list", "--state", "failed")[1:]) == 1
    assert len(lines(heat, "retry")) == 2
    assert penstock(heat, "run").returncode == 0
    assert lines(heat, "retry") == ["no point failed"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(heat.glob("runs/*/out.dat"))) == 6


def test_what_left_no_result_is_run_again_on_request(bench) -> None:
    folder = bench.ready("[vary]\nT = [3, 5]")
    model = (folder / "model").read_text()
    (folder / "model").write_text("#!/bin/sh\necho > out.dat\n")
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 0
    (folder / "model").write_text(model)
    assert lines(folder, "retry") == ["no point failed"]
    assert "2" in lines(folder, "retry", "--missing")[-2] or len(lines(folder, "list")) == 3
    assert penstock(folder, "run").returncode == 0
    assert len(lines(folder, "list", "T_out > 0")[1:]) == 2


def test_what_failed_points_left_comes_home_with_the_reason_and_goes_when_they_are_done(heat: Path) -> None:
    assert lines(heat, "receive")[-3:] == [
        f"4 of 6 points are here, in {heat}/runs", "2 failed", f"what 2 failed left is in {heat}/failed",
    ]  # fmt: skip
    (one, two) = sorted(heat.glob("failed/*"))
    assert one.name.startswith("T=4_seed=1-")
    assert "exit code 9" in (two / "why.txt").read_text()
    assert (one / "in.txt").read_text().startswith("T 4\n")
    (heat / "mended").touch()
    lines(heat, "retry")
    penstock(heat, "run")
    assert lines(heat, "receive")[-1] == f"6 of 6 points are here, in {heat}/runs"
    assert list(heat.glob("failed/*")) == []


def test_points_of_another_executable_are_told_to_be_stale(heat: Path) -> None:
    (heat / "model").write_text((heat / "model").read_text() + "# built again\n")
    penstock(heat, "run")
    told = penstock(heat, "sweep", "list").stderr
    assert told.startswith("4 of these are stale, such as T=3_seed=1-")
    assert "; `penstock run --stale` redoes them" in told


def test_a_plan_as_json_has_the_count_and_the_first_and_last_points(bench) -> None:
    folder = bench.ready("[vary]\nT = { start = 1, stop = 9, step = 1 }")
    told = json.loads("\n".join(lines(folder, "plan", "--json")))
    assert (told["program"], told["points"], told["new"], told["dropped"]) == ("model", 9, 9, 0)
    assert [row["T"] for row in told["shown"]] == ["1", "2", "3", "7", "8", "9"]


def test_what_people_put_beside_what_failed_stays(heat: Path) -> None:
    (heat / "failed/notes").mkdir(parents=True)
    lines(heat, "receive")
    assert len(list(heat.glob("failed/*"))) == 3
    assert penstock(heat.parent, "sweep", "receive", str(heat)).returncode == 0
    assert (heat / "failed/notes").is_dir()


def test_what_was_never_submitted_is_not_received_and_nothing_begins(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    lines(folder, "extend")
    told = penstock(folder, "sweep", "receive")
    assert (told.returncode, "never submitted" in told.stderr) == (2, True)
    assert not (folder / ".penstock/ledger.sqlite").exists()


def test_an_executable_that_is_not_there_is_told_before_anything_runs(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    (folder / "model").unlink()
    told = penstock(folder, "sweep", "submit", "--wait")
    assert told.returncode == 2
    assert "model is neither in" in told.stderr
    assert not (folder / ".penstock/ledger.sqlite").exists()


def test_nothing_that_a_program_wrote_controls_the_terminal(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    program = folder / "programs/model.toml"
    program.write_text(
        program.read_text() + '[result.word]\nfile = "out.dat"\nregex = "word(.*)"\ntype = "str"\n'
    )
    with (folder / "model").open("a") as file:
        file.write("printf 'word\\033[31mred\\a\\302\\233' >> out.dat\n")
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 0
    told = "\n".join(lines(folder, "list"))
    assert "\\x1b[31mred\\x07\\x9b" in told
    assert told.replace("\n", "").isprintable()


def test_two_sweeps_are_compared_point_by_point(heat: Path) -> None:
    lines(heat, "copy", ".", "again")
    again = heat / "again"
    model = (again / "model").read_text()
    (again / "model").write_text(model.replace("4)", "5*) T=5.001;; 4)"))
    sweep = (again / "sweep.toml").read_text()
    (again / "sweep.toml").write_text(sweep.replace("[3, 4, 5]", "[4, 5.0, 6]"))
    penstock(again, "sweep", "submit", "--wait")
    told = json.loads("\n".join(lines(heat, "compare", ".", "again", "--json")))
    assert (told["both"], told["only_first"], told["only_second"]) == (4, 2, 2)
    by_name = {each["result"]: each for each in told["differences"]}
    assert by_name["seed_out"]["same"] == 2
    assert (by_name["T_out"]["same"], by_name["T_out"]["differ"]) == (0, 2)
    assert by_name["T_out"]["largest"] == pytest.approx(0.001)
    assert by_name["T_out"]["at"].startswith("T=5_")
    near = json.loads("\n".join(lines(heat, "compare", ".", "again", "--json", "--tolerance", "0.01")))
    assert near["differences"][0]["same"] == 2
    table = lines(heat, "compare", ".", "again")
    assert table[:3] == [table[0], "2 in . only", "2 in again only"]
    assert table[0].startswith("4 points in both, by ")
    unclear = penstock(heat, "sweep", "compare", ".", "again", "--on", "T")
    assert unclear.returncode == 2
    assert "have the same T; name more with --on" in unclear.stderr


def test_deleting_asks_and_leaves_what_people_put_there(heat: Path) -> None:
    asked = penstock(heat.parent, "sweep", "delete", str(heat))
    assert asked.returncode == 1
    assert "6 points, 4 of them done; deletes runs, inputs," in asked.stdout
    assert (heat / "sweep.toml").exists()
    (heat / "notes.txt").write_text("mine")
    done = penstock(heat.parent, "sweep", "delete", str(heat), "--yes")
    assert done.returncode == 0
    assert "stays: model, notes.txt, programs" in done.stdout
    assert sorted(path.name for path in heat.iterdir()) == ["model", "notes.txt", "programs"]


def test_the_folder_goes_too_if_nothing_else_is_in_it(bench, tmp_path: Path) -> None:
    home = tmp_path / "home"
    penstock(tmp_path, "init", "sweep", "home/new", "--program", "ising")
    assert penstock(home, "sweep", "delete", "new", "--yes").returncode == 0
    assert list(home.iterdir()) == []
    again = penstock(home, "sweep", "delete", ".", "--yes")
    assert "there is no sweep in ." in again.stderr


@pytest.mark.parametrize(
    "need",
    [
        lambda other, heat: (other / "runs").symlink_to(heat / "runs"),
        lambda other, heat: (other / "sweep.toml").write_text(
            '[sweep]\nprogram = "model"\nmode = "table"\ntable = "../heat/points.csv"\n'
        ),
    ],
    ids=["link", "table"],
)
def test_nothing_is_deleted_that_another_sweep_needs(heat: Path, need) -> None:
    home = heat.parent
    other = home / "other"
    shutil.copytree(heat / "programs", other / "programs")
    shutil.copy(heat / "sweep.toml", other)
    need(other, heat)
    told = penstock(home, "sweep", "delete", "heat", "--yes")
    assert told.returncode == 2
    assert "stays; delete that sweep first" in told.stderr
    assert (home / "heat/points.csv").exists()
    shutil.rmtree(other)
    assert penstock(home, "sweep", "delete", "heat", "--yes").returncode == 0


def test_of_a_link_to_another_sweep_only_the_link_is_deleted(heat: Path) -> None:
    other = heat.parent / "other"
    shutil.copytree(heat / "programs", other / "programs")
    shutil.copy(heat / "sweep.toml", other)
    (other / "runs").symlink_to(heat / "runs")
    assert penstock(heat.parent, "sweep", "delete", "other", "--yes").returncode == 0
    assert not (other / "runs").is_symlink()
    assert len(list(heat.glob("runs/*"))) == 4


def test_a_sweep_at_work_is_not_deleted(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    (folder / "model").write_text("#!/bin/sh\nsleep 30\n")
    assert penstock(folder, "sweep", "submit").returncode == 0
    try:
        told = penstock(folder, "sweep", "delete", ".", "--yes")
        assert told.returncode == 2
        assert "is at work; stop it with `penstock down`" in told.stderr
    finally:
        penstock(folder, "cancel", "--all")
        penstock(folder, "down")


def test_an_analysis_has_pictures_tables_and_a_page(bench) -> None:
    folder = bench.ready("repeat = 2\n[vary]\nT = [3, 5, 7]\np = [1, 2]")
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 0
    (told,) = lines(folder, "analyse", "--result", "T_out", "--parquet")
    assert told.startswith("12 points; see file:///")
    made = folder / "analysis"
    assert sorted(path.name for path in made.iterdir()) == [
        "T_out-map.png", "T_out.png", "averages.csv", "index.html", "results.csv", "results.csv-metadata.json",
        "results.parquet",
    ]  # fmt: skip
    assert (made / "averages.csv").read_text().splitlines()[:2] == [
        "result,T,p,mean,standard_error,standard_deviation,n", "T_out,3,1,3.0,0.0,0.0,2",
    ]  # fmt: skip
    assert (made / "index.html").read_text().count("data:image/png") == 2
    lines(folder, "analyse", "--by", "T", "--where", "T < 6")
    assert sorted(path.name for path in made.glob("*.png")) == ["T_out.png", "seed_out.png"]
    assert (made / "averages.csv").read_text().splitlines()[1:] == [
        "T_out,3,3.0,0.0,0.0,4", "T_out,5,5.0,0.0,0.0,4",
        f"seed_out,3,1.5,{0.5773502691896257 / 2!r},0.5773502691896257,4",
        f"seed_out,5,1.5,{0.5773502691896257 / 2!r},0.5773502691896257,4",
    ]  # fmt: skip
    wrong = penstock(folder, "sweep", "analyse", "--result", "T_ot")
    assert (wrong.returncode, "did you mean 'T_out'" in wrong.stderr) == (2, True)


def test_variables_and_results_are_completed(ran: Path) -> None:
    words = {
        "COMP_WORDS": "penstock sweep analyse --by T",
        "COMP_CWORD": "4",
        "_PENSTOCK_COMPLETE": "bash_complete",
    }
    command = [sys.executable, "-m", "penstock"]
    done = subprocess.run(command, cwd=ran, env={**os.environ, **words}, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["plain,T", "plain,T_out"]


def test_outside_of_a_sweep_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    told = penstock(tmp_path, "sweep", "plan")
    assert (told.returncode, told.stdout) == (2, "")
    assert "write one with `penstock sweep new`" in told.stderr
    alone = penstock(tmp_path, "sweep")
    assert (alone.returncode, "Commands:" in alone.stdout) == (0, True)


def test_a_program_that_only_the_cluster_of_the_definition_has_is_not_looked_for_here(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    (folder / "model").unlink()
    assert penstock(folder, "init", "sweep", ".", "--program", "model").returncode == 0
    definition = folder / "penstock.toml"
    text = definition.read_text().replace("[campaign]", '[campaign]\nsite = "far"')
    definition.write_text(text + '[site.far]\nhost = "nowhere.invalid"\nscheduler = "slurm"\n')
    told = penstock(folder, "sweep", "submit")
    assert "is neither in" not in told.stderr
    assert penstock(folder, "down").returncode == 0
    assert penstock(folder, "sweep", "submit", "--site", "local").stderr.count("is neither in") == 1
