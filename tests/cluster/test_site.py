"""What a person sees of real clusters, and what `penstock cancel` does there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cluster.base import Cluster
from tests.cluster.lab import Lab
from tests.until import until

STAGES = """
[stage.a]
each = "unit"
command = ["sh", "-c", "sleep 100; echo {unit}"]
batch = 1
batch_wait = "0s"
resources = { walltime = "3min" }
"""
CLUSTERS = [("slurm", "slurm"), ("gridengine", "gridengine"), ("torque", "torque")]


@pytest.fixture(params=CLUSTERS, ids=[name for name, _ in CLUSTERS])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    name, scheduler = request.param
    cluster: Cluster = request.getfixturevalue(name)
    return Lab(tmp_path, cluster, scheduler).define(STAGES, units=6)


def test_a_real_cluster_passes_its_test_and_nothing_stays_behind(lab: Lab) -> None:
    before = sorted(path.name for path in lab.root.iterdir() if path.name != "commands.log")
    done = lab.penstock("site", "test", "cluster", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["reached"], len(found["elements"])) == (True, 2), found
    assert "LEAKED" not in found["leaked"]
    assert all(abs(one["skew_s"]) < 2 and 0 <= one["queued_s"] < 60 for one in found["elements"]), found
    assert sorted(path.name for path in lab.root.iterdir() if path.name != "commands.log") == before


def test_what_is_cancelled_leaves_the_queue_also_when_nobody_works_on_it(lab: Lab) -> None:
    tick = ("tick", "--site", "cluster")
    for _ in range(2):
        assert lab.penstock(*tick).returncode == 0
    shown = lab.penstock("cancel", "--all").stdout
    assert "6 elements of 1 job cancelled at cluster" in shown, (
        shown + (lab.root / "commands.log").read_text()
    )
    until(lambda: not lab.penstock(*tick).returncode and not lab.ask("jobs"), "all is finished")
    assert lab.states("a") == {"failed": 6}
