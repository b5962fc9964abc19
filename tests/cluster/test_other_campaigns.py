"""The same campaign, unchanged, on Slurm without accounting, on Grid Engine, and by Torque's commands."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.cluster.base import Cluster
from tests.cluster.lab import Lab, most_in_a_minute
from tests.until import until

UNITS, BATCH = 120, 10
FAILING = [unit for unit in range(1, UNITS + 1) if unit % 20 == 7]

STAGES = f"""
[stage.a]
each = "unit"
command = ["sh", "work.sh", "{{unit}}", "{{product}}"]
products = "a/{{unit}}.txt"
batch = {BATCH}
workers = 2
retry = {{ error = 0 }}
resources = {{ walltime = "30s" }}
[stage.b]
each = "unit"
with = "a"
command = ["cp", "{{inputs.a}}", "{{product}}"]
products = "b/{{unit}}.txt"
resources = {{ walltime = "30s" }}
[stage.all]
each = "campaign"
after = ["b"]
members = "done"
command = ["sort", "-n", "-o", "{{product}}", "{{inputs.b}}"]
products = "all.txt"
"""
WORK = """\
[ $(($1 % 20)) = 7 ] && { echo "unit $1 is broken" >&2; exit 3; }
env | grep -q LEAKED && exit 9
sleep 0.2
echo "$1" >> runs.log
echo "$1" > "$2"
"""

CLUSTERS = [("slurm_bare", "slurm"), ("gridengine", "gridengine"), ("torque", "torque")]


@pytest.fixture(params=CLUSTERS, ids=[name for name, _ in CLUSTERS])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    name, scheduler = request.param
    cluster: Cluster = request.getfixturevalue(name)
    (tmp_path / "work.sh").write_text(WORK)
    return Lab(tmp_path, cluster, scheduler).define(STAGES, units=UNITS)


def test_a_campaign_ends_with_the_right_table_although_its_conductor_is_killed(lab: Lab) -> None:
    conductor = lab.start()
    until(lambda: (lab.root / "runs.log").exists(), "the first unit is done")
    conductor.send_signal(signal.SIGKILL)
    conductor.wait()
    assert lab.run() == 1, lab.said()
    whole = [unit for unit in range(1, UNITS + 1) if unit not in FAILING]
    assert lab.states("a") == {"done": len(whole), "failed": len(FAILING)}, lab.said()
    assert [int(line) for line in (lab.root / "all.txt").read_text().split()] == whole
    runs = (lab.root / "runs.log").read_text().split()
    assert sorted(map(int, runs)) == whole  # none ran twice
    assert most_in_a_minute(lab.commands()) <= 4
    assert lab.rows("SELECT count(*) FROM job WHERE state <> 'finished'") == [(0,)]
