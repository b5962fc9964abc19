"""What the tests start ends with them, and hears signals however the tests were started."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.started import HEARD, Started

ROOT = Path(__file__).parents[1]
WATCHING = "tests/cli/test_questions.py::test_status_watch_goes_on_until_interrupted"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def ignore_all() -> None:
    for number in HEARD:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)


def test_a_test_that_interrupts_is_green_where_signals_are_ignored_and_blocked():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", WATCHING]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=ignore_all)
    assert done.returncode == 0, done.stdout


def test_what_a_failing_test_started_is_asked_to_stop():
    try:
        with Started() as start:
            process = start(["sleep", "60"])
            raise AssertionError
    except AssertionError:
        assert process.returncode == -signal.SIGTERM


def test_what_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr("tests.started.PATIENCE_S", 0.05)
    with Started() as start:
        process = start([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
        process.stdout.readline()
    assert process.returncode == -signal.SIGKILL


def test_what_has_ended_by_itself_keeps_its_code():
    with Started() as start:
        process = start(["sh", "-c", "exit 3"])
        while process.poll() is None:
            time.sleep(0.01)
    assert process.returncode == 3
