"""LAMMPS on two MPI ranks, swept: the table is that of a loop by hand."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.workflows.sweep.test_campaign import penstock

from penstock.workflows.sweep import read_results

# `${T}` is LAMMPS' own, and set by -var; what stands between << and >> is the sweep's
INPUT = """\
# a Lennard-Jones liquid
variable T index 1.0
units lj
atom_style atomic
lattice fcc <<density>>
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create ${T} 87287
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
fix 1 all nve
thermo 10
run 50
"""
PROGRAM = """\
[program]
executable = "lmp"
launcher = "{launcher}"
cpus = 2
arguments = ["-in", "in.lmp", "-var", "T", "<<T>>", "-log", "log.lammps"]
delimiters = ["<<", ">>"]
products = ["log.lammps"]

[input."in.lmp"]

[variable]
T = {{ type = "float", above = 0 }}
density = {{ type = "float", above = 0 }}

[result.temperature]
file = "log.lammps"
regex = '^ +50 +(\\S+)'

[result.energy]
file = "log.lammps"
regex = '^ +50(?: +\\S+){{3}} +(\\S+)'
"""
SWEEP = '[sweep]\nprogram = "lj"\n[vary]\nT = [0.8, 1.44, "2"]\ndensity = [0.8442, 0.7]\n'


def launcher() -> list[str]:
    """Return what starts two ranks here."""
    if not shutil.which("lmp") or not shutil.which("mpirun.openmpi"):
        pytest.skip("LAMMPS is not installed with Open MPI")
    as_root = ["OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"] if os.geteuid() == 0 else []
    return ["env", *as_root, "mpirun.openmpi", "--oversubscribe", "-n"]


@pytest.mark.slow
def test_a_sweep_of_lammps_on_two_ranks_is_a_loop_by_hand(tmp_path: Path) -> None:
    start = launcher()
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs/lj.toml").write_text(PROGRAM.format(launcher=" ".join([*start, "{cpus}"])))
    (tmp_path / "programs/in.lmp").write_text(INPUT)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    done = penstock(tmp_path, "sweep", "submit", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    results = read_results(tmp_path)
    swept = {(row["T"], row["density"]): (row["temperature"], row["energy"]) for row in results.rows}
    by_hand = {}
    for T in ("0.8", "1.44", "2"):
        for density in ("0.8442", "0.7"):
            folder = tmp_path / f"by-hand-{T}-{density}"
            folder.mkdir()
            (folder / "in.lmp").write_text(INPUT.replace("<<density>>", density))
            subprocess.run(
                [*start, "2", "lmp", "-in", "in.lmp", "-var", "T", T],
                cwd=folder,
                check=True,
                capture_output=True,
            )
            log = (folder / "log.lammps").read_text()
            assert "1 by 1 by 2 MPI processor grid" in log
            last = re.findall(r"^ +50 .*", log, re.MULTILINE)[-1].split()
            by_hand[T, density] = (last[1], last[4])
    assert swept == by_hand
    assert len(set(by_hand.values())) == 6
    assert all("1 by 1 by 2 MPI" in path.read_text() for path in tmp_path.glob("runs/*/log.lammps"))
