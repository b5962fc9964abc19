"""Holes in event files, as a network file system shows them for a while, and as a power loss leaves them."""

from pathlib import Path

import pytest
from tests.conductor.grid import COPY, Grid

ONE_ELEMENT = COPY.replace("batch = 2", "batch = 6")
fresh_or_not = pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one each turn"])


def with_hole(it: Grid, lasts_s: float) -> None:
    """Let readers see NULs in place of a part of the first end in the first event file, for so long."""
    until = it.clock.now() + lasts_s

    def spoil() -> None:
        for events in (runner.events for runner in it.runners()[:1]):
            data, at = bytes(events.data), events.data.find(b'"e":"end"')
            if at >= 0 and it.clock.now() < until:
                data = data[: at - 20] + bytes(40) + data[at + 20 :]
            if events.path and events.path.exists():
                events.path.write_bytes(data)

    it.clock.watchers.append(spoil)


@fresh_or_not
def test_what_lies_in_a_hole_is_heard_when_it_is_filled(tmp_path: Path, *, fresh: bool) -> None:
    it = Grid(tmp_path, ONE_ELEMENT, fresh=fresh)
    with_hole(it, 100.0)
    assert it.run().code == 0
    assert set(it.begun().values()) == {1}
    assert it.outcomes() == ["ok"] * 6
    assert it.rows("SELECT why FROM problem") == []


@fresh_or_not
def test_a_hole_that_stays_keeps_nothing_behind_it_while_the_runner_lives(
    tmp_path: Path, *, fresh: bool
) -> None:
    it = Grid(tmp_path, COPY.replace("batch = 2", "batch = 20"), units=20, fresh=fresh)
    with_hole(it, 1e9)
    seen = dict[str, int]()
    it.at(400, lambda: seen.update(it.states()))
    it.run()
    assert seen["done"] > 5, "what follows it counts before the runner is over"
    assert it.states() == {"done": 20}
    assert sorted(it.begun().values()) == [1] * 19 + [2]


@fresh_or_not
def test_a_hole_that_a_dead_runner_left_ends_with_it(tmp_path: Path, *, fresh: bool) -> None:
    it = Grid(tmp_path, ONE_ELEMENT, fresh=fresh)
    with_hole(it, 1e9)
    it.at(100, lambda: it.cluster.fail_node(it.element(1).node))
    it.run()
    assert it.states() == {"done": 6}
    assert it.clock.monotonic() < 1000
