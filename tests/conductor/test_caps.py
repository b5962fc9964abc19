"""`max_running` and backfill with real runners, while conductors are killed."""

import os
import random
import signal
import time

import pytest
from tests.conductor.conftest import HEAD, Lab

FOUR = HEAD.replace("cores = 2", "cores = 4")
COUNTED = """
[stage.busy]
each = "unit"
command = ["sh", "-c", "mkdir -p at; : > at/$0; ls at | wc -l >> counts; sleep 0.2; rm at/$0; echo $0 >> runs", "{unit}"]
max_running = 2
"""


@pytest.mark.parametrize("command", [["run"], ["tick"]], ids=["run", "tick"])
def test_no_more_run_at_once_than_may_though_conductors_are_killed(lab: Lab, command: list[str]) -> None:
    lab.define(COUNTED, head=FOUR, units=14)
    chance = random.Random(len(command[0]))
    for _ in range(3):
        process = lab.start(*command)
        time.sleep(chance.uniform(0.3, 1.2))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert lab.run().code == 0
    assert lab.states("busy") == {"done": 14}
    assert max(int(line) for line in lab.read("counts").split()) == 2
    assert set(lab.runs()) == {f"u{n}" for n in range(1, 15)}


OLD = """
[stage.copy]
each = "unit"
command = ["sh", "-c", "sleep $3; echo $0 >> runs; echo $1 > $2", "{unit}", "{param.text}", "{product}", "{param.pause}"]
products = "copies/{unit}.txt"
params = { text = "first", pause = "0.01" }
"""
NEW = OLD.replace("first", "second").replace("0.01", "0.06")  # it takes eight seconds in all


def test_a_new_unit_is_processed_while_the_backfill_goes_on_and_old_files_stay_whole(lab: Lab) -> None:
    lab.define(OLD, units=300)
    assert lab.run().code == 0
    lab.define(NEW)
    watch = lab.start("watch")
    stale = "SELECT 1 FROM task WHERE stale IS NOT NULL"
    lab.wait_until(lambda: lab.rows(stale), "the new definition was read")
    lab.command("redo", "--stage", "copy", "--limit", "250")
    lab.wait_until(lambda: lab.runs().total() > 310, "the backfill has begun")
    units = lab.read("units.csv")
    lab.write("units.csv", units + "new\n")
    lab.wait_until(lambda: lab.runs()["new"], "the new unit was processed")
    during = lab.runs().total()
    contents = {path.read_text() for path in (lab.root / "copies").glob("u*.txt")}
    assert contents <= {"first\n", "second\n"}
    lab.wait_until(lambda: lab.states("copy") == {"done": 301} and lab.runs().total() == 551, "all is done")
    assert during < 551, "it did not wait for the backfill"
    watch.send_signal(signal.SIGTERM)
    watch.wait()
    assert [path.read_text() for path in (lab.root / "copies").glob("u*.txt")].count("second\n") == 250
    assert lab.read("copies/new.txt") == "second\n"
