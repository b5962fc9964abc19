"""A whole campaign on real Slurm, with everything that can go wrong going wrong (PENSTOCK_CLUSTER_UNITS: 10,000 in full)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.cluster.lab import Lab, most_in_a_minute
from tests.cluster.slurm import Slurm
from tests.until import until

UNITS = int(os.environ.get("PENSTOCK_CLUSTER_UNITS", "600"))
BATCH = 50 if UNITS >= 5000 else 15
OUTAGE_S = 60.0 if UNITS >= 5000 else 12.0
HOG, SLOW = 3, 5
FAILING = [unit for unit in range(1, UNITS + 1) if unit % 20 == 7]

WORK = f"""\
case $1 in
{HOG}) python3 -c 'a = bytearray(90 << 20)' || exit ;;
{SLOW}) sleep 8 ;;
esac
[ $(($1 % 20)) = 7 ] && {{ echo "unit $1 is broken" >&2; exit 3; }}
sleep 0.1
echo "$1 $(date +%s.%N)" >> runs.log
env | grep -q LEAKED && exit 9
echo "$1" > "$2"
"""

STAGES = f"""
[stage.a]
each = "unit"
command = ["sh", "work.sh", "{{unit}}", "{{product}}"]
products = "a/{{unit}}.txt"
batch = {BATCH}
workers = 2
retry = {{ error = 0 }}
resources = {{ memory = "30MB", walltime = "5s" }}

[stage.b]
each = "unit"
after = "a"
command = ["cp", "{{inputs.a}}", "{{product}}"]
products = "b/{{unit}}.txt"
batch = {BATCH}
resources = {{ memory = "50MB", walltime = "10s" }}

[stage.all]
each = "campaign"
after = ["b"]
members = "done"
command = ["sh", "-c", "while read -r p; do cat \\"$p\\"; done < $0 | sort -n > $1", "{{inputs_file.b}}", "{{product}}"]
products = "all.txt"
resources = {{ memory = "50MB", walltime = "60s" }}
"""


@pytest.fixture
def lab(slurm: Slurm, tmp_path: Path) -> Lab:
    lab = Lab(tmp_path, slurm, "slurm")
    (tmp_path / "work.sh").write_text(WORK)
    return lab.define(STAGES, units=UNITS)


class TaskFailure:
    """What is done to the cluster and to the conductor while the campaign runs."""

    def __init__(self, lab: Lab, slurm: Slurm) -> None:
        self.lab, self.slurm, self.kills = lab, slurm, 0
        self.conductor = lab.start()

    def kill_conductor(self) -> None:
        self.conductor.send_signal(signal.SIGKILL)
        self.conductor.wait()
        self.conductor = self.lab.start()
        self.kills += 1

    def running(self) -> list[tuple[str, str, str]]:
        """Return id, job and node of the elements of `a` that run now; the last has most of its time before it."""
        said = self.slurm.run("squeue", "-h", "-t", "R", "-S", "S,i", "-o", "%i %F %N", user="root").stdout
        return [tuple(line.split()) for line in said.splitlines() if "_" in line.split()[0]]

    def wait_for_elements(self, least: int = 1) -> list[tuple[str, str, str]]:
        return until(lambda: len(r := self.running()) >= least and r, f"{least} elements run")

    def cancel_one(self) -> str:
        element = self.wait_for_elements()[-1][0]
        self.slurm.run("scancel", element, user="root")
        return element

    def kill_a_node(self) -> str:
        node = self.wait_for_elements()[-1][2]
        self.slurm.kill_node(node)
        return node


def test_everything_goes_wrong_and_it_ends_by_itself_with_the_right_table(lab: Lab, slurm: Slurm) -> None:
    trouble = TaskFailure(lab, slurm)
    until(lambda: trouble.running(), "the first elements run")
    trouble.kill_conductor()
    cancelled = trouble.cancel_one()
    node = trouble.kill_a_node()
    slurm.stop_dbd()
    trouble.kill_conductor()
    time.sleep(OUTAGE_S)
    slurm.start_dbd()
    until(lambda: slurm.state_of(node).startswith("down"), f"{node} is down")
    slurm.start_node(node)
    slurm.stop_controller()
    time.sleep(OUTAGE_S / 2)
    trouble.kill_conductor()
    time.sleep(OUTAGE_S / 2)
    slurm.start_controller()
    assert trouble.conductor.wait(1500) == 1, lab.said()  # some units failed

    states, outcomes = lab.states("a"), lab.outcomes("a")
    by_hand = lab.rows("SELECT unit FROM attempt WHERE outcome = 'cancelled'")
    failing = len(FAILING)
    assert 0 < len(by_hand) <= BATCH, cancelled
    assert states["done"] + states["failed"] == UNITS
    assert failing <= states["failed"] <= failing + BATCH
    assert outcomes["ok"] == states["done"]
    assert outcomes["timeout"] >= 1
    assert outcomes["out_of_memory"] >= 1
    done = sorted(int(path.stem) for path in (lab.root / "a").glob("*.txt"))
    assert len(done) == states["done"] == lab.states("b")["done"]
    assert [int(line) for line in (lab.root / "all.txt").read_text().split()] == done

    # what a person cancelled comes back when a person says so
    assert lab.run("retry", "--stage", "a") == 0
    assert lab.run() == 1, lab.said()
    assert lab.states("a") == {"done": UNITS - failing, "failed": failing}
    whole = [unit for unit in range(1, UNITS + 1) if unit not in set(FAILING)]
    assert [int(line) for line in (lab.root / "all.txt").read_text().split()] == whole

    # nothing was run twice but what was in flight when something was killed, and few questions were asked
    runs = [line.split()[0] for line in (lab.root / "runs.log").read_text().splitlines()]
    assert len(runs) <= len(whole) + 3 * BATCH
    assert most_in_a_minute(lab.commands()) <= 2 * (1 + trouble.kills) + 2
    assert len(lab.commands("sbatch")) <= 20 + 2 * UNITS / BATCH
