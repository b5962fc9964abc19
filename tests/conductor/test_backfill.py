"""Backfill: a new version is applied to old units, after all new data."""

from pathlib import Path

import pytest
from tests.conductor.grid import Grid
from tests.conductor.test_order import SLOW_S, lab, listing, table, watching

from penstock.conductor import Conductor
from penstock.conductor.staleness import AHEAD
from penstock.graph import build
from penstock.ledger import Ledger
from penstock.ledger.redoing import plan_redo
from penstock.ledger.requests import record
from penstock.ledger.tallies import recount
from penstock.testing import ManualClock, PretendSite
from penstock.testing.campaigns import MadeCampaign

COPY = """
[stage.copy]
each = "run"
command = ["cp", "x", "{product}"]
products = "copy/{experiment}/{run}.txt"
batch = 2
"""
SECOND = COPY + 'version = "2"\n'
MERGE = """
[stage.merge]
each = "experiment"
after = ["copy"]
command = ["cat", "{inputs.copy}"]
products = "{experiment}.txt"
"""
FRESH = pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one every turn"])


def define(made: MadeCampaign, stages: str) -> None:
    """Write other stages into the definition."""
    text = (made.root / "penstock.toml").read_text()
    (made.root / "penstock.toml").write_text(text[: text.index("[stage.")] + stages.lstrip())


def ask(made: MadeCampaign, **target: object) -> None:
    """Request to redo, as a command does while somebody drives the campaign."""
    with Ledger.open(made.root) as ledger:
        record(ledger, "redo", target, "me@here", 1_600_000_000.0)


def settle(made: MadeCampaign, stage: str = "copy") -> None:
    """Find all units, and make all tasks of a stage done, as an older version of it did."""
    with Conductor(made.load(), command="x", site=made.site(), clock=ManualClock()) as conductor:
        conductor.discover()
        with conductor.ledger.transaction() as db:
            sql = "UPDATE task SET state = 'done', made = 'older', stale = 'the definition changed' WHERE stage = ?"
            db.execute(sql, (conductor.graph.ids[stage],))
            recount(db, conductor.graph, stage)


@FRESH
def test_new_units_go_before_the_backfill_here(tmp_path: Path, fresh: bool) -> None:
    old = [f"a,{n},1" for n in range(60)]
    made = lab(tmp_path, COPY, old)
    assert made.run().code == 0
    define(made, SECOND)
    begun: list[str] = []
    site = PretendSite(made.root, rule=listing(begun), clock=ManualClock(), cores=2)
    for turn in watching(made, site, fresh):
        ask(made, stage="copy")
        turn()
        turn()
        assert len(begun) >= 2
        made.write("runs.csv", table([*old, "z,1,1"]), mtime=1_500_000_100)
        site.clock.turn(60)
        turn()
        before = len(begun)
        while "copy z/1" not in begun:
            site.clock.turn(SLOW_S)
            turn()
            assert len(begun) < 60, "it waited for the backfill"
        assert len(begun) - before <= 6  # what the two slots had already, and what began beside it
        while made.states("copy") != dict.fromkeys(made.states("copy"), "done") or len(begun) < 61:
            site.clock.turn(SLOW_S)
            turn()
    assert len(begun) == 61
    assert len(set(begun)) == 61


@FRESH
def test_old_products_count_until_their_turn_has_come(tmp_path: Path, fresh: bool) -> None:
    made = lab(tmp_path, SECOND, [f"a,{n},1" for n in range(3 * AHEAD)])
    settle(made)
    ask(made, stage="copy", where="run < 2500")
    site = PretendSite(made.root, rule=listing([]), clock=ManualClock(), cores=2)
    for turn in watching(made, site, fresh):
        for _ in range(5):
            turn()
            states = list(made.states("copy").values())
            assert states.count("ready") <= AHEAD
            assert states.count("done") >= 3 * AHEAD - AHEAD - 5 * 2 * 4
            site.clock.turn(SLOW_S)
    with Ledger.open(made.root, readonly=True) as ledger:
        behind = ledger.db.execute("SELECT count(*) FROM task WHERE behind AND redo > 1").fetchone()[0]
    assert behind > 1000


