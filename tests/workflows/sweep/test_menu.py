"""`penstock sweep` at a terminal: a menu from the first question to the results."""

from pathlib import Path

import pexpect
import pytest
from tests.workflows.sweep.terminal import answer, at_terminal, finish

MENU = "A number or a letter"


@pytest.fixture
def home(bench) -> Path:
    """Give a folder of sweeps, with one that has a program and is not written yet."""
    bench.ready()
    (bench.folder / "sweep.toml").unlink()
    home = bench.folder.parent / "home"
    home.mkdir()
    bench.folder.rename(home / "heat")
    return home


def make(program: pexpect.spawn) -> None:
    """Write a sweep of two points, of which one fails."""
    assert "There is no sweep here yet" in answer(program, MENU, "n")
    for question, text in (
        ("Folder of the sweep", "heat"), ("Number or name of the program", "5"),
        (MENU, "T"), ("How", "l"), ("Values", "3, 4"), (MENU, "w"), ("Write heat/sweep.toml", "y"),
        ("Write the inputs", "y"), ("Run them now", "n"),
    ):  # fmt: skip
        answer(program, question, text)


def wait_for(program: pexpect.spawn, wanted: str) -> str:
    """Receive and list points until a state is there."""
    for _ in range(100):
        answer(program, "What", "r")
        told = answer(program, "What", "l")
        answer(program, "Only where", "")
        if wanted in told:
            return told
    raise AssertionError(told)


def test_a_person_makes_runs_looks_at_retries_and_deletes_a_sweep(home: Path) -> None:
    program = at_terminal(home, "sweep")
    make(program)
    assert "1 heat" in answer(program, MENU, "7")
    program.expect_exact("'7' is none of 1, n, q")
    answer(program, MENU, "1")
    answer(program, "What", "s")
    program.expect_exact("0 new, 2 there already")
    assert "1 of 2 points are here" in wait_for(program, "1 failed")
    answer(program, "What", "l")
    answer(program, "Only where", "T < 4")
    told = answer(program, "What", "a")
    assert "done   3" in told
    assert "failed  4" not in told
    answer(program, "By which", "")
    program.expect_exact("see file:///")
    answer(program, "What", "t")
    answer(program, "Only where", "T < warm")
    program.expect_exact("'warm', which is unknown")
    answer(program, "What", "t")
    answer(program, "Only where", "")
    program.expect_exact("next: cd heat")
    delete(program)
    assert "There is no sweep here yet" in answer(program, MENU, "q")
    assert finish(program)[0] == 0
    assert sorted(path.name for path in (home / "heat").iterdir()) == ["model", "programs"]


def delete(program: pexpect.spawn) -> None:
    """Think better of deleting a sweep, look at it once more, then delete it."""
    answer(program, "What", "d")
    program.expect_exact("Delete the sweep in heat")
    program.sendintr()
    program.expect_exact("nothing done")
    answer(program, "What", "e")
    answer(program, MENU, "q")
    answer(program, "What", "d")
    program.expect_exact("Delete the sweep in heat")
    program.sendline("y")
    program.expect_exact("deleted the sweep in heat")
