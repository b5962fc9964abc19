"""An end is an end: nothing that a task started lives on, and nothing changes its products any more."""

import hashlib
import os
import subprocess
import sys

import pytest

from penstock.runner.offspring import name_of

ESCAPE = {
    "background": "({body}) &",
    "session": "setsid sh -c '{body}' &",
    "daemon": "sh -c 'setsid sh -c \"{body}\" & exit' & wait $!",
    "without marks": "env -i /bin/sh -c '{body}' & disown 2>/dev/null || true",
    "deaf": "setsid sh -c 'trap : TERM HUP; {body}' &",
}
LATER = "echo $$ > pid; while :; do sleep 0.05; echo late >&7; done"
DAEMON = """
import os, time
def daemon(path):
    if os.fork():
        return os.wait()
    os.setsid()
    if os.fork():
        os._exit(0)
    open('pid', 'w').write(str(os.getpid()))
    file = open(path, 'a')
    while True:
        time.sleep(0.05)
        file.write('late'); file.flush()
"""


def lives(pid):
    try:
        with open(f"/proc/{int(pid)}/stat", encoding="utf-8") as file:
            return ") Z " not in file.read()
    except FileNotFoundError:
        return False


def pid_of(lab, name="pid"):
    path = lab.root / name
    return lab.wait_for(lambda: path.exists() and path.read_text().strip())


@pytest.mark.parametrize("how", ESCAPE)
def test_what_a_command_leaves_running_is_ended_before_its_product_is_hashed(lab, how):
    text = (
        'exec 7>> "$P"; echo whole >&7; '
        + ESCAPE[how].format(body=LATER)
        + "\nwhile [ ! -s pid ]; do sleep 0.01; done"
    )
    lab.batch([lab.shell(1, text, products=lab.product("x"))])
    process = lab.start()
    end = lab.wait_for(lambda: lab.of_kind("end"))[0]
    assert not lives(pid_of(lab))
    data = (lab.root / "x").read_bytes()
    assert (end["o"], end["products"]["product"][2]) == ("ok", hashlib.sha256(data).hexdigest())
    assert "penstock: ended what the task left running: " in lab.log(end)
    process.terminate()
    process.wait(10)
    assert (lab.root / "x").read_bytes() == data


def test_what_ends_by_itself_at_once_is_waited_for(lab):
    text = '(sleep 0.1; echo more >> "$P") & echo whole > "$P"'
    end = lab.end(lab.shell(1, text, products=lab.product("x")))
    assert (lab.root / "x").read_text() == "whole\nmore\n"
    assert lab.log(end) == ""


@pytest.mark.parametrize("how", ESCAPE)
def test_nothing_of_a_task_over_its_limit_lives_on(lab, how):
    lab.spec["grace_s"] = 0.3
    lab.stage("short", limit_s=0.5)
    text = ESCAPE[how].format(body="echo $$ > pid; while :; do sleep 0.05; done") + "\nsleep 60"
    end = lab.end(lab.shell(1, text, stage="short"))
    assert end["o"] == "timeout"
    assert not lives(pid_of(lab))


@pytest.mark.parametrize("end", ["exit 3", "kill -9 $$"])
def test_nothing_of_a_failed_task_lives_on(lab, end):
    text = "setsid sh -c 'echo $$ > pid; exec sleep 60' & while [ ! -s pid ]; do sleep 0.01; done; " + end
    assert lab.end(lab.shell(1, text))["o"] == "error"
    assert not lives(pid_of(lab))


def test_what_another_slot_s_task_detached_lives_as_long_as_that_task(lab):
    server = "setsid sh -c 'echo $$ > pid; exec sleep 60' & while [ ! -e go ]; do sleep 0.01; done; kill -0 $(cat pid)"
    quick = "while [ ! -s pid ]; do sleep 0.01; done; (sleep 0.05) & exit 0"
    tasks = [
        lab.shell(1, server),
        *(lab.shell(unit, quick) for unit in range(2, 6)),
        lab.shell(6, "touch go"),
    ]
    lab.run(tasks, workers=2)
    assert {unit: end["o"] for unit, end in lab.ends().items()} == dict.fromkeys(range(1, 7), "ok")
    assert not lives(pid_of(lab))


def test_what_the_job_itself_started_before_is_not_ours_to_end(lab):
    lab.batch([lab.shell(1, "(sleep 60) & exit 0"), lab.command(2, "true")])
    lab.close()
    lab.write_spec()
    script = f"sleep 60 & echo $! > pid; exec {sys.executable} {lab.program} {lab.job}"
    subprocess.run(["/bin/sh", "-c", script], cwd=lab.root, timeout=20, check=True)
    assert lives(pid_of(lab))
    os.kill(int(pid_of(lab)), 9)
    assert {end["o"] for end in lab.ends().values()} == {"ok"}