def chosen(made: MadeCampaign, **target: object) -> tuple[list[int], str]:
    """Return the runs that a request would redo, and what it answers."""
    with Ledger.open(made.root, readonly=True) as ledger:
        ids = dict(ledger.db.execute("SELECT name, id FROM stage"))
        keys = dict(ledger.db.execute("SELECT id, key FROM unit").fetchall())
        redoing = plan_redo(ledger, build(made.load(), ids), target)
    runs = [int(keys[unit].strip('[]"').split(",")[1]) for unit in redoing.chosen.get("copy", [])]
    return runs, str(redoing)


@pytest.mark.parametrize(
    ("order", "first", "second"),
    [("oldest", [0, 1, 2], [3, 4]), ("newest", [5, 4, 3], [2, 1]), ("-run", [5, 4, 3], [2, 1])],
)
def test_a_limit_takes_the_first_old_ones_and_the_next_request_the_next(
    tmp_path: Path, order: str, first: list[int], second: list[int]
) -> None:
    made = lab(tmp_path, f'{SECOND}order = "{order}"\n', [f"a,{n},1" for n in range(6)])
    settle(made)
    assert chosen(made, stage="copy", limit=3) == (first, "3 of 6 stale tasks will be redone")
    ask(made, stage="copy", limit=3)
    assert made.run().code == 0
    assert chosen(made, stage="copy", where="run > 0 and run < 5", limit=2)[0] == second
    ask(made, stage="copy", limit=100)
    assert made.run().code == 0
    none = "nothing to redo: no task that matches is stale; a changed definition counts from the next turn on"
    assert chosen(made, stage="copy", limit=3) == ([], none)


@FRESH
def test_what_is_made_from_backfill_is_backfill_and_waits_for_all_of_it(tmp_path: Path, fresh: bool) -> None:
    made = lab(tmp_path, COPY + MERGE, [f"{'ab'[n % 2]},{n},1" for n in range(12)])
    assert made.run().code == 0
    define(made, SECOND + 'order = "run"\n' + MERGE)
    begun: list[str] = []
    site = PretendSite(made.root, rule=listing(begun), clock=ManualClock(), cores=1)
    for turn in watching(made, site, fresh):
        ask(made, stage="copy")
        while len(begun) < 12 or "ready" in made.states("merge").values():
            turn()
            site.clock.turn(SLOW_S)
    assert sum(line.startswith("copy") for line in begun) == 12
    assert sum(line.startswith("merge") for line in begun) <= 2


def begun_at(it: Grid) -> list[tuple[int, float]]:
    """Return how nice each element is that is at work, and when it began."""
    return [(job.nice, element.started or 0.0) for job, element in it.cluster.elements("RUNNING")]


GRID = """
[stage.copy]
each = "run"
command = ["cp", "x", "{product}"]
products = "out/{night}/{run}.txt"
batch = 4
"""


@FRESH
def test_a_new_unit_starts_within_a_turn_and_a_slot_though_fifty_thousand_old_ones_wait(
    tmp_path: Path, fresh: bool
) -> None:
    it = Grid(tmp_path, GRID, units=50_000, slots=4, fresh=fresh, stride=10.0)
    with it.conductor() as conductor:
        conductor.discover()
        with conductor.ledger.transaction() as db:
            db.execute("UPDATE task SET state = 'done', made = 'older', stale = 'the definition changed'")
            recount(db, conductor.graph, "copy")
    it.ask("redo", stage="copy")
    for _ in range(30):
        it.tick()
    assert len(it.cluster.elements("RUNNING")) == 4, "the backfill uses what is free"
    with (it.root / "runs.csv").open("a") as file:
        file.write("c,99999\n")
    it.define(GRID.replace("batch = 4", "batch = 1"))  # so that one unit is a batch
    before = it.clock.now()
    with it.conductor("tick") as conductor:
        conductor.tick()
    assert it.rows("SELECT state FROM task t JOIN unit u ON u.id = t.unit WHERE u.key = '[\"c\",99999]'") == [
        ("queued",)
    ]
    while 99999 not in it.begun():
        it.clock.turn(1.0)
    since = {nice: at for nice, at in sorted(begun_at(it), reverse=True) if at > before}
    assert since[0] == min(since.values()), "it took the first slot that was free"
