"""Pruning at any moment, while conductors work: nothing is lost, and nothing is run twice."""

import time
from itertools import count

import pytest
from tests.conductor.conftest import Lab

from penstock.conductor.rebuilding import compare_with_archives
from penstock.config import load
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.pruning import prune

VERSIONS, UNITS = 3, 30
STAGES = """
[stage.a]
each = "unit"
version = "{0}"
command = ["sh", "-c", "echo {0}-$1 >> runs; sleep 0.02; echo $1 > $0", "{{product}}", "{{unit}}"]
products = "a/{{unit}}"
"""
NUMBERS = count()


def prune_all(lab: Lab) -> None:
    """Prune all that may go at this moment."""
    with Ledger.open(lab.root) as ledger:
        prune(ledger, time.time(), lab.root / FOLDER / "exports" / str(next(NUMBERS)))


def is_made(lab: Lab, version: int) -> bool:
    """Whether a version was made of each unit; prunes, too."""
    prune_all(lab)
    return len(made_of(lab, version)) == UNITS and lab.states("a") == {"done": UNITS}


def made_of(lab: Lab, version: int) -> dict[str, int]:
    return {name: n for name, n in lab.runs().items() if name.startswith(f"{version}-")}


def begin(lab: Lab, version: int) -> None:
    """Have all units made by a version, those before it by a request that pruning must not forget."""
    lab.define(STAGES.format(version), units=UNITS)
    if version:
        assert lab.command("redo", "--stage", "a").returncode == 0


@pytest.fixture
def made(lab):
    """A campaign that was run once."""
    begin(lab, 0)
    assert lab.run().code == 0
    yield lab
    once = {f"{version}-u{n}": 1 for version in range(VERSIONS) for n in range(1, UNITS + 1)}
    assert lab.runs() == once
    assert lab.run().code == 0
    assert lab.runs() == once, "nothing was forgotten"
    prune_all(lab)
    assert lab.rows("SELECT count(*) FROM attempt")[0][0] == UNITS
    assert compare_with_archives(load(lab.root)) == []


def test_while_one_watches(made):
    for version in range(1, VERSIONS):
        begin(made, version)
        process = made.start("watch")
        made.wait_until(lambda v=version: is_made(made, v), f"version {version}")
        process.terminate()
        assert process.wait(30) == 0


def test_under_ticks_and_between_them(made):
    for version in range(1, VERSIONS):
        begin(made, version)
        while not is_made(made, version):
            tick = made.start("tick")
            made.wait_until(lambda v=version, t=tick: is_made(made, v) or t.poll() is not None, "a tick")
            assert tick.wait(30) == 0
