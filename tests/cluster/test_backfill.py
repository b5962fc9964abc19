"""Backfill is submitted behind the user's other jobs, where a real scheduler knows such an order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cluster.base import Cluster
from tests.cluster.lab import Lab
from tests.until import until

STAGES = """
[stage.a]
each = "unit"
command = ["sleep", "{param.long}"]
params = { long = LONG }
batch_wait = "0s"
resources = { walltime = "3min" }
"""


def slurm_says(cluster: Cluster) -> dict[str, str]:
    """Return the nice values of all jobs that are not over, by name."""
    said = cluster.ask("squeue", "--noheader", "--format=%j %y")
    return dict(line.split() for line in said.splitlines())


def grid_engine_says(cluster: Cluster) -> dict[str, str]:
    """Return the priorities that jobs asked for, by name; one that asked for none has none."""
    listed = cluster.ask("qstat", "-u", "*").splitlines()[2:]
    told = [cluster.ask("qstat", "-j", line.split()[0]) for line in listed]
    return {
        name[1]: priority[1] if (priority := re.search(r"^priority: +(\S+)", text, re.M)) else "0"
        for text in told
        if (name := re.search(r"^job_name: +(\S+)", text, re.M))
    }


KINDS = [("slurm", slurm_says, "10000"), ("gridengine", grid_engine_says, "-1023")]


@pytest.mark.parametrize(("name", "ask", "last"), KINDS, ids=[name for name, *_ in KINDS])
def test_backfill_goes_behind_new_data_in_the_queue(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    name: str,
    ask: Callable[[Cluster], dict[str, str]],
    last: str,
) -> None:
    cluster: Cluster = request.getfixturevalue(name)
    lab = Lab(tmp_path, cluster, name).define(STAGES.replace("LONG", "0"), units=2)
    assert lab.penstock("run", "--site", "cluster").returncode == 0
    lab.define(STAGES.replace("LONG", "100"), units=3)
    tick = ("tick", "--site", "cluster")
    lab.penstock(*tick)
    said = lab.penstock("redo", "--stage", "a", "--limit", "2").stdout
    assert said.startswith("2 of 2 stale tasks will be redone"), said
    until(lambda: not lab.penstock(*tick).returncode and len(ask(cluster)) == 2, "both are in the queue")
    assert sorted(ask(cluster).values(), key=int) == sorted(["0", last], key=int)
    lab.penstock("cancel", "--all")
    until(lambda: not lab.penstock(*tick).returncode and not lab.ask("jobs"), "all is finished")
