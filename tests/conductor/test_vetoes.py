"""A veto that has a time ends by itself, in the first turn after it, and the record says so."""

from datetime import UTC, datetime
from pathlib import Path

import penstock.record
from penstock.conductor import Conductor
from penstock.explain import explain
from penstock.ledger import Ledger
from penstock.testing import MadeCampaign, ManualClock, make_campaign

TOML = """
[campaign]
name = "vetoes"
levels = ["night", "run"]
[units]
files = "in/{night}/{run}.txt"
settle = "0s"
[stage.a]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "a/{night}/{run}.txt"
[stage.b]
each = "run"
after = ["a"]
command = ["cp", "{inputs.a}", "{product}"]
products = "b/{night}/{run}.txt"
"""


def states(made: MadeCampaign) -> set[tuple[str, str]]:
    return {(stage, state) for stage in "ab" for state in made.states(stage).values()}


def test_a_veto_holds_until_its_time_and_then_no_longer(tmp_path: Path) -> None:
    made = make_campaign(tmp_path, TOML, {"in/n1/x.txt": "x"})
    clock = ManualClock()
    site = made.site(clock=clock)

    def tick(seconds: float) -> None:
        clock.turn(seconds)
        with Conductor(made.load(), command="tick", clock=clock, site=site) as conductor:
            conductor.tick()

    with Conductor(made.load(), command="tick", clock=clock, site=site) as conductor:
        conductor.discover()
    with Ledger.open(made.root, create=True) as ledger:
        until = clock.now() + 100
        ledger.db.execute(
            "INSERT INTO request (at, by, action, target) SELECT 0, 'anna', 'veto',"
            " json_object('unit', id, 'why', 'clouds', 'until', ?) FROM unit WHERE key = '[\"n1\"]'",
            (until,),
        )
    tick(1)
    made.write("in/n1/z.txt", "z")
    tick(50)
    assert states(made) == {("a", "vetoed"), ("b", "vetoed")}, "what comes later is vetoed, too"
    with Ledger.open(made.root, readonly=True) as ledger:
        [why] = {line.why for line in explain(ledger, 3, now=clock.now())}
    assert why == f"vetoed by anna until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC: clouds"
    tick(50)
    assert ("a", "vetoed") not in states(made)
    tick(50)
    tick(50)
    assert states(made) == {("a", "done"), ("b", "done")}
    with penstock.record.open(made.root) as record:
        told = [(event.what, event.by) for event in record.history("n1") if "veto" in event.what]
    assert told == [
        (f"vetoed until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC", "anna"),
        ("veto lifted", "its end"),
    ]
