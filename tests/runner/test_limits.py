"""Odd places: limits that somebody set on us, and a host that does not show its processes."""

import errno
import os
import resource
import subprocess
import sys

import pytest

from penstock.runner.errors import Unfit, explain
from penstock.runner.health import memory_of


def limited(kind, value):
    """Set a limit in the process that becomes the runner."""
    return lambda: resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def test_a_command_whose_file_grows_over_the_limit_says_so(lab):
    text = 'exec dd if=/dev/zero of="$P" bs=1M count=2'
    task = lab.shell(1, text, products=lab.product("x"))
    lab.run([task, lab.command(2, "true")], preexec_fn=limited(resource.RLIMIT_FSIZE, 1 << 20))
    ends = lab.ends()
    assert (ends[1]["o"], ends[2]["o"]) == ("error", "ok")
    assert ends[1]["why"] == "sh was killed by SIGXFSZ: a file grew over the limit on file sizes (ulimit -f)"


def test_a_function_whose_file_grows_over_the_limit_says_so(lab):
    lab.function("def run(task):\n    task.product().write_bytes(bytes(2 << 20))")
    task = lab.python(1, products=lab.product("x"))
    lab.run([task, lab.command(2, "true")], preexec_fn=limited(resource.RLIMIT_FSIZE, 1 << 20))
    ends = lab.ends()
    assert (ends[1]["o"], ends[2]["o"]) == ("error", "ok")
    assert ends[1]["why"] == (
        "OSError: [Errno 27] File too large: a file grew over the limit on file sizes (ulimit -f)"
    )


def test_a_limit_below_the_reserve_is_told_and_nothing_is_claimed(lab):
    done = lab.run([lab.command(1, "true")], preexec_fn=limited(resource.RLIMIT_FSIZE, 100_000))
    assert done.returncode == 74
    assert (
        "the element cannot be claimed: a file grew over the limit on file sizes (ulimit -f)" in done.stderr
    )
    assert not list(lab.job.glob("1.1*"))


def test_events_that_meet_the_limit_end_the_runner_and_no_task_is_begun_unsaid(lab):
    tasks = [lab.shell(unit, "echo >> ran") for unit in range(4000)]
    done = lab.run(tasks, preexec_fn=limited(resource.RLIMIT_FSIZE, 300_000))
    assert done.returncode == 74
    assert 0 < len((lab.root / "ran").read_text()) == len(lab.of_kind("start")) < 4000


def test_a_cpu_limit_is_named(lab):
    lab.run([lab.shell(1, "ulimit -S -t 1; exec sh -c 'while :; do :; done'")])
    assert lab.ends()[1]["why"].endswith("it used more CPU time than its limit (ulimit -t)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root has no limit on processes")
def test_a_limit_on_processes_halts_the_element(lab):
    lab.run([lab.command(1, "true")], preexec_fn=limited(resource.RLIMIT_NPROC, 1))
    (halt,) = lab.of_kind("halt")
    assert halt["why"] == "no process can be started: the limit on processes is reached (ulimit -u)"


def test_limits_are_called_by_their_names():
    trouble = explain(OSError(errno.EFBIG, "File too large"), "the products cannot be taken")
    assert isinstance(trouble, Unfit)
    assert (
        str(trouble) == "the products cannot be taken: a file grew over the limit on file sizes (ulimit -f)"
    )


@pytest.fixture
def without_proc(lab):
    """Run the runner where /proc is not mounted; needs root."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("this machine does not let us take /proc away")

    def run(tasks, workers=1):
        lab.batch(tasks, workers)
        lab.close()
        lab.write_spec()
        script = f"umount -l /proc && exec {sys.executable} {lab.program} {lab.job}"
        return subprocess.run(
            ["unshare", "-m", "/bin/sh", "-c", script], capture_output=True, text=True, timeout=30, check=False,
            env=lab.environment(None),
        )  # fmt: skip

    return run


def test_without_proc_all_works_and_what_is_not_found_is_said(lab, without_proc):
    lab.function("def run(task):\n    task.product().write_text('x')\n    return 7")
    lab.stage("short", limit_s=0.3)
    lab.spec["beat_s"] = 0.1
    done = without_proc(
        [
            lab.shell(1, '(sleep 60; echo >> "$P") & echo > "$P"', products=lab.product("a")),
            lab.shell(2, "sleep 60 & sleep 60", stage="short"),
            *(lab.python(unit, products=lab.product(f"b{unit}")) for unit in (3, 4)),
        ]
    )
    assert done.returncode == 0, done.stderr
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "ok", 2: "timeout", 3: "ok", 4: "ok"}
    assert done.stderr.count("/proc does not show the runner's processes") == 1
    assert {beat["rss"] for beat in lab.of_kind("beat")} == {None}


def test_memory_that_cannot_be_seen_is_not_called_none():
    assert memory_of([os.getpid()]) > 1 << 20
    assert memory_of([2**22 + 1]) is None
