"""One log a slot; tasks are stretches of it."""

import os
import re

from penstock.runner.logs import HEAD, LIMIT, TAIL, SlotLog


def test_tasks_of_one_slot_share_a_log_by_stretches(lab):
    lab.function(
        "import subprocess\ndef run(task):\n    print('caf\\xe9')\n    subprocess.run(['echo', 'child'])"
    )
    lab.run([lab.shell(1, "echo one"), lab.python(2), lab.shell(3, ":"), lab.shell(4, "echo four >&2")])
    ends = lab.ends()
    assert [lab.log(ends[unit]) for unit in (1, 2, 3, 4)] == ["one\n", "café\nchild\n", "", "four\n"]
    assert [path.name for path in lab.job.glob("*.log")] == ["1.1.log"]


def test_output_of_tiny_functions_is_told_apart(lab):
    lab.function("def run(task):\n    if task.key[0] % 7 == 0:\n        task.log(f'unit {task.key[0]}')")
    lab.run([lab.python(unit) for unit in range(200)])
    assert {unit: lab.log(end) for unit, end in lab.ends().items()} == {
        unit: "" if unit % 7 else f"unit {unit}\n" for unit in range(200)
    }


def test_a_log_that_says_nothing_is_removed(lab):
    lab.run([lab.command(1, "true")])
    assert not list(lab.job.glob("*.log"))


def test_a_log_keeps_the_first_and_the_last_of_what_is_too_much(lab):
    text = "echo first; head -c 25000000 /dev/zero; echo; echo last"
    lab.run([lab.shell(1, "echo before"), lab.shell(2, text), lab.shell(3, "echo after")])
    ends = lab.ends()
    kept = lab.log(ends[2])
    assert kept.startswith("first\n")
    assert kept.endswith("\nlast\n")
    assert "bytes left out here" in kept[HEAD : HEAD + 100]
    assert HEAD + TAIL < len(kept) < LIMIT + 300
    assert lab.log(ends[1]) == "before\n"
    assert lab.log(ends[3]) == "after\n"


def test_a_log_is_cut_while_the_task_still_runs(lab):
    text = (
        "head -c 15000000 /dev/zero; while [ $(stat -c %s $LOG) -gt 10001000 ]; do sleep 0.1; done; echo cut"
    )
    end = lab.end(lab.shell(1, text, env={"LOG": str(lab.job / "1.1.log")}))
    assert lab.log(end).endswith("cut\n")


def test_cutting_twice_counts_all_that_was_left_out(tmp_path):
    log = SlotLog(str(tmp_path / "log"))
    os.write(log.fd, b"old")
    log.begin()
    for _ in range(2):
        os.write(log.fd, b"a" * 12_000_000)
        log.trim()
    text = (tmp_path / "log").read_bytes()
    assert text[: 3 + HEAD] == b"old" + b"a" * HEAD
    (left_out,) = re.findall(rb"(\d+) bytes left out here", text)
    assert 14_000_000 <= int(left_out) < 14_000_100
    log.close()


def test_the_last_line_is_what_was_said_last(tmp_path):
    log = SlotLog(str(tmp_path / "log"))
    os.write(log.fd, b"earlier task\n")
    log.begin()
    assert log.last_line() == ""
    os.write(log.fd, b"a\n\x1b[1mb\x07\xff\x1b[0m  \n\n")
    assert log.last_line() == "b�"
    log.close()
