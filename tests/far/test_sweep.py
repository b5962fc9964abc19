"""A sweep whose points run at a machine that shares nothing with this one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.desk import Desk
from tests.far.lab import Lab
from tests.far.misfortunes import run_through
from tests.far.rig import Rig
from tests.sshd import HOST

from penstock.workflows.sweep.program import READY

POINTS = 60
SWEEP = """
[sweep]
program = "ising"
repeat = 5

[vary]
temperature = { start = 1.7, stop = 2.8, step = 0.1 }

[set]
size = 4

[derive]
sweeps = "2000000 if temperature == 1.7 and seed == 1 else 20000"
"""
SITE = f'\n[site.far]\nhost = "{HOST}"\nvisibility = "2s"\nworkdir = "~/penstock"\n'


def begin(lab: Lab, sweep: str, site: str = "", *words: str) -> Lab:
    """Set a sweep of the Ising model up as a person does."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    lab.root.mkdir(exist_ok=True)
    (lab.root / "sweep.toml").write_text(sweep)
    assert lab.penstock("init", "sweep", ".", "--program", "ising", *words).returncode == 0
    definition = lab.root / "penstock.toml"
    text = definition.read_text().replace("[campaign]", '[campaign]\nsite = "far"')
    definition.write_text(f"{text}{SITE}{site}\n")
    assert lab.penstock("sweep", "extend", ".").returncode == 0
    return lab


def results(root: Path) -> Mapping[str, bytes]:
    """Return what the points left, and the table."""
    made = [*(path for path in root.glob("runs/*/*") if path.is_file()), root / "results.csv"]
    return {str(path.relative_to(root)): path.read_bytes() for path in made}


def expected(lab: Lab, root: Path) -> Mapping[str, bytes]:
    """Return the same of a run on this machine alone."""
    assert lab.penstock("sweep", "copy", ".", str(root)).returncode == 0
    alone = Lab(root, lab.config, lab.state)
    if (lab.root / "ising").exists():
        alone.penstock("init", "sweep", ".", "--program", "ising", "--executable", "ising")
    done = alone.penstock("sweep", "submit", ".", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    return results(root)


def test_a_sweep_has_the_bytes_of_a_local_run_whatever_happens(
    rig_slurm: Rig, lab_at: Callable[[Rig], Lab], tmp_path: Path
) -> None:
    lab = lab_at(rig_slurm)
    lab.root.mkdir()
    subprocess.run(["cc", "-O2", "-o", lab.root / "ising", READY / "ising.c", "-lm"], check=True)
    begin(lab, SWEEP, 'scheduler = "slurm"', "--executable", "ising")
    run_through(
        lab,
        rig_slurm,
        large="runs/.temperature=1.7_seed=1_*/*",
        finished=lambda: len([*lab.root.glob("runs/[!.]*")]),
        of=POINTS,
    )
    assert lab.states() == {"done": POINTS + 1}
    assert len(results(lab.root)) == 2 * POINTS + 1
    assert results(lab.root) == expected(lab, tmp_path / "alone")


def test_a_program_that_is_built_there_gives_what_one_that_is_built_here_gives(
    lab: Lab, desk: Desk, tmp_path: Path
) -> None:
    begin(lab, '[sweep]\nprogram = "ising"\nrepeat = 2\n[vary]\nsize = [4, 8]\n')
    lab.login()
    done = lab.penstock("sweep", "submit", ".", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (lab.root / "ising").exists()
    assert results(lab.root) == expected(lab, tmp_path / "alone")


DUMPING = """#!/bin/sh
T=$(cat in.txt)
cat seed/first.txt seed/more/second.txt > out.dat || exit 3
echo $T >> out.dat
seq "$T"00000 > dump.bin
echo "energy -$T" >> dump.bin
"""
PROGRAM = """
[program]
executable = "dump"
beside = ["seed"]
products = ["*.dat", "dump.bin"]
fetch = ["*.dat"]

[input."in.txt"]

[variable.T]
type = "int"

[result.energy]
file = "dump.bin"
regex = "energy (.*)"
[result.twice]
python = "extract:twice"
"""
EXTRACT = "def twice(folder):\n    return 2 * int((folder / 'out.dat').read_text().split()[2])\n"


def dumping(lab: Lab, site: str) -> Lab:
    """A sweep whose program leaves far more than what is asked for."""
    for name, text in {
        "dump": DUMPING,
        "seed/first.txt": "1\n",
        "seed/more/second.txt": "2\n",
        "extract.py": EXTRACT,
        "programs/dump.toml": PROGRAM,
        "programs/in.txt": "{T}\n",
        "sweep.toml": '[sweep]\nprogram = "dump"\n[vary]\nT = [1, 2, 3]\n',
    }.items():
        (lab.root / name).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / name).write_text(text)
    (lab.root / "dump").chmod(0o755)
    done = lab.penstock("init", "sweep", ".", "--program", "dump")
    assert done.returncode == 0, done.stderr
    with (lab.root / "penstock.toml").open("a") as definition:
        definition.write(SITE + site)
    return lab


def test_a_dump_stays_there_and_the_table_is_complete(lab: Lab, desk: Desk) -> None:
    dumping(lab, "")
    lab.login()
    done = lab.penstock("sweep", "submit", "--site", "far", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in lab.root.glob("runs/*/*")} == {"out.dat", "values.json"}
    table = (lab.root / "results.csv").read_text().splitlines()
    assert [line.split(",")[2:] for line in table] == [
        ["T", "energy", "twice"], ["1", "-1", "2"], ["2", "-2", "4"], ["3", "-3", "6"],
    ]  # fmt: skip
    assert not (lab.root / "rest").exists()
    there = lab.rows("SELECT path FROM location")
    assert {path.partition("/")[0] for (path,) in there} == {"rest"}
    assert "3 of 3 points are here" in lab.penstock("sweep", "receive").stdout
    listed = lab.penstock("sweep", "list", "energy < -1")
    assert [line.split()[:4] for line in listed.stdout.splitlines()[1:]] == [
        ["done", n, f"-{n}", f"{2 * int(n)}"] for n in "23"
    ]
    assert "3 points; see" in lab.penstock("sweep", "analyse").stdout
    assert lab.penstock("fetch", "--file", "rest/T=2*").returncode == 0
    assert [path.name for path in lab.root.glob("rest/*/*")] == ["dump.bin"]
