"""Large jobs on real Slurm: GPUs, programs of several processes, partitions; and an allocation of one's own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.lab import Lab
from tests.cluster.slurm import Slurm

TOLD = """
[stage.told]
each = "unit"
command = ["sh", "-c", "echo $CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS $MKL_NUM_THREADS > $0; sleep 2", "{product}"]
products = "told/{unit}"
"""
PROGRAM = """
[stage.flow]
each = "unit"
command = ["sh", "-c", "srun sh -c 'echo $SLURMD_NODENAME $SLURM_PROCID $OMP_NUM_THREADS' > $0", "{product}"]
products = "flow/{unit}"
resources = { nodes = 2, tasks_per_node = 2, cpus = 2, memory = "100MB", walltime = "1min", exclusive = true }
"""
PARTITIONS = (
    'partitions = [{ name = "short", max_walltime = "60s" }, { name = "main", gpus = 4 }]\n'
    'name_prefix = "lab42-"\ncomment = "night shift"\n'
)


def words(root: Path, names: str) -> Sequence[list[str]]:
    """Return what stands in some products."""
    return sorted(path.read_text().split() for path in root.glob(names))


def test_each_worker_of_a_job_sees_a_gpu_of_its_own_and_has_its_threads(
    slurm_gpus: Slurm, tmp_path: Path
) -> None:
    resources = 'batch = 3\nworkers = 3\nresources = { gpus = "pretended:1", cpus = 2, walltime = "30s" }\n'
    lab = Lab(tmp_path, slurm_gpus, "slurm").define(TOLD + resources, units=3, site=PARTITIONS)
    assert lab.run() == 0, lab.said()
    assert words(tmp_path, "told/*") == [["0", "2", "2"], ["1", "2", "2"], ["2", "2", "2"]]
    assert "lab42-p" in slurm_gpus.run("squeue", "--states=all", "--noheader", "--format=%j %k").stdout


def test_a_stage_without_gpus_sees_none_of_them(slurm_gpus: Slurm, tmp_path: Path) -> None:
    lab = Lab(tmp_path, slurm_gpus, "slurm").define(
        TOLD + 'environment = { MKL_NUM_THREADS = "7" }\n', units=1
    )
    assert lab.run() == 0, lab.said()
    assert words(tmp_path, "told/*") == [["1", "7"]]


def test_a_program_of_several_processes_runs_on_its_nodes(slurm_gpus: Slurm, tmp_path: Path) -> None:
    lab = Lab(tmp_path, slurm_gpus, "slurm").define(PROGRAM, units=1)
    assert lab.run() == 0, lab.said()
    lines = sorted((tmp_path / "flow/1").read_text().splitlines())
    assert [line.split()[0] for line in lines] == ["g1", "g1", "g2", "g2"]
    assert sorted(line.split()[1] for line in lines) == ["0", "1", "2", "3"]
    assert {line.split()[2] for line in lines} == {"2"}


def test_a_run_in_an_allocation_uses_its_nodes(slurm_gpus: Slurm, tmp_path: Path) -> None:
    told = TOLD.replace("echo $CUDA", "echo $SLURMD_NODENAME $CUDA") + "batch = 1\nresources = { cpus = 2 }\n"
    lab = Lab(tmp_path, slurm_gpus, "slurm").define(told, units=4)
    command = [sys.executable, "-m", "penstock", "run", "--site", "local"]
    done = slurm_gpus.run(
        "salloc", "--nodes=2", "--ntasks=4", "--ntasks-per-node=2", *command, user="root", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = words(tmp_path, "told/*")
    assert {node for node, *_ in found} == {"g1", "g2"}
    assert [threads for _, *threads in found] == [["2", "2"]] * 4
    assert lab.states("told") == {"done": 4}
