"""How long jobs waited and what starting them cost, as a record tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conductor.grid import COPY, Grid, taking

from penstock.ledger import Ledger
from penstock.simulation import Shape, Way, simulate
from penstock.simulation.waits import Stay, Waits, waits_between, waits_of

ONE_EACH = COPY.replace("batch = 2", "batch = 1")


def full(cores: int, count: int, *, start_s: float, task_s: float) -> list[Stay]:
    """Elements submitted at 0 that a node works on, so many at once."""
    rounds = (start_s + (start_s + task_s) * (n // cores) for n in range(count))
    return [Stay("n1", 0.0, began, began + task_s) for began in rounds]


def test_between_elements_on_a_full_node_lies_their_start() -> None:
    assert waits_between(full(2, 20, start_s=2.0, task_s=30.0)) == Waits(0.0, 2.0)


def test_who_finds_free_cores_waited_in_the_queue() -> None:
    alone = [Stay(f"n{n}", 0.0, 60.0, 70.0) for n in range(20)]
    assert waits_between(alone) == Waits(60.0, None)
    later = [Stay("n1", 100.0 * n, 100.0 * n + 60, 100.0 * n + 70) for n in range(20)]
    assert waits_between(later) == Waits(60.0, None), "each was submitted after the last one had left"


def test_what_the_queue_is_told_to_take_has_no_start_in_it() -> None:
    alone = [Stay(f"n{n + 2}", 0.0, 62.0, 70.0) for n in range(20)]
    stays = sorted(full(2, 20, start_s=2.0, task_s=30.0) + alone, key=lambda stay: stay.began)
    assert waits_between(stays) == Waits(60.0, 2.0)


def test_where_no_job_was_nothing_is_told() -> None:
    assert waits_between([]) == Waits(None, None)


@pytest.mark.parametrize("way", ["engine", "model"])
def test_a_prediction_from_a_record_takes_as_long_as_what_it_predicts(tmp_path: Path, way: Way) -> None:
    """On 4 cores, 24 s a task and 6 s for each start: those of 30 s that 120 units need are no shorter without a start.

    Within 5 %: the conductor looks 200 times in that time, and each of 30 rounds begins a second late at most.
    """

    def grid(name: str, units: int) -> Grid:
        return Grid(
            tmp_path / name,
            ONE_EACH,
            units=units,
            slots=4,
            nodes=["n1"],
            start_s=6.0,
            rule=taking(24),
            even=True,
        )

    earlier, later = grid("earlier", 20), grid("later", 120)
    assert earlier.run().code == 0
    with Ledger.open(earlier.root, readonly=True) as ledger:
        assert waits_of(ledger).start_s == pytest.approx(6.0, abs=earlier.stride)
    shape = Shape(1, 4, spread=0.0)
    [forecast] = simulate(later.campaign(), shape, courses=1, earlier=earlier.root, way=way)
    begun = later.clock.now()
    assert later.run().code == 0
    [(ended,)] = later.rows("SELECT max(ended) FROM attempt")
    assert forecast.finish_s(0.5) == pytest.approx(ended - begun, rel=0.05)
    assert any("each needs" in line for line in forecast.lines())
