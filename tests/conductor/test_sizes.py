"""Large jobs at a cluster: what stages ask for reaches the scheduler, and a partition is chosen by size."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conductor.grid import COPY, Grid

from penstock.conductor.plan import plan
from penstock.errors import DefinitionError, SubmitRejected
from penstock.testing import Outcome, Run

PARTITIONS = (
    'partitions = [{ name = "short", max_walltime = "1h" }, { name = "long", max_walltime = "1d" },'
    ' { name = "gpu", max_walltime = "2h", gpus = 4 }]\n'
)


@pytest.fixture
def grid(tmp_path: Path) -> Any:
    """A function that makes a campaign on a pretended cluster."""
    return lambda stages=COPY, **options: Grid(tmp_path, stages, **options)


def sized(resources: str, more: str = "") -> str:
    return COPY + f"resources = {{ {resources} }}\n" + more


def requests(it: Any) -> list[dict[str, Any]]:
    return [json.loads(row[0]) for row in it.rows("SELECT request FROM job ORDER BY id")]


def test_gpus_and_disks_of_all_workers_are_asked_for(grid: Any) -> None:
    it = grid(sized('gpus = "a100:2", scratch_disk = "1GiB"', "workers = 2\n"))
    assert it.run().code == 0
    assert [(r["gpus"], r["gpu_type"], r["scratch_disk_bytes"]) for r in requests(it)] == [(4, "a100", 2**31)]


def test_a_program_of_several_processes_gets_its_nodes(grid: Any) -> None:
    it = grid(sized("nodes = 2, tasks_per_node = 4, cpus = 3, exclusive = true"))
    assert it.run().code == 0
    asked = requests(it)[0]
    assert [asked[key] for key in ("nodes", "tasks_per_node", "cpus", "exclusive")] == [2, 4, 3, True]


def test_a_program_of_several_processes_has_no_workers(grid: Any) -> None:
    with pytest.raises(DefinitionError, match="leave `workers` at 1"):
        grid(sized("nodes = 2", "workers = 2\n")).run()


@pytest.mark.parametrize(
    ("resources", "queue"),
    [('walltime = "10min"', "short"), ('walltime = "2h"', "long"), ('walltime = "10min", gpus = 1', "gpu")],
)
def test_a_job_goes_to_the_first_partition_that_is_large_enough(
    grid: Any, resources: str, queue: str
) -> None:
    it = grid(sized(resources), site=PARTITIONS)
    assert it.run().code == 0
    assert {asked["queue"] for asked in requests(it)} == {queue}


def test_more_time_for_a_retry_leads_to_another_partition(grid: Any) -> None:
    def slow(run: Run) -> Outcome:
        return (
            Outcome(seconds=2400.0) if run.number == 1 and run.key.endswith("0") else Outcome(seconds=600.0)
        )

    it = grid(
        sized('walltime = "30min"', "batch = 1\n").replace("batch = 2\n", ""),
        site=PARTITIONS,
        units=2,
        rule=slow,
    )
    assert it.run().code == 0
    assert [asked["queue"] for asked in requests(it)] == ["short", "long"]


def test_a_stage_that_no_partition_takes_is_paused_before_anything_is_submitted(grid: Any) -> None:
    it = grid(sized("gpus = 8"), site=PARTITIONS)
    ending = it.run()
    assert ending.code == 1
    assert "no partition of site 'pretend' takes a job of" in ending.lines[0]
    assert it.rows("SELECT count(*) FROM job") == [(0,)]


def test_the_dry_run_says_that_no_partition_takes_a_stage(grid: Any) -> None:
    it = grid(sized("gpus = 8"), site=PARTITIONS)
    with pytest.raises(SubmitRejected, match="takes a job of 8 GPUs"):
        plan(it.made.load(), clock=it.clock)


def test_jobs_with_a_prefix_to_their_names_are_followed_like_others(grid: Any) -> None:
    it = grid(COPY, site='name_prefix = "lab42-"\n', queue_s=600.0)
    assert it.run().code == 0
    assert all(job.name.startswith("lab42-p") for job in it.cluster.jobs)
