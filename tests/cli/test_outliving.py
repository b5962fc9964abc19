"""`up` outlives its terminal, and a long sleep of its machine."""

import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from penstock.cli.background import MOST_BYTES
from penstock.unattended.detached import find_holder

PATIENCE_S = 30.0
DEFINITION = """
campaign = { name = "winter", levels = ["file"] }
units = { files = "data/{file}.txt", settle = "0s" }
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
"""


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.05)


@pytest.fixture
def winter(tmp_path: Path, penstock) -> Iterator[Path]:
    """A campaign of files; whatever is up at the end is brought down."""
    root = tmp_path / "winter"
    (root / "data").mkdir(parents=True)
    (root / "penstock.toml").write_text(DEFINITION)
    yield root
    if (root / ".penstock/ledger.sqlite").exists():
        expire(root, time.time() + 120)  # what sleeps would not be found otherwise
    if working := find_holder(root):
        os.kill(working.pid, signal.SIGCONT)
        penstock("down", "-C", root)


def bring(root: Path, name: str) -> None:
    """Let a file arrive."""
    (root / "data" / f"{name}.txt").write_text(name)


def is_done(root: Path, name: str) -> bool:
    return (root / "out" / f"{name}.txt").exists()


def log_of(root: Path) -> str:
    return (root / ".penstock/conductor.log").read_text()


def expire(root: Path, at: float = 1.0) -> None:
    """Let the lease expire, as it does while a machine sleeps for more than two minutes."""
    with closing(sqlite3.connect(root / ".penstock/ledger.sqlite", timeout=10)) as db, db:
        db.execute("UPDATE lease SET expires = ?", (at,))


def sleep(pid: int) -> None:
    """Let a process sleep, and wait until it does."""
    os.kill(pid, signal.SIGSTOP)
    until(
        lambda: Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T",
        "it sleeps",
    )


def test_it_outlives_its_terminal(winter: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "penstock", "up", "-C", str(winter)])
    said = b""
    while b"stop it with" not in said:
        said += os.read(terminal, 1000)
    os.close(terminal)  # the terminal hangs up
    os.waitpid(pid, 0)
    working = find_holder(winter)
    assert working
    assert str(working.pid) in re.findall(r"process (\d+)", said.decode())
    stat = Path(f"/proc/{working.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    assert (int(stat[3]), int(stat[4])) == (working.pid, 0), "a session of its own, and no terminal"
    os.kill(working.pid, signal.SIGHUP)
    bring(winter, "late")
    until(lambda: is_done(winter, "late"), "what came after it is done")
    assert find_holder(winter) == working


def test_what_it_starts_can_still_be_hung_up(winter: Path, penstock) -> None:
    text = DEFINITION.replace('["cp", "{path}", "{product}"]', '["cp", "/proc/self/status", "{product}"]')
    (winter / "penstock.toml").write_text(text)
    bring(winter, "a")
    assert penstock("up", "-C", winter).exit_code == 0
    until(lambda: is_done(winter, "a"), "the task is done")
    ignored = re.search(r"SigIgn:\s*([0-9a-f]+)", (winter / "out/a.txt").read_text())
    assert ignored
    assert not int(ignored[1], 16) >> (signal.SIGHUP - 1) & 1


def test_it_goes_on_after_a_long_sleep_under_its_lease(winter: Path, penstock) -> None:
    penstock("up", "-C", winter)
    working = find_holder(winter)
    sleep(working.pid)
    expire(winter)
    assert find_holder(winter) is None
    os.kill(working.pid, signal.SIGCONT)
    bring(winter, "a")
    until(lambda: is_done(winter, "a"), "the file is copied")
    with closing(sqlite3.connect(winter / ".penstock/ledger.sqlite")) as db:
        assert tuple(db.execute("SELECT pid, since, epoch FROM lease").fetchone()) == (
            working.pid,
            working.since,
            1,
        )


def test_it_ends_with_a_sentence_when_another_took_over_while_it_slept(winter: Path, penstock) -> None:
    penstock("up", "-C", winter)
    old = find_holder(winter)
    sleep(old.pid)
    expire(winter)
    assert penstock("up", "-C", winter).exit_code == 0
    new = find_holder(winter)
    assert new.pid != old.pid
    os.kill(old.pid, signal.SIGCONT)
    for name in ("a", "b"):
        bring(winter, name)
    until(lambda: f"was taken over by process {new.pid}" in log_of(winter), "the old one says why it ends")
    until(lambda: old.process.dead, "the old one ends")
    until(lambda: is_done(winter, "a") and is_done(winter, "b"), "the files are copied")
    assert find_holder(winter).pid == new.pid
    with closing(sqlite3.connect(winter / ".penstock/ledger.sqlite")) as db:
        attempts = "SELECT count(*), count(DISTINCT unit) FROM attempt"
        until(lambda: db.execute(attempts).fetchone()[1] == 2, "the new one records both")
        assert db.execute(attempts).fetchone() == (2, 2)


def test_a_tick_meanwhile_ends_it_too(winter: Path, penstock) -> None:
    penstock("up", "-C", winter)
    old = find_holder(winter)
    sleep(old.pid)
    expire(winter)
    bring(winter, "a")
    subprocess.run(
        [sys.executable, "-m", "penstock", "tick", "-C", str(winter)], check=True, capture_output=True
    )
    os.kill(old.pid, signal.SIGCONT)
    until(lambda: old.process.dead, "the old one ends")
    assert "was taken over by a conductor on" in log_of(winter)


def test_no_file_of_the_campaign_is_taken_for_a_module_of_python(winter: Path, penstock) -> None:
    (winter / "json.py").write_text("raise SystemExit('the wrong json')")
    bring(winter, "a")
    shown = penstock("up", "-C", winter)
    assert (shown.exit_code, shown.stderr) == (0, "")
    until(lambda: is_done(winter, "a"), "the file is copied")


def test_its_log_does_not_grow_for_ever(winter: Path, penstock) -> None:
    log = winter / ".penstock/conductor.log"
    log.parent.mkdir(mode=0o700)
    with log.open("wb") as long:
        long.truncate(MOST_BYTES)
    penstock("up", "-C", winter)
    until(lambda: log.with_suffix(".log.1").exists(), "another log is begun")
    assert log.with_suffix(".log.1").stat().st_size >= MOST_BYTES
    bring(winter, "a")
    until(lambda: "copy 1/1 done" in log_of(winter), "the new log is written to")


def test_down_ends_it_with_0_so_that_nothing_starts_it_again(winter: Path, penstock) -> None:
    (winter / "penstock.toml").write_text(DEFINITION.replace('"cp"', '"false"'))
    bring(winter, "a")
    command = [sys.executable, "-m", "penstock", "watch", "--background", "-C", str(winter)]
    with subprocess.Popen(command) as process:
        until(
            lambda: "1 failed" in (log_of(winter) if (winter / ".penstock/conductor.log").exists() else ""),
            "failed",
        )
        penstock("down", "-C", winter)
        assert process.wait(PATIENCE_S) == 0
