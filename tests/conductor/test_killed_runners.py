"""Runners that are killed: what they had ended counts, and only what was in their hands is run again."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.conductor.conftest import HEAD

from penstock.host import boot_id
from penstock.site.leftovers import TICK_S

CORES = 2
UNITS = 150
STAGE = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 >> runs; sleep 0.01; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
"""
PYTHON = """
[stage.a]
each = "unit"
python = "steps:work"
products = "a/{unit}"
"""
WORK = """
import time

def work(task):
    with open("runs", "a") as file:
        file.write(task.fields["unit"] + "\\n")
    time.sleep(0.01)
    task.product().write_text(task.fields["unit"] + "\\n")
"""


def kill_runners(lab: Any) -> int:
    """Kill every runner that is at work, and say how many that were."""
    natives = [
        row[0] for row in lab.rows("SELECT native FROM job WHERE state <> 'finished' AND native IS NOT NULL")
    ]
    killed = 0
    for native in natives:
        try:
            os.kill(int(native.partition(".")[0]), signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed += 1
    return killed


@pytest.mark.parametrize("stage", [STAGE, PYTHON], ids=["command", "function"])
def test_at_most_the_tasks_in_flight_run_again_when_runners_are_killed(lab: Any, stage: str) -> None:
    lab.write("steps.py", WORK)
    lab.define(stage, units=UNITS)
    conductor, killed = lab.start("run"), 0
    for share in (20, 45, 70, 95, 120):
        lab.wait_until(lambda share=share: sum(lab.runs().values()) > share, f"{share} tasks begun")
        killed += kill_runners(lab)
    assert conductor.wait(30) == 0
    assert killed >= CORES
    assert set(lab.runs()) == {f"u{n}" for n in range(1, UNITS + 1)}
    assert sum(lab.runs().values()) <= UNITS + killed  # each had one task in its hands
    assert all(lab.read(f"a/u{n}") == f"u{n}\n" for n in range(1, UNITS + 1))


def unmarked_ends(lab: Any) -> Iterator[dict[str, Any]]:
    """Yield the ends that runners wrote and that no mark follows."""
    for path in (lab.root / ".penstock/jobs").glob("p*/1.1.jsonl"):
        events = [
            json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"
        ]
        marks = [n for n, event in enumerate(events) if event["e"] == "sync"]
        yield from (event for event in events[max(marks, default=0) :] if event["e"] == "end")


def test_what_a_power_cut_took_of_an_end_is_made_again_and_told(lab: Any) -> None:
    lab.define(STAGE, units=UNITS)
    conductor = lab.start("run")
    lab.wait_until(lambda: len([*unmarked_ends(lab)]) >= 4, "ends without a mark")
    os.killpg(conductor.pid, signal.SIGKILL)
    kill_runners(lab)
    conductor.wait()
    time.sleep(0.1)
    cut, empty, *rest = [event["products"]["product"][0] for event in unmarked_ends(lab)]
    (lab.root / cut).write_bytes(b"\0" * (lab.root / cut).stat().st_size)
    (lab.root / empty).write_bytes(b"")
    assert lab.run().code == 0
    told = [row[0] for row in lab.rows("SELECT why FROM problem WHERE source = 'events'")]
    assert any(f"{cut} differs from what was made; the task is run again" in why for why in told)
    assert any(f"{empty} has 0 bytes" in why for why in told)
    assert all(lab.read(f"a/u{n}") == f"u{n}\n" for n in range(1, UNITS + 1))
    runs = lab.runs()
    assert all(runs[path.removeprefix("a/")] == 1 for path in rest)


def test_a_product_that_is_gone_before_its_end_counts_is_made_again(lab: Any) -> None:
    lab.write("steps.py", WORK.replace("time.sleep(0.01)", "time.sleep(0.3)"))
    lab.define(PYTHON, units=8)
    conductor = lab.start("run")
    lab.wait_until(lambda: [*unmarked_ends(lab)], "an end without a mark")
    first = next(unmarked_ends(lab))["products"]["product"][0]
    (lab.root / first).unlink()
    assert conductor.wait(60) in (0, 1)
    assert lab.run().code == 0
    assert lab.read(first) == first.removeprefix("a/") + "\n"


ONE = HEAD.replace("cores = 2", "cores = 1")
FEW = 20
SLOW = STAGE.replace("sleep 0.01", "[ -e mended ] || sleep 60") + "batch = 6\n"


def at_work(lab: Any, stages: str = SLOW, *, units: int = 6) -> Any:
    """Start a run of one runner, and return it with the first task running, the others queued."""
    lab.define(stages, head=ONE, units=units)
    conductor = lab.start("run")
    lab.wait_until(lambda: lab.runs() and "running" in lab.states("a"), "a task runs")
    return conductor


def test_what_came_while_its_task_was_queued_stays_when_the_runner_is_killed(lab: Any) -> None:
    conductor = at_work(lab)
    assert lab.task("a", "u6")["state"] == "queued"
    lab.write("a/u6", "by hand")
    lab.write("mended", "")
    assert kill_runners(lab) == 1
    assert conductor.wait(30) == 1
    assert lab.read("a/u6") == "by hand"
    assert lab.states("a") == {"done": 5, "failed": 1}


def test_where_a_killed_runner_left_nothing_a_later_file_is_not_its(lab: Any) -> None:
    conductor = at_work(lab, SLOW + "retry = { lost = 0 }\n", units=1)
    assert kill_runners(lab) == 1
    assert conductor.wait(30) == 1
    lab.write("a/u1", "by hand")
    lab.write("mended", "")
    lab.ask("retry")
    assert lab.run().code == 1
    assert lab.read("a/u1") == "by hand"
    assert lab.outcomes("a", "u1") == ["lost", "unstarted"]


def test_what_a_machine_that_went_down_left_is_made_again_and_what_came_later_stays(lab: Any) -> None:
    lab.define(STAGE.replace("sleep 0.01", "sleep 0.05") + f"batch = {FEW}\n", head=ONE, units=FEW)
    conductor = lab.start("run")
    lab.wait_until(lambda: len(lab.runs()) > 5, "tasks that ended")
    os.killpg(conductor.pid, signal.SIGKILL)
    kill_runners(lab)
    conductor.wait()
    queued = [f"u{n}" for n in range(1, FEW + 1) if lab.task("a", f"u{n}")["state"] == "queued"]
    later = next(unit for unit in reversed(queued) if unit not in lab.runs())
    renamed = max(held.stat().st_mtime for held in (lab.root / "a/.penstock").glob("*.done"))
    lab.wait_until(lambda: time.time() > renamed + 2 * TICK_S, "a time that no rename has")
    lab.write(f"a/{later}", "by hand")
    [path] = (lab.root / ".penstock/jobs").glob("p*/1.1.jsonl")
    claim = path.read_text().splitlines(keepends=True)[0]
    path.write_text(claim.replace(boot_id(), "before"))
    with sqlite3.connect(lab.root / ".penstock/ledger.sqlite") as db:
        db.execute("UPDATE life SET boot = 'before'")
    assert lab.run().code == 1
    assert lab.read(f"a/{later}") == "by hand"
    assert lab.states("a") == {"done": FEW - 1, "failed": 1}
