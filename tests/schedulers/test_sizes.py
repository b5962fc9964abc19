"""What large jobs ask for, in each scheduler's words: GPUs, several nodes, memory by core, reservations."""

import pytest

from penstock.campaign import Site
from penstock.schedulers import gridengine, lsf, pbs, slurm, torque
from penstock.schedulers.model import Request

GIB = 2**30
MPI = Request("pabc", 1, cpus=2, memory_bytes=8 * GIB, nodes=3, tasks_per_node=4, exclusive=True)
GPUS = Request("pabc", 1, cpus=4, gpus=2, gpu_type="a100", scratch_disk_bytes=50 * GIB)


def head(adapter, request, **site):
    return " ".join(line.split(" ", 1)[1] for line in adapter.directives(request, Site("hpc", **site)))


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (slurm, ["--nodes=3", "--ntasks=12", "--ntasks-per-node=4", "--cpus-per-task=2", "--mem=8192M", "--exclusive"]),
        (pbs, ["-l select=3:ncpus=8:mpiprocs=4:mem=8192mb", "-l place=scatter:excl"]),
        (torque, ["-l nodes=3:ppn=8"]),
        (lsf, ["-n 12", "span[ptile=4]", "affinity[core(2)]", "-x"]),
    ],
)  # fmt: skip
def test_a_program_of_several_processes_gets_its_nodes(adapter, words):
    assert [word for word in words if word not in head(adapter, MPI)] == []


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (slurm, ["--gres=gpu:a100:2", "--tmp=51200M", "--nodes=1", "--ntasks=1"]),
        (pbs, ["select=1:ncpus=4:ngpus=2"]),
        (torque, ["-l nodes=1:ppn=4:gpus=2"]),
        (lsf, ['-gpu "num=2:gmodel=a100"', "rusage[tmp=51200MB]", "span[hosts=1]"]),
    ],
)
def test_gpus_and_disks_are_asked_for(adapter, words):
    assert [word for word in words if word not in head(adapter, GPUS)] == []


def test_a_small_job_asks_for_nothing_of_this():
    for adapter in (slurm, pbs, torque, gridengine, lsf):
        said = head(adapter, Request("pabc", 1))
        assert not any(word in said for word in ("gpu", "exclusive", "tmp", "place", "ntasks-per-node", "-x"))


def test_processes_on_one_node_of_grid_engine_share_its_slots():
    said = head(gridengine, Request("pabc", 1, cpus=2, tasks_per_node=4, memory_bytes=8 * GIB))
    assert "-pe smp 8" in said
    assert "-l h_vmem=1024M" in said


def test_memory_is_asked_for_by_core_where_a_site_wants_that():
    said = head(slurm, MPI, memory_per_cpu=True)
    assert "--mem-per-cpu=1024M" in said
    assert "--mem=" not in said


def test_what_a_site_has_for_its_own_rules_is_said():
    site = {"reservation": "beam time", "licences": ("matlab:1", "idl"), "comment": "night shift"}
    said = head(slurm, Request("pabc", 1), **site)
    assert "--reservation='beam time'" in said
    assert "--licenses=matlab:1,idl" in said
    assert "--comment='night shift'" in said
    assert "-U R7 " in head(lsf, Request("pabc", 1), reservation="R7", comment="x") + " "
    assert "-ar 17" in head(gridengine, Request("pabc", 1), reservation="17")


@pytest.mark.parametrize("adapter", [slurm, pbs, torque, gridengine])
def test_the_queue_that_was_chosen_by_size_counts_before_the_sites_own(adapter):
    said = head(adapter, Request("pabc", 1, queue="large"), queue="small")
    assert "large" in said
    assert "small" not in said


@pytest.mark.parametrize(
    ("adapter", "site", "words"),
    [
        (pbs, {"queue": "R17"}, ["-q R17"]),
        (pbs, {"account": "lab42"}, ["-A lab42"]),
        (torque, {"queue": "long"}, ["-q long"]),
        (lsf, {"comment": "night shift", "reservation": "R7"}, ["-Jd", "night shift", "-U R7"]),
        (gridengine, {"reservation": "17"}, ["-ar 17"]),
    ],
)
def test_each_scheduler_has_its_own_words_for_the_rules_of_a_site(adapter, site, words):
    assert [word for word in words if word not in head(adapter, MPI, **site)] == []


@pytest.mark.parametrize("adapter", [slurm, pbs, torque, gridengine, lsf])
def test_a_prefix_is_in_the_name_that_a_job_gets(adapter):
    request = Request("lab42-pabc", 1)
    command = adapter.submit("script.sh", request, Site("hpc"))
    assert any("lab42-pabc" in word for word in [*command, *adapter.directives(request, Site("hpc"))])