def test_a_daemon_of_a_function_is_ended_before_its_product_is_hashed(lab):
    body = "def run(task):\n    task.product().write_text('whole')\n    daemon(str(task.product()))\n    return 5\n"
    lab.function(DAEMON + body)
    end = lab.end(lab.python(1, products=lab.product("x")))
    data = (lab.root / "x").read_bytes()
    assert (end["o"], end["result"]) == ("ok", 5)
    assert end["products"]["product"][2] == hashlib.sha256(data).hexdigest()
    assert not lives(pid_of(lab))
    assert "penstock: the task left the process" in lab.log(end)


def test_a_daemon_of_a_function_that_is_over_its_limit_is_ended(lab):
    lab.spec["grace_s"] = 0.3
    lab.function(DAEMON + "def run(task):\n    daemon('junk')\n    time.sleep(60)\n", limit_s=1)
    assert lab.end(lab.python(1))["o"] == "timeout"
    assert not lives(pid_of(lab))


def test_a_daemon_of_a_function_that_crashed_is_ended(lab):
    lab.function(DAEMON + "def run(task):\n    daemon('junk')\n    time.sleep(0.2)\n    os._exit(3)\n")
    assert lab.end(lab.python(1))["o"] == "error"
    assert not lives(pid_of(lab))


def test_a_thread_that_writes_on_is_ended_before_the_product_is_hashed(lab):
    source = """
import os, threading, time
def write(path):
    with open(path, 'a') as file:
        while True:
            time.sleep(0.01)
            file.write('late'); file.flush()
def run(task):
    if task.key[0] == 1:
        threading.Thread(target=write, args=[str(task.product())], name='writer', daemon=True).start()
    task.product().write_text('whole')
    return os.getpid()
"""
    lab.function(source)
    lab.run([lab.python(unit, products=lab.product(f"x{unit}")) for unit in (1, 2, 3)])
    ends = lab.ends()
    for unit in (1, 2, 3):
        data = (lab.root / f"x{unit}").read_bytes()
        assert ends[unit]["products"]["product"][2] == hashlib.sha256(data).hexdigest()
    assert ends[1]["result"] != ends[2]["result"] == ends[3]["result"]
    assert "a thread: writer" in lab.log(ends[1])


def test_tiny_functions_that_leave_threads_lose_none_of_those_handed_over_with_them(lab):
    source = """
import os, threading, time
def run(task):
    if task.key[0] in (100, 101, 199):
        threading.Thread(target=time.sleep, args=[60], daemon=True).start()
    return task.key[0]
"""
    lab.function(source)
    lab.run([lab.python(unit) for unit in range(200)])
    assert [(end["u"], end["result"]) for end in lab.of_kind("end")] == [(unit, unit) for unit in range(200)]
    assert len(lab.of_kind("start")) == 200


def test_a_thread_that_is_about_to_end_renews_nothing(lab):
    source = """
import os, threading, time
def run(task):
    threading.Thread(target=time.sleep, args=[0.05]).start()
    return os.getpid()
"""
    lab.function(source)
    lab.run([lab.python(1), lab.python(2)])
    assert lab.ends()[1]["result"] == lab.ends()[2]["result"]


def test_the_pool_of_a_setup_lives_and_is_gone_with_the_runner(lab):
    source = """
import multiprocessing, os
pool = None
def begin():
    global pool
    pool = multiprocessing.get_context('fork').Pool(2)
def run(task):
    pids = set(pool.map(where, range(20), chunksize=1))
    open('pids', 'w').write(' '.join(map(str, pids)))
    return [os.getpid(), pool.apply(abs, [-1])]
def where(_):
    return os.getpid()
"""
    lab.function(source, setup="python_module:begin")
    lab.run([lab.python(unit, products=lab.product("x", optional=True)) for unit in range(5)])
    results = [end.get("result") for end in lab.ends().values()]
    assert results == [[results[0][0], 1]] * 5
    assert not any(lives(pid) for pid in (lab.root / "pids").read_text().split())


def test_helpers_that_python_itself_keeps_renew_nothing(lab):
    source = """
import multiprocessing, os
def run(task):
    multiprocessing.get_context("spawn").Semaphore()
    return os.getpid()
"""
    lab.function(source)
    lab.run([lab.python(1), lab.python(2)])
    assert lab.ends()[1]["result"] == lab.ends()[2]["result"]


def test_offspring_are_found_and_adopted(tmp_path):
    script = f"""
import os, subprocess, sys, time
sys.path.insert(0, {os.path.dirname(os.path.dirname(os.path.dirname(name_of.__code__.co_filename)))!r})
from penstock.runner.offspring import Offspring, find_below, kill
from penstock.runner.orphans import read_mark
offspring = Offspring('p/1/1')
assert offspring.find() == set() and not offspring.blind
os.environ['PENSTOCK_TASK'] = 'p/1/1/3'
subprocess.run(['/bin/sh', '-c', 'setsid sleep 60 & sleep 0.1'])
(pid,) = offspring.find()
assert find_below(os.getpid()) == {{pid}}
assert read_mark(pid, 'PENSTOCK_TASK') == 'p/1/1/3'
while kill(offspring.find()):
    time.sleep(0.01)
assert offspring.find() == set()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20)
