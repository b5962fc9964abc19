"""Who drives a campaign: one at a time, and no unlocking by hand."""

import json
import os
import signal
import socket
import sqlite3
import time

import pytest

from penstock.errors import Held
from penstock.host import boot_id

SLOW = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 >> runs; sleep 0.3; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
"""
QUICK = SLOW.replace("sleep 0.3;", "")


def hold(lab, **columns):
    """Write a lease as another conductor would have."""
    row = {"host": "elsewhere", "boot": "b", "pid": 4711, "start": "1", "command": "run", "since": 1.6e9}
    row |= {"expires": time.time() + 60, **columns}
    with sqlite3.connect(lab.root / ".penstock/ledger.sqlite") as db:
        db.execute(
            f"UPDATE lease SET epoch = epoch + 1, {', '.join(f'{name} = ?' for name in row)}",
            list(row.values()),
        )


def test_a_second_conductor_says_who_holds_the_campaign_since_when_and_where(lab):
    first = lab.define(SLOW, units=40).start("run")
    lab.wait_until(lambda: lab.runs(), "the first conductor works")
    second = lab.command("run")
    assert second.returncode == 4
    assert f"process {first.pid} on {socket.gethostname()}, since 20" in second.stderr
    assert "`penstock run`" in second.stderr
    assert lab.command("watch").returncode == 4


def test_a_tick_beside_a_living_conductor_does_nothing_and_ends_well(lab):
    lab.define(SLOW, units=40).start("run")
    lab.wait_until(lambda: lab.runs(), "the conductor works")
    tick = lab.command("tick")
    assert (tick.returncode, len(tick.stdout.splitlines())) == (0, 1)


def test_the_lease_of_a_dead_process_is_taken_at_once(lab):
    lab.define(QUICK, units=2).run()
    hold(lab, host=socket.gethostname(), boot=boot_id(), pid=2**22 + 1)
    assert lab.run().code == 0


def test_the_lease_from_before_a_reboot_is_taken_at_once(lab):
    lab.define(QUICK, units=2).run()
    hold(lab, host=socket.gethostname(), boot="another", pid=os.getpid())
    assert lab.run().code == 0


def test_another_hosts_lease_is_respected_until_it_expires(lab):
    lab.define(QUICK, units=2).run()
    hold(lab)
    with pytest.raises(Held, match="process 4711 on elsewhere, since 2020-09-13 12:26:40 UTC"):
        lab.run()
    hold(lab, expires=time.time() - 1)
    assert lab.run().code == 0


def test_a_conductor_that_lost_its_lease_writes_nothing_more(lab):
    with lab.define(SLOW, units=4).conductor() as conductor:
        conductor.tick()
        hold(lab)
        with pytest.raises(Held, match="was taken over by process 4711 on elsewhere"):
            conductor.run()
    hold(lab, expires=0)
    assert lab.run().code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 5)}


def test_runners_work_on_when_their_conductor_is_killed_and_the_next_one_hears_of_it(lab):
    first = lab.define(SLOW, units=6).start("run")
    lab.wait_until(lambda: len(lab.runs()) >= 2, "two units run")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert lab.run().code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 7)}
    assert lab.states("a") == {"done": 6}
    assert len(lab.rows("SELECT * FROM attempt")) == 6


def test_what_was_done_while_nobody_conducted_is_not_done_again(lab):
    first = lab.define(SLOW, units=4).start("run")
    lab.wait_until(lambda: lab.runs() and "ready" not in lab.states("a"), "all units were given out")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    lab.wait_until(lambda: len(list((lab.root / "a").glob("u*"))) == 4, "all products are there")
    assert lab.run().code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 5)}


def test_ctrl_c_gives_back_what_has_not_begun_and_says_how_to_go_on(lab):
    run = lab.define(SLOW, units=14).start("run")
    lab.wait_until(lambda: lab.runs(), "a unit runs")
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=30)
    assert "stopped at" in said
    assert "the same command continues" in said
    begun = len(lab.runs())
    assert begun < 14
    assert lab.states("a").keys() <= {"done", "ready"}
    assert lab.run().code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 15)}


def test_what_runs_when_one_presses_ctrl_c_ends_by_itself_and_counts(lab):
    run = lab.define(SLOW.replace("sleep 0.3", "until [ -e mended ]; do sleep 0.05; done"), units=4).start(
        "run"
    )
    lab.wait_until(lambda: len(lab.runs()) == 2, "two units run")
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=30)
    assert "2 tasks still run" in said
    lab.write("mended", "")
    assert lab.run().code == 0
    assert lab.runs() == {f"u{n}": 1 for n in range(1, 5)}


def test_up_works_in_the_background_until_down(lab):
    lab.define(QUICK, units=2)
    up = lab.command("up")
    assert up.returncode == 0
    holder = lab.holder()
    again = lab.command("up")
    assert (again.returncode, lab.holder()) == (0, holder)
    assert again.stdout.startswith("already up")
    lab.wait_until(lambda: lab.states("a") == {"done": 2}, "both units are done")
    assert lab.command("down").returncode == 0
    assert lab.holder() is None
    lab.wait_until(lambda: not runners(lab), "the runners have left")


def test_a_conductor_is_not_ended_by_what_was_asked_of_its_dead_predecessor(lab):
    lab.define(QUICK, units=2)
    with lab.conductor() as conductor:
        conductor.discover()
    hold(lab)
    assert lab.ask("down").startswith("asked:")
    hold(lab, expires=0)
    assert lab.run().lines == ["all done: 2 tasks"]


def test_ticks_from_cron_bring_a_campaign_to_its_end(lab):
    lab.define(QUICK, units=3)
    for _ in range(20):
        with lab.conductor() as conductor:
            conductor.tick()
        if lab.states("a") == {"done": 3}:
            break
        time.sleep(0.1)
    assert lab.states("a") == {"done": 3}
    assert set(lab.runs().values()) == {1}


def test_status_can_be_asked_while_a_conductor_works(lab):
    lab.define(SLOW, units=40).start("run")
    lab.wait_until(lambda: lab.runs(), "a unit runs")
    status = json.loads(lab.command("status", "--json").stdout)
    assert sum(status["stages"][0]["tasks"].values()) == 40


def runners(lab):
    """Return the runners of this campaign that live."""
    jobs = f"{lab.root}/.penstock/jobs/".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                found += [name] * (jobs in file.read())
        except OSError:
            continue
    return found
