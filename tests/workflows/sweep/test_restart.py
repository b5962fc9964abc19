"""A run that was interrupted goes on where it was, and a program may be started by a launcher."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.workflows.sweep.test_campaign import penstock
from tests.workflows.sweep.test_ising import executable as executable  # a fixture

from penstock.errors import DefinitionError
from penstock.workflows.sweep import plan_sweep, read_program, read_sweep
from penstock.workflows.sweep.program import READY

SLOW = """#!/bin/sh
echo "$@" >> {log}
if [ "$1" = --again ]; then cat state.txt deep/*/more.txt > out.dat; exit 0; fi
echo half > state.txt
mkdir -p deep/er
echo more > deep/er/more.txt
exec sleep 60
"""
RESTART = 'restart = { files = ["state.txt", "deep"], args = ["--again"] }'


def head(bench, lines: str) -> None:
    program = bench.folder / "programs/model.toml"
    program.write_text(program.read_text().replace("[program]", f"[program]\n{lines}"))


def test_an_attempt_after_a_timeout_goes_on_with_the_files_of_the_one_before(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    head(bench, RESTART)
    log = folder / "starts.log"
    (folder / "model").write_text(SLOW.format(log=log))
    assert penstock(folder, "init", "sweep", ".", "--program", "model").returncode == 0
    definition = folder / "penstock.toml"
    definition.write_text(
        definition.read_text().replace("scratch = true", 'scratch = true\nresources = { walltime = "2s" }')
    )
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 0
    assert log.read_text() == "\n--again\n"
    assert next(folder.glob("runs/*/out.dat")).read_text() == "half\nmore\n"
    assert not list((folder / "restart").iterdir()), "nothing of it is needed any more"


def test_the_ising_model_leaves_the_bytes_of_a_run_that_nobody_interrupted(
    executable: Path, tmp_path: Path
) -> None:
    program = read_program(READY / "ising.toml")
    given = {"size": "64", "sweeps": "2500", "warm_up": "200", "temperature": "2.3"}
    values = program.defaults() | {name: program.variables[name].read(text) for name, text in given.items()}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
        (folder / "ising.inpt").write_bytes(program.render(values)["ising.inpt"])
    subprocess.run([executable], cwd=whole, check=True)
    out, interruptions = parts / "ising.out", 0
    for _ in range(50):
        before = out.stat().st_size if out.exists() else 0
        run = subprocess.Popen([executable, *(["--restart"] if interruptions else [])], cwd=parts)
        while run.poll() is None and (not out.exists() or out.stat().st_size < before + 15_000):
            time.sleep(0.01)
        run.send_signal(signal.SIGTERM)
        if run.wait() == 0:
            break
        assert run.returncode == 128 + signal.SIGTERM
        interruptions += 1
    assert interruptions > 1
    assert out.read_bytes() == (whole / "ising.out").read_bytes()


def test_an_end_of_its_own_is_no_interruption(bench) -> None:
    """A program that fails by itself begins afresh: its files may be why it failed."""
    folder = bench.ready("[vary]\nT = [3]")
    head(bench, RESTART)
    log = folder / "starts.log"
    (folder / "model").write_text(f'#!/bin/sh\necho "$@" >> {log}\necho half > state.txt\nexit 3\n')
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 1
    assert set(log.read_text().splitlines()) == {""}
    assert not (folder / "restart").exists()


def test_the_launcher_stands_before_the_executable_with_the_cpus_of_a_run(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    head(bench, "launcher = \"env 'RANKS={cpus} x'\"\ncpus = 2")
    (folder / "model").write_text('#!/bin/sh\necho "3 1" > out.dat\necho "$RANKS" > ranks.out\n')
    head(bench, "")
    program = folder / "programs/model.toml"
    program.write_text(program.read_text().replace('["out.dat"]', '["out.dat", "ranks.out"]'))
    penstock(folder, "init", "sweep", ".", "--program", "model")
    definition = (folder / "penstock.toml").read_text()
    assert "resources = { cpus = 2 }" in definition
    assert penstock(folder, "sweep", "submit", "--wait").returncode == 0
    assert next(folder.glob("runs/*/ranks.out")).read_text() == "2 x\n"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("restart = { args = ['-r'] }", "names the files to go on with"),
        ("restart = { files = ['a'], arg = ['-r'] }", "'arg' is unknown"),
        ('launcher = "mpirun \'"', "cannot be split into words"),
    ],
)
def test_what_makes_no_sense_is_told(bench, lines: str, why: str) -> None:
    head(bench, lines)
    with pytest.raises(DefinitionError, match=why):
        bench.plan("[vary]\nT = [3]")


def test_without_arguments_of_its_own_a_restart_is_started_as_at_first(bench) -> None:
    folder = bench.ready("[vary]\nT = [3]")
    head(bench, 'arguments = ["<<T>>"]\nrestart = { files = ["*.chk"] }')
    assert penstock(folder, "sweep", "extend").returncode == 0
    spec = json.loads(next(folder.glob("inputs/*/job.jsonl")).read_text().splitlines()[0])
    assert spec["restart"] == {"args": ["3"], "files": ["*.chk"]}
    assert len(plan_sweep(read_sweep(folder / "sweep.toml")).rows) == 1
