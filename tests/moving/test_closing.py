"""A closing that moves and is killed with kill -9 at each boundary of that step ends with the same bytes, and one seal."""

import pytest
from tests.closing.test_kills import Bench
from tests.moving.conftest import MOVING, tree, without_record

from penstock.conductor.rebuilding import rebuild
from penstock.config import load

WORKING = ("copies", "parts", "sums")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("moving"), MOVING, ("seals", "final", "moved", *WORKING))


@pytest.mark.parametrize(
    ("whom", "step", "state"),
    [
        ("everybody", "move", "running"),
        ("everybody", "clear", "running"),
        ("runner", "move", "done"),
    ],
)
def test_a_kill_at_a_boundary_of_the_step_changes_nothing(
    bench: Bench, whom: str, step: str, state: str
) -> None:
    bench.reset()
    bench.strike(whom, lambda: bench.has_come(f"close.night.{step}-final", state))
    bench.check()
    assert not [name for place in WORKING for name in tree(bench.root / place)]


@pytest.mark.parametrize("step", ["move", "clear"])
def test_a_record_that_is_lost_in_the_middle_of_a_move_is_made_anew(bench: Bench, step: str) -> None:
    bench.reset()
    bench.strike("everybody", lambda: bench.has_come(f"close.night.{step}-final", "running"))
    without_record(bench.root)
    rebuild(load(bench.root))
    assert bench.command().wait() == 0
    assert bench.made() == bench.whole
