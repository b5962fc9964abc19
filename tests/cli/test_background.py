import os
import re
import signal
import subprocess
import sys
import time

import pytest

from penstock.unattended.detached import find_holder

GROUPLESS = "[stage.merge]"


@pytest.fixture
def watched(winter, penstock):
    """A campaign that `watch` takes, brought down at the end."""
    text = (winter / "penstock.toml").read_text().split(GROUPLESS)[0]
    (winter / "penstock.toml").write_text(text)
    yield winter
    penstock("down", "-C", winter)


def test_up_works_in_the_background_until_down(penstock, watched):
    shown = penstock("up", "-C", watched)
    assert shown.exit_code == 0
    pid = int(re.search(r"process (\d+)", shown.output).group(1))
    assert find_holder(watched).pid == pid
    until = time.monotonic() + 20
    while not (watched / "out/b.txt").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert (watched / "out/b.txt").exists()
    assert "`penstock up` has been running" in penstock("status", "-C", watched).output
    assert penstock("down", "-C", watched).exit_code == 0
    assert find_holder(watched) is None


def test_up_twice_is_harmless(penstock, watched):
    penstock("up", "-C", watched)
    first = find_holder(watched).pid
    shown = penstock("up", "-C", watched)
    assert shown.exit_code == 0
    assert shown.output.startswith("already up: ")
    assert find_holder(watched).pid == first


def test_up_until_done_ends_by_itself(penstock, winter):
    assert penstock("up", "--until-done", "-C", winter).exit_code == 0
    log, until = winter / ".penstock/conductor.log", time.monotonic() + 20
    while "1 task failed" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.05)
    assert "1 task failed" in log.read_text()  # said when the campaign is no longer held
    assert find_holder(winter) is None


def test_up_tells_at_once_what_the_background_would_only_log(penstock, winter):
    shown = penstock("up", "-C", winter)  # its group stage has no `complete`
    assert shown.exit_code == 2
    assert "complete" in shown.stderr
    assert find_holder(winter) is None


def test_down_ends_a_run_in_the_foreground(penstock, winter, start):
    text = (winter / "penstock.toml").read_text().replace('echo "copying $1"', "sleep 1")
    (winter / "penstock.toml").write_text(text)
    command = [sys.executable, "-m", "penstock", "run", "-C", str(winter)]
    process = start(command, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 20
    while not find_holder(winter) and time.monotonic() < until:
        time.sleep(0.05)
    assert penstock("down", "-C", winter).exit_code == 0
    out, _ = process.communicate(timeout=20)
    assert "the same command continues" in out
    assert process.returncode == 1


def test_down_names_what_has_not_ended(penstock, winter, start):
    text = (winter / "penstock.toml").read_text().replace('echo "copying $1"', "sleep 30")
    (winter / "penstock.toml").write_text(text)
    process = start([sys.executable, "-m", "penstock", "run", "-C", str(winter)], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while not [*winter.glob(".penstock/jobs/p*/1.1.log")] and time.monotonic() < until:
        time.sleep(0.05)
    shown = penstock("down", "--wait", 5, "-C", winter)
    process.wait(20)
    pids = [int(pid) for pid in re.findall(r"process (\d+) \(job p", shown.stderr)]
    assert shown.exit_code == 1
    assert pids
    assert "running: see `penstock jobs`" in shown.stderr
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_down_that_waits_too_long_says_who_still_works(penstock, watched):
    penstock("up", "-C", watched)
    shown = penstock("down", "--wait", 0, "-C", watched)
    assert (shown.exit_code, "was asked to stop" in shown.stderr) == (4, True)


def test_down_with_nothing_up_is_well(penstock, ran):
    shown = penstock("down", "-C", ran)
    assert (shown.exit_code, shown.output) == (0, "nothing is running\n")
