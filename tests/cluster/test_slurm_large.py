"""Large jobs on real Slurm: GPUs, programs of several processes, partitions; and an allocation of one's own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from tests.cluster.daemon import is_named
from tests.cluster.lab import Lab
from tests.cluster.slurm import Slurm
from tests.until import until

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


SLOW = """
[stage.slow]
each = "unit"
command = ["sh", "-c", "echo $0 $SLURMD_NODENAME >> runs; sleep 2; echo $0 > $1", "{unit}", "{product}"]
products = "slow/{unit}"
batch = 1
resources = { cpus = 2 }
"""


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


def test_work_of_an_allocation_goes_on_when_what_started_its_runners_is_killed(
    slurm_gpus: Slurm, tmp_path: Path
) -> None:
    lab = Lab(tmp_path, slurm_gpus, "slurm").define(SLOW, units=6)
    runs = tmp_path / "runs"
    with ThreadPoolExecutor() as threads:
        ended = threads.submit(slurm_gpus.run, *ALLOCATE, *RUN, user="root", cwd=tmp_path, timeout=120.0)
        until(
            lambda: ended.done() or (runs.exists() and {"g1", "g2"} <= {*runs.read_text("utf-8").split()}),
            "both nodes work",
        )
        killed = kill_steps(slurm_gpus)
        assert ended.result().returncode == 0, ended.result().stdout
    assert killed
    assert lab.states("slow") == {"done": 6}
    assert words(tmp_path, "slow/*") == [[str(unit)] for unit in range(1, 7)]
    assert 6 < len(runs.read_text("utf-8").splitlines()) <= 6 + 2 * killed
    assert lab.penstock("ledger", "check", "--products").returncode == 0
    until(lambda: not left_by(tmp_path), "no runner is left", 10.0)


ALLOCATE = ("salloc", "--nodes=2", "--ntasks=4", "--ntasks-per-node=2")
RUN = (sys.executable, "-m", "penstock", "run", "--site", "local")


def kill_steps(cluster: Slurm) -> int:
    """Kill all `srun` of a cluster, as a full memory does; return how many these were."""
    found = [
        process for process in psutil.process_iter() if is_named(process, "srun") and is_of(process, cluster)
    ]
    for process in found:
        process.kill()
    return len(found)


def is_of(process: psutil.Process, cluster: Slurm) -> bool:
    """Whether a process asks this cluster; one that has ended asks nobody."""
    try:
        return cluster.env.items() <= process.environ().items()
    except psutil.NoSuchProcess:
        return False


def left_by(root: Path) -> list[list[str]]:
    """Return the commands of runners that are still at work for a campaign."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(word.startswith(f"{root}/.penstock/jobs/") for word in line)]
