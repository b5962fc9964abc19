"""One turn: which steps are taken, in which order, and when each is due again."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from penstock.conductor import Conductor
from penstock.conductor.discovery import Discovery
from penstock.conductor.steps import STEPS, apply_requests, collect, discover, submit
from penstock.errors import DefinitionError
from penstock.testing import MadeCampaign, ManualClock, Outcome, PretendSite, make_campaign

TOML = """
[campaign]
name = "turns"
levels = ["file"]
[units]
files = "in/{file}.txt"
settle = "10s"
[stage.a]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "a/{file}.txt"
[stage.b]
each = "file"
after = ["a"]
command = ["cp", "{inputs.a}", "{product}"]
products = "b/{file}.txt"
"""


@pytest.fixture
def made(tmp_path: Path) -> MadeCampaign:
    return make_campaign(tmp_path, TOML, {f"in/{name}.txt": name for name in "xyz"})


def conductor_of(made: MadeCampaign, clock: ManualClock, site: PretendSite | None = None) -> Conductor:
    return Conductor(made.load(), command="watch", clock=clock, site=site or made.site(clock=clock))


def looks(made: MadeCampaign, seconds: float, later: dict[float, Callable[[], object]]) -> list[float]:
    """Watch for so long, while things happen; return when the sources were looked at."""
    clock = ManualClock()
    seen = list[float]()
    with conductor_of(made, clock) as conductor:
        conductor.open_ended = True
        while clock.monotonic() < seconds:
            for at in [at for at in later if at <= clock.monotonic()]:
                later.pop(at)()
            before = conductor.crew.found
            conductor.turn()
            if conductor.crew.found is not before:
                seen.append(clock.monotonic())
            clock.turn(1.0)
    return seen


def test_ends_are_heard_before_what_they_make_ready_is_given_out() -> None:
    order = [STEPS.index(step) for step in (apply_requests, collect, discover, submit)]
    assert order == sorted(order)


def test_a_turn_on_an_end_gives_out_what_it_made_ready(made: MadeCampaign) -> None:
    clock = ManualClock()
    site = made.site(lambda run: Outcome(seconds=20.0), clock=clock)
    turns = []
    for _ in range(4):
        with Conductor(made.load(), command="tick", clock=clock, site=site) as conductor:
            turns.append(conductor.tick())
        clock.turn(100.0)
    assert (turns[0].new, turns[0].given) == (3, 3)
    assert (turns[1].ended, turns[1].given) == (3, 3), "the next link, in the same turn"
    assert set(made.states("b").values()) == {"done"}


def test_a_tick_tells_two_tasks_with_one_product_as_a_run_does(made: MadeCampaign) -> None:
    text = (made.root / "penstock.toml").read_text().replace('"b/{file}.txt"', '"b/{size}.txt"')
    made.write("penstock.toml", text)
    with (
        pytest.raises(DefinitionError, match="would write the same product"),
        conductor_of(made, ManualClock()) as conductor,
    ):
        conductor.tick()


def test_sources_without_times_are_looked_at_soon_after_news_and_ever_more_rarely_without(
    made: MadeCampaign,
) -> None:
    text = (made.root / "penstock.toml").read_text()
    made.write(
        "penstock.toml", text.replace('settle = "10s"', 'companions = ["{path}.json"]\nsettle = "10s"')
    )
    for name in "xyzw":
        made.write(f"in/{name}.txt.json", "")
    seen = looks(made, 3000.0, {1500.0: lambda: made.write("in/w.txt", "w")})
    gaps = [later - earlier for earlier, later in pairwise(seen)]
    assert gaps[:9] == [2, 4, 8, 16, 32, 64, 128, 256, 300]
    found = next(n for n, at in enumerate(seen) if at >= 1500)
    assert gaps[found : found + 3] == [2, 4, 8]


def test_folders_are_looked_at_every_few_seconds_and_a_new_file_is_found_at_once(made: MadeCampaign) -> None:
    old(made.root / "in")
    seen = looks(made, 60.0, {30.0: lambda: made.write("in/w.txt", "w")})
    assert {later - earlier for earlier, later in pairwise(seen)} == {3}
    assert len(made.states("a")) == 4


def test_a_glance_finds_what_came_and_went_and_only_a_scan_of_all_what_was_written_in_place(
    made: MadeCampaign,
) -> None:
    clock = ManualClock()
    with conductor_of(made, clock) as conductor:
        conductor.open_ended = True
        glance = conductor.crew.discoverer.glance
        old(made.root / "in")
        conductor.discover()
        made.write("in/w.txt", "w")
        clock.turn(20.0)
        assert glance()[1:4] == (1, 0, 0)
        clock.turn(20.0)
        glance()
        (made.root / "in/x.txt").unlink()
        assert glance()[1:4] == (0, 0, 1)
        clock.turn(20.0)
        glance()
        with (made.root / "in/y.txt").open("a") as file:
            file.write("more")
        os.utime(made.root / "in/y.txt", (1_600_000_000, 1_600_000_000))
        assert glance() == Discovery()
        assert conductor.crew.discoverer.discover(open_ended=True)[1:4] == (0, 1, 0)
    assert made.states("a") == {'["w"]': "ready", '["x"]': "gone", '["y"]': "ready", '["z"]': "ready"}


def test_a_glance_writes_nothing_where_nothing_changed(made: MadeCampaign) -> None:
    with conductor_of(made, ManualClock()) as conductor:
        old(made.root / "in")
        conductor.discover()
        conductor.ledger.db.execute("PRAGMA query_only = ON")
        assert conductor.crew.discoverer.glance() == Discovery()


def test_after_a_scan_with_a_problem_all_is_scanned_until_there_is_none(made: MadeCampaign) -> None:
    made.write("in/odd.name.txt.TXT", "")
    made.write("in/sub/x", "")
    with conductor_of(made, ManualClock()) as conductor:
        conductor.open_ended = True
        conductor.turn()
        assert conductor.crew.discoverer.may_glance()
        os.symlink("nowhere", made.root / "in/link.txt")
        conductor.discover()
        assert not conductor.crew.discoverer.may_glance()
        (made.root / "in/link.txt").unlink()
        conductor.turn(discover)
        assert conductor.crew.discoverer.may_glance()


def test_a_run_and_a_tick_scan_all(made: MadeCampaign) -> None:
    for command in ("run", "tick"):
        with Conductor(made.load(), command=command, clock=ManualClock(), site=made.site()) as conductor:
            conductor.tick() if command == "tick" else conductor.discover()
            assert conductor.crew.discoverer.was_whole


def old(folder: Path) -> None:
    """Let a folder look as if it did not change for long."""
    os.utime(folder, (1_600_000_000, 1_600_000_000))


def test_a_file_that_settles_is_looked_at_when_it_should_be_at_rest(made: MadeCampaign) -> None:
    def grow() -> None:
        made.write("in/w.txt", "w", mtime=1_600_000_000.0 + 1200)

    seen = looks(made, 2000.0, {1200.0: grow})
    found = next(n for n, at in enumerate(seen) if at >= 1200)
    assert seen[found + 1] - seen[found] <= 10
    assert os.path.exists(made.root / "in/w.txt")
    assert len(made.states("a")) == 4


def test_a_slow_look_is_not_repeated_at_once(made: MadeCampaign) -> None:
    with conductor_of(made, ManualClock()) as conductor:
        discoverer, found = conductor.crew.discoverer, conductor.crew.found
        assert discoverer.pause(found, took_s=30.0, open_ended=True) == 600
        assert discoverer.pause(found, took_s=30.0, open_ended=False) == float("inf"), "a run looks once"


def test_two_tasks_with_one_product_end_no_watch(lab):
    stage = '[stage.a]\neach = "unit"\ncommand = ["sh", "-c", "echo $1 > $0", "{product}", "{unit}"]\nproducts = "a/{kind}"\n'
    lab.define(stage)
    lab.write("units.csv", "unit,kind\nu1,x\n")
    with lab.conductor() as conductor:
        conductor.open_ended = True
        conductor.discover()
        lab.write("units.csv", "unit,kind\nu1,x\nu2,x\nu3,y\n")
        conductor.discover()
        ((why,),) = lab.rows("SELECT why FROM problem")
        assert why.startswith("two tasks would write the same product, a/x: a of u1 and a of u2")
        conductor.submit()
        lab.wait_until(
            lambda: (conductor.turn(), lab.states("a"))[1] == {"done": 2, "failed": 1}, "all went out"
        )
    assert lab.read("a/y") == "u3\n"
    assert lab.read("a/x") == "u1\n"


def test_two_tasks_with_one_product_are_refused_from_the_start(lab):
    lab.define('[stage.a]\neach = "unit"\ncommand = ["touch", "{product}"]\nproducts = "a/{kind}"\n')
    lab.write("units.csv", "unit,kind\nu1,x\nu2,x\n")
    with lab.conductor() as conductor:
        conductor.open_ended = True
        with pytest.raises(DefinitionError, match="two tasks would write the same product"):
            conductor.discover()
