"""Ways to stop: deadline, signals, revocation."""

import json
import os
import shutil
import signal
import time

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGUSR2])
def test_a_signal_lets_running_tasks_end_and_gives_the_rest_back(lab, number):
    lab.batch([lab.shell(1, "sleep 0.3; echo done"), *(lab.command(unit, "true") for unit in range(2, 5))])
    lab.batch([lab.command(5, "true", then=lab.command(6, "true"))])
    process = lab.start()
    lab.wait_for(lambda: lab.of_kind("start"))
    process.send_signal(number)
    assert process.wait(10) == 0
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "ok"}
    (give,) = lab.of_kind("give")
    assert give["tasks"] == [[1, 2], [1, 3], [1, 4], [1, 5], [1, 6]]
    assert give["why"] == "asked to stop"
    assert lab.events()[-1]["e"] == "leave"


def test_a_second_signal_ends_what_runs(lab):
    lab.batch([lab.command(1, "sleep", "60")])
    process = lab.start()
    lab.wait_for(lambda: lab.of_kind("start"))
    process.terminate()
    time.sleep(0.7)
    process.terminate()
    assert process.wait(10) == 0
    assert lab.ends()[1]["o"] == "cancelled"


def test_many_tasks_are_given_back_in_lines_of_a_thousand(lab):
    lab.batch([lab.command(0, "sleep", "0.3"), *(lab.command(unit, "true") for unit in range(1, 2501))])
    process = lab.start()
    lab.wait_for(lambda: lab.of_kind("start"))
    process.terminate()
    process.wait(10)
    assert [len(event["tasks"]) for event in lab.of_kind("give")] == [1000, 1000, 500]


def test_a_task_that_a_scheduler_killed_with_us_is_cancelled(lab):
    lab.batch([lab.shell(1, "echo $$ > pid; exec sleep 60")])
    process = lab.start()
    pid = lab.wait_for(lambda: (lab.root / "pid").exists() and (lab.root / "pid").read_text())
    process.terminate()
    time.sleep(0.1)
    os.kill(int(pid), signal.SIGTERM)
    process.wait(10)
    assert lab.ends()[1]["o"] == "cancelled"


def test_no_task_starts_that_cannot_end_before_the_deadline(lab):
    lab.spec["walltime_s"] = 7.0
    lab.stage("long", limit_s=60)
    lab.stage("unknown")
    tasks = [lab.command(2, "sleep", "1.2", stage="unknown"), lab.command(3, "true", stage="unknown")]
    lab.batch([lab.command(1, "true", stage="long"), *tasks])
    assert lab.start().wait(20) == 0
    assert list(lab.ends()) == [2]
    given = [(event["tasks"], event["why"]) for event in lab.of_kind("give")]
    assert given == [([[2, 1]], "deadline"), ([[3, 3]], "deadline")]
    assert lab.events()[-1]["why"] == "deadline"


def revoke(lab, **what):
    path = lab.job / "revoked.new"
    path.write_text(json.dumps(what))
    path.rename(lab.job / "1.revoked")


def test_revoked_tasks_are_given_back_or_cancelled(lab):
    text = 'touch running; sleep 60; : > "$P"'
    lab.batch([lab.shell(1, text, products=lab.product("x")), lab.command(2, "true"), lab.command(3, "true")])
    lab.close()
    process = lab.start()
    lab.wait_for(lambda: (lab.root / "running").exists())
    revoke(lab, tasks=[[1, 1], [1, 2]])
    assert process.wait(10) == 0
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "cancelled", 3: "ok"}
    assert [(event["tasks"], event["why"]) for event in lab.of_kind("give")] == [([[1, 2]], "revoked")]
    assert not (lab.root / "x").exists()


def test_a_task_that_is_revoked_before_its_end_is_not_published(lab):
    text = ': > "$P"; touch made; while [ ! -e go ]; do sleep 0.01; done'
    lab.batch([lab.shell(1, text, products=lab.product("x"))])
    lab.close()
    process = lab.start()
    lab.wait_for(lambda: (lab.root / "made").exists())
    revoke(lab, tasks=[[1, 1]])
    (lab.root / "go").touch()
    process.wait(10)
    assert lab.ends()[1]["o"] == "cancelled"
    assert not (lab.root / "x").exists()
    assert lab.leftovers() == []


def test_a_task_that_is_revoked_between_its_products_leaves_none_of_them(lab):
    (lab.modules / "sitecustomize.py").write_text(
        "import os\n"
        "real = os.rename\n"
        "def rename(source, target):\n"
        "    real(source, target)\n"
        f"    if target == {str(lab.root / 'a')!r}:\n"
        f"        real('revoked', {str(lab.job / '1.revoked')!r})\n"
        "os.rename = rename\n"
    )
    (lab.root / "revoked").write_text('{"all": true}')
    products = {name: {"path": name} for name in ("a", "b")}
    env = {name: {"ref": f"product.{name}"} for name in ("a", "b")}
    lab.batch([lab.command(1, "/bin/sh", "-c", 'echo | tee "$a" "$b"', env=env, products=products)])
    assert lab.start(env={"PYTHONPATH": str(lab.modules)}).wait(10) == 0
    assert (lab.job / "1.revoked").exists()
    assert lab.ends()[1]["o"] == "cancelled"
    assert os.listdir(lab.root) == []


def test_an_end_that_cannot_be_told_leaves_no_product(lab):
    paths = {str(n): {"path": f"{n}-{'x' * 200}"} for n in range(500)}
    lab.function(
        "def run(task):\n"
        "    task.expand(roi='x' * 899_000)\n"
        "    for n in range(500):\n"
        "        task.product(str(n)).touch()",
        expands="roi",
    )
    end = lab.end(lab.python(1, products=paths))
    assert (end["o"], end["products"]) == ("error", {})
    assert "more than 1 MB" in end["why"]
    assert os.listdir(lab.root) == []


def test_an_element_that_is_revoked_leaves(lab):
    lab.batch([lab.command(1, "sleep", "60"), lab.command(2, "true")])
    process = lab.start()
    lab.wait_for(lambda: lab.of_kind("start"))
    revoke(lab, all=True)
    assert process.wait(10) == 0
    assert lab.ends()[1]["o"] == "cancelled"
    assert lab.events()[-1]["why"] == "revoked"


def test_an_idle_element_that_is_revoked_leaves(lab):
    process = lab.start()
    lab.wait_for(lambda: lab.events())
    revoke(lab, all=True)
    assert process.wait(10) == 0


def test_a_runner_whose_job_was_packed_away_stops(lab):
    lab.batch([lab.shell(n, f"echo {n} >> begun; sleep 20") for n in (1, 2)])
    process = lab.start()
    lab.wait_for(lambda: (lab.root / "begun").exists())
    shutil.rmtree(lab.job)
    process.wait(10)
    assert (lab.root / "begun").read_text() == "1\n"


def test_a_runner_whose_job_was_packed_away_publishes_nothing_more(lab):
    text = ': > "$P"; touch made; while [ ! -e go ]; do sleep 0.01; done'
    lab.batch([lab.shell(1, text, products=lab.product("x"))])
    process = lab.start()
    lab.wait_for(lambda: (lab.root / "made").exists())
    shutil.rmtree(lab.job)
    (lab.root / "go").touch()
    process.wait(10)
    assert not (lab.root / "x").exists()
    assert lab.leftovers() == []
