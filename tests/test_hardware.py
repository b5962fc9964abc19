"""What of a machine may be used: by its control groups, in an allocation of a scheduler, by its devices."""

import os
from pathlib import Path

import pytest

from penstock.hardware import (
    Amounts,
    allocated_nodes,
    count_cores,
    find_devices,
    group_folders,
    measure_memory,
    numbers,
    quotas,
)

MB = 1 << 20


def test_the_groups_above_count_too(tmp_path: Path) -> None:
    new = group_folders("cpu", "0::/user/me\n", tmp_path)
    assert list(new) == [tmp_path / "user/me", tmp_path / "user", tmp_path]
    old = group_folders("memory", "3:cpu,cpuacct:/a\n4:memory:/b\n", tmp_path)
    assert list(old) == [tmp_path / "memory/b", tmp_path / "memory"]


def test_quotas_are_read_in_both_versions(tmp_path: Path) -> None:
    new, old, none = (tmp_path / name for name in ("new", "old", "none"))
    for folder in (new, old, none):
        folder.mkdir()
    (new / "cpu.max").write_text("250000 100000\n")
    (old / "cpu.cfs_quota_us").write_text("400000\n")
    (old / "cpu.cfs_period_us").write_text("100000\n")
    (none / "cpu.max").write_text("max 100000\n")
    assert list(quotas([new, old, none, tmp_path / "missing"])) == [2.5, 4.0]


def test_no_limit_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("-1\n")
    assert list(numbers(tmp_path / "limit")) == []
    assert list(numbers(tmp_path / "missing")) == []


@pytest.mark.parametrize(
    "environment",
    [
        {"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "1"},
        {"PBS_JOBID": "7", "NCPUS": "1"},
        {"PBS_JOBID": "7", "PBS_NUM_PPN": "1"},
        {"SGE_TASK_ID": "undefined", "NSLOTS": "1"},
    ],
)
def test_an_allocation_limits_the_cores(environment: dict[str, str]) -> None:
    assert count_cores(environment) == 1


def test_without_an_allocation_a_variable_means_nothing() -> None:
    assert count_cores({"NSLOTS": "1"}) == count_cores({}) <= len(os.sched_getaffinity(0))


def test_an_allocation_limits_the_memory() -> None:
    assert measure_memory({"SLURM_MEM_PER_NODE": "100"}) == 100 * MB
    assert measure_memory({"SLURM_MEM_PER_CPU": "30", "SLURM_CPUS_ON_NODE": "2"}) == 60 * MB
    assert measure_memory({"SLURM_MEM_PER_NODE": "0"}) == measure_memory({}) > 100 * MB


def test_devices_are_those_given_or_those_there(tmp_path: Path) -> None:
    for name in ("nvidia10", "nvidia0", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert find_devices({}, tmp_path) == ["0", "10"]
    assert find_devices({"CUDA_VISIBLE_DEVICES": "3,5"}, tmp_path) == ["3", "5"]
    assert find_devices({"CUDA_VISIBLE_DEVICES": ""}, tmp_path) == []
    assert find_devices({"SLURM_JOB_GPUS": "2"}, tmp_path) == ["2"]


def test_amounts_fit_when_each_of_them_does() -> None:
    room = Amounts(4, 10, 1)
    assert Amounts(4, 10, 1) <= room
    assert not any(one <= room for one in (Amounts(5), Amounts(0, 11), Amounts(0, 0, 2)))
    assert Amounts(1, 9) + Amounts(2, 1, 1) <= room
    assert Amounts(1, 9) | Amounts(2, 1, 1) == Amounts(2, 9, 1)
    assert [room.holds(one) for one in (Amounts(1), Amounts(1, 3), Amounts(1, 1, 1), Amounts(9))] == [
        4,
        3,
        1,
        1,
    ]


def test_the_nodes_of_an_allocation_are_read_as_slurm_writes_them() -> None:
    text = {"SLURM_JOB_NODELIST": "n[08-10,12],gpu-1,r[1-2]i0", "SLURM_JOB_CPUS_PER_NODE": "2(x3),4,8(x3)"}
    assert allocated_nodes(text) == {"n08": 2, "n09": 2, "n10": 2, "n12": 4, "gpu-1": 8, "r1i0": 8, "r2i0": 8}
    assert allocated_nodes({**text, "SLURM_JOB_CPUS_PER_NODE": "2"}) == {}
    assert allocated_nodes({}) == {}
