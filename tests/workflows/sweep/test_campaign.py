"""A campaign of a sweep, from its definition to its results."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.errors import DefinitionError
from penstock.workflows.sweep import plugin
from penstock.workflows.sweep.campaign import begin_campaign, lay_out
from penstock.workflows.sweep.program import READY
from penstock.workflows.sweep.programfile import read_program


def campaign(bench, sweep: str = "repeat = 2\n[vary]\nT = [3, 5]") -> Path:
    folder = bench.ready(sweep)
    begin_campaign(folder, "model")
    return folder


def penstock(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def states(folder: Path) -> dict[str, int]:
    told = json.loads(penstock(folder, "status", "--json").stdout)
    run = next(stage for stage in told["stages"] if stage["name"] == "run")
    return {state: count for state, count in run["tasks"].items() if count} | {"stale": run["stale"]}


def test_every_point_runs_once_and_an_extended_sweep_runs_the_new_ones(bench) -> None:
    folder = campaign(bench)
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    assert [(row["T"], row["seed"], row["T_out"], row["seed_out"]) for row in rows(folder)] == [
        (T, seed, T, seed) for T in "35" for seed in "12"
    ]
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/out.dat")}
    bench.sweep("repeat = 1\n[vary]\nT = [3, 5, 7]\np = [5, 6]")
    assert lay_out(folder).changes == {"new": 4, "kept": 2, "dropped": 2}
    assert penstock(folder, "run").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert states(folder) == {"done": 8, "stale": 0}
    assert "src=" in (folder / "index.html").read_text()


def test_what_is_dropped_is_told_from_what_is_planned_though_nothing_runs(bench) -> None:
    folder = campaign(bench)
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    assert {row["planned"] for row in rows(folder)} == {"true"}
    bench.sweep("repeat = 2\n[vary]\nT = [5]")
    assert lay_out(folder).changes == {"new": 0, "kept": 2, "dropped": 2}
    assert penstock(folder, "run").returncode == 0
    assert [(row["T"], row["planned"]) for row in rows(folder)] == [
        (T, {"3": "false", "5": "true"}[T]) for T in "3355"
    ]
    page = (folder / "index.html").read_text()
    assert "<dt>left out, as no more planned</dt><dd>2</dd>" in page


def test_a_point_that_fails_leaves_the_others_and_its_row_out(bench) -> None:
    folder = campaign(bench, "[vary]\nT = [3, 4]")
    lay_out(folder)
    assert penstock(folder, "run").returncode == 1
    assert [row["T_out"] for row in rows(folder)] == ["3"]
    assert "<dt>without results</dt><dd>1</dd>" in (folder / "index.html").read_text()


def test_other_inputs_or_another_executable_make_results_stale_and_nothing_else_does(bench) -> None:
    folder = campaign(bench, "[vary]\nT = [3, 5]")
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    assert states(folder) == {"done": 2, "stale": 0}
    before = (folder / "model").read_text()
    (folder / "model").write_text(before + "# built again\n")
    penstock(folder, "run")
    assert states(folder) == {"done": 2, "stale": 2}
    (folder / "model").write_text(before)
    penstock(folder, "run")
    assert states(folder) == {"done": 2, "stale": 0}
    template = folder / "programs/in.txt"
    template.write_text(template.read_text().replace("<<label>>", "other <<label>>"))
    lay_out(folder)
    penstock(folder, "run")
    assert states(folder) == {"done": 2, "stale": 2}


def test_nothing_is_written_where_something_is_wrong(bench) -> None:
    folder = campaign(bench)
    bench.sweep("[vary]\nT = [0]")
    with pytest.raises(DefinitionError, match="not above 0"):
        lay_out(folder)
    assert not (folder / "points.csv").exists()
    assert not (folder / "inputs").exists()


def test_the_commands_show_and_extend(bench) -> None:
    folder = campaign(bench)
    shown = CliRunner().invoke(plugin.group, ["plan", str(folder)])
    assert shown.output.splitlines()[0] == "4 points of model"
    assert shown.output.splitlines()[-1] == "4 new, 0 there already, 0 no more planned"
    assert not (folder / "points.csv").exists()
    done = CliRunner().invoke(plugin.group, ["extend", str(folder)])
    assert done.output.startswith("4 new, 0 there already, 0 no more planned; next: cd ")
    assert len(list(folder.glob("inputs/*/in.txt"))) == 4


@pytest.mark.parametrize("name", ["netmc", "triangle_raft", "netmc_pores", "ising"])
def test_a_campaign_of_a_ready_made_program_begins_with_a_sweep_to_edit(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "new"
    done = CliRunner().invoke(plugin.init, [str(folder), "--program", name])
    assert done.exit_code == 0, done.output
    assert lay_out(folder).changes == {"new": 1, "kept": 0, "dropped": 0}
    for beside in read_program(READY / f"{name}.toml").beside:
        assert f"needs '{beside}'" in penstock(folder, "check").stderr
        (folder / beside).mkdir()
        (folder / beside / "1").touch()
    assert penstock(folder, "check").returncode == 0
    with pytest.raises(DefinitionError, match="already exists"):
        begin_campaign(folder, name)


def test_numbers_found_by_another_rule_are_taken_out_of_what_is_here(bench) -> None:
    folder = campaign(bench, "[vary]\nT = [3, 5]")
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    program = folder / "programs/model.toml"
    program.write_text(program.read_text().replace("column = 1", "column = 2"))
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    assert states(folder) == {"done": 2, "stale": 0}
    assert [row["T_out"] for row in rows(folder)] == ["1", "1"]
    assert penstock(folder, "sweep", "list").stderr == ""


def test_points_whose_numbers_are_in_a_file_that_is_not_here_are_told_and_run_again_on_request(bench) -> None:
    folder = campaign(bench, "[vary]\nT = [3, 5]")
    with (folder / "model").open("a") as file:
        file.write('echo "energy $T" > dump.txt\n')
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    with (folder / "programs/model.toml").open("a") as file:
        file.write('[result.energy]\nfile = "dump.txt"\nregex = "energy (.*)"\n')
    lay_out(folder)
    assert penstock(folder, "run").returncode == 0
    assert states(folder) == {"done": 2, "stale": 0}
    told = penstock(folder, "sweep", "list").stderr
    assert "2 of these are stale, such as T=3-" in told
    assert ": energy is found by another rule now, in a file that is not here; " in told
    assert penstock(folder, "sweep", "retry", "--missing").returncode == 0
    assert penstock(folder, "run").returncode == 0
    assert [row["energy"] for row in rows(folder)] == ["3", "5"]
    assert penstock(folder, "sweep", "list").stderr == ""


BUILT = """
[program]
executable = "model"
sources = ["model.sh"]
build = ["cp model.sh model", "chmod +x model"]
beside = ["seeds"]
products = ["out.dat"]
[input."in.txt"]
[variable.T]
type = "int"
[result.sum]
file = "out.dat"
column = 1
type = "int"
"""


def test_a_program_is_built_and_results_are_stale_when_a_source_or_what_stands_beside_changes(bench) -> None:
    folder = bench.folder
    bench.program(BUILT, "{T}\n")
    (folder / "model.sh").write_text("#!/bin/sh\necho $(($(cat in.txt) + $(cat seeds/*))) > out.dat\n")
    (folder / "seeds").mkdir()
    (folder / "seeds/a").write_text("10\n")
    bench.sweep("[vary]\nT = [3, 5]")
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 0
    assert [row["sum"] for row in rows(folder)] == ["13", "15"]
    assert not (folder / "model").exists()
    assert states(folder) == {"done": 2, "stale": 0}
    (folder / "seeds/b").write_text("+ 1\n")
    penstock(folder, "run")
    assert states(folder) == {"done": 2, "stale": 2}
    assert penstock(folder, "run", "--stale").returncode == 0
    assert [row["sum"] for row in rows(folder)] == ["14", "16"]
    with (folder / "model.sh").open("a") as file:
        file.write("# another\n")
    penstock(folder, "run")
    assert states(folder) == {"done": 2, "stale": 2}


@pytest.mark.slow
def test_the_demonstration_ends_with_a_page_of_the_transition(tmp_path: Path) -> None:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    done = penstock(tmp_path, "demo", "sweep", "ising")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "ising/index.html").read_text()
    assert re.findall(r'<img alt="([\w-]+)"', page) == [
        "energy", "energy-map", "magnetisation", "magnetisation-map",
    ]  # fmt: skip
    assert page.count("<td>3</td>") == 66
