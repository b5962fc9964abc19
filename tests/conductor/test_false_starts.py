"""A runner that dies before its first event: its own words are what `why` and `log` show."""

import sys
from pathlib import Path

import pytest
from tests.conductor.grid import COPY, Grid

from penstock.explain import explain, find_stage, read_log
from penstock.ledger import Ledger

TRACEBACK = """\
Loading gcc/12
Traceback (most recent call last):
  File "/w/runner.pyz/__main__.py", line 3, in <module>
    import fcntl
ModuleNotFoundError: No module named 'fcntl'
"""


def dies_on_import(it: Grid) -> None:
    """Let the elements that wait end as a node's broken Python ends them."""
    for job, element in it.cluster.elements("PENDING"):
        (job.folder / "runner.log").write_text(TRACEBACK)
        element.end("FAILED", code="1:0", at=it.clock.now())


@pytest.mark.parametrize("fresh", [False, True])
def test_what_it_said_is_why_its_stage_is_paused_and_its_log(tmp_path: Path, fresh: bool) -> None:
    it = Grid(tmp_path, units=2, queue_s=9e9, fresh=fresh)
    it.clock.watchers.append(lambda: dies_on_import(it))
    ending = it.run()
    assert ending.code == 1
    assert it.rows("SELECT DISTINCT state, tries, free FROM task") == [("ready", 0, 0)]
    with Ledger.open(it.root, readonly=True) as ledger:
        unit = ledger.db.execute("SELECT unit FROM task").fetchone()[0]
        (why,) = explain(ledger, unit, now=it.clock.now())
        log = read_log(ledger, unit, find_stage(ledger.db, "copy"))
    assert "ModuleNotFoundError: No module named 'fcntl'" in why.why
    assert "correct the site's `python`" in why.why
    assert log.raw.decode() == TRACEBACK
    assert (log.outcome, log.attempt) == ("not begun", None)


def test_it_is_told_already_before_the_stage_is_paused(tmp_path: Path) -> None:
    it = Grid(tmp_path, COPY + "batch_wait = '0s'\n", units=2, queue_s=9e9)
    it.tick()
    it.at(20, lambda: dies_on_import(it))
    for _ in range(20):
        it.tick()
        if it.rows("SELECT 1 FROM job WHERE state = 'finished'"):
            break
    with Ledger.open(it.root, readonly=True) as ledger:
        why = ledger.db.execute("SELECT why FROM job WHERE state = 'finished'").fetchone()[0]
    assert "No module named 'fcntl'" in why


def test_the_words_of_a_runner_that_died_later_are_told_too(tmp_path: Path) -> None:
    it = Grid(tmp_path, units=2, nights="a")

    def die() -> None:
        (it.job().folder / "runner.log").write_text(TRACEBACK)
        it.cluster.kill(it.element(1))

    it.at(20, die)
    assert it.run().code == 0
    (why,) = {row[0] for row in it.rows("SELECT why FROM attempt WHERE outcome = 'lost'")}
    assert why.startswith("its runner ended without a message, pretend says FAILED")
    assert why.endswith("its log says: import fcntl; ModuleNotFoundError: No module named 'fcntl'")
    with Ledger.open(it.root, readonly=True) as ledger:
        unit = ledger.db.execute("SELECT unit FROM attempt WHERE outcome = 'lost'").fetchone()[0]
        assert read_log(ledger, unit, find_stage(ledger.db, "copy"), attempt=1).raw.decode() == TRACEBACK


def test_a_real_runner_whose_python_is_broken_shows_its_traceback(lab) -> None:
    python = lab.write("bin/python", f"#!/bin/sh\nexec {sys.executable} -c 'import no_such_module'\n")
    python.chmod(0o755)
    lab.define('[stage.a]\neach = "unit"\ncommand = ["true"]\n', units=3)
    text = lab.read("penstock.toml").replace("cores = 2", f'cores = 2\npython = "{python}"')
    lab.write("penstock.toml", text)
    assert lab.run().code == 1
    shown = lab.command("log", "u1")
    assert shown.stdout.startswith("Traceback (most recent call last):")
    assert shown.stdout.rstrip().endswith("ModuleNotFoundError: No module named 'no_such_module'")
    assert "# a: not begun, from " in shown.stderr
    assert "No module named 'no_such_module'" in lab.command("why", "u2").stdout
