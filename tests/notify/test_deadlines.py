"""A deadline is missed when its time comes and something that it asks for is not done; somebody is told of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.notify.conftest import turns

from penstock.conductor import Conductor
from penstock.config import load
from penstock.errors import DefinitionError
from penstock.explain import explain, find_units
from penstock.graph import build
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.requests import record
from penstock.testing import ManualClock, Outcome, PretendSite, make_campaign

HEAD = """
[campaign]
name = "sky"
levels = ["night", "run"]
[units]
table = "runs.csv"
complete = { night = "not_before 08:00 next day" }
[stage.take]
each = "run"
command = ["cp", "x", "{product}"]
products = "raw/{night}/{run}"
retry = { error = 0 }
[stage.join]
each = "night"
after = ["take"]
command = ["cp", "x", "{product}"]
products = "nights/{night}"
"""
DEADLINE = 'deadline = { night = "18:00 next day" }\n'
TELL = '[notify.log]\ncommand = ["tee", "-a", "told.txt"]\non = ["deadline", "recovery"]\nevery = "1min"\n'


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Sky:
    """A campaign of nights, with a clock set by hand."""

    def __init__(self, root: Path, definition: str, begin: str = "2026-01-10 20:00") -> None:
        self.made, self.bad = make_campaign(root, definition), set[str]()
        self.clock = ManualClock(at(begin))
        self.site = PretendSite(root, rule=self.rule, clock=self.clock)

    def rule(self, run):
        return Outcome("error", code=1) if run.key in self.bad else Outcome()

    def runs(self, *names: str) -> None:
        rows = "".join(f"{name.replace('/', ',')}\n" for name in names)
        self.made.write("runs.csv", f"night,run\n{rows}")

    def work(self, until: str) -> None:
        """Let a new conductor take turns until then: now, then, and a minute later."""
        with Conductor(self.made.load(), command="watch", site=self.site, clock=self.clock) as conductor:
            conductor.open_ended = True
            turns(conductor, 8)
            self.clock.turn(at(until) - self.clock.now())
            conductor.tick()
            turns(conductor, 8)
            self.clock.turn(70)
            conductor.tick()
            self.clock.turn(70)
            conductor.sender and conductor.sender.send()

    def rows(self, sql: str) -> list[tuple]:
        with Ledger.open(self.made.root, readonly=True) as ledger:
            return [tuple(row) for row in ledger.db.execute(sql)]

    def missed(self) -> list[tuple[str, str, bool]]:
        """Return stage, group, and whether it is over."""
        return self.rows(
            "SELECT s.name, u.key, over IS NOT NULL FROM missed m JOIN stage s ON s.id = m.stage"
            " JOIN unit u ON u.id = m.unit ORDER BY 1, 2"
        )


@pytest.fixture
def sky(tmp_path: Path):
    return lambda more=DEADLINE, **options: Sky(tmp_path / "sky", HEAD + more + TELL, **options)


def test_a_night_that_is_done_in_time_has_missed_nothing(sky):
    made = sky()
    made.runs("2026-01-10/1", "2026-01-10/2")
    made.work("2026-01-11 09:00")
    made.work("2026-01-11 18:01")
    assert made.missed() == []
    assert not (made.made.root / "told.txt").exists()


def test_a_night_that_is_not_done_is_late_from_the_minute_on_until_it_is(sky):
    made = sky()
    made.bad.add("2026-01-10/2")
    made.runs("2026-01-10/1", "2026-01-10/2")
    made.work("2026-01-11 09:00")
    made.work("2026-01-11 17:50")
    assert made.missed() == []
    made.work("2026-01-11 18:01")
    assert made.missed() == [("join", '["2026-01-10"]', False)]
    status = made.made.root
    with Ledger.open(status, readonly=True) as ledger:
        from penstock.status import Status

        shown = Status.read(ledger, now=made.clock.now())
        assert "! join 2026-01-10 was to be done by 18:00:00 UTC" in shown.to_text()
        assert shown.to_json()["late"][0]["due"] == at("2026-01-11 18:00")
        (told,) = explain(ledger, find_units(ledger, "2026-01-10")[0], "join", now=made.clock.now())
        assert "  late: join 2026-01-10 was to be done by 18:00:00 UTC" in told.to_text()
        assert told.to_json()["late"]
    assert "[sky] join 2026-01-10 is late" in (made.made.root / "told.txt").read_text()
    made.bad.clear()
    with Ledger.open(made.made.root) as ledger:
        record(ledger, "retry", {"all": True}, "me@here", made.clock.now())
    made.work("2026-01-12 09:00")
    made.work("2026-01-12 10:00")
    assert made.missed() == [("join", '["2026-01-10"]', True)]
    assert (made.made.root / "told.txt").read_text().count("[sky]") == 2
    assert "[sky] all is well again" in (made.made.root / "told.txt").read_text()


def test_a_deadline_that_came_while_nobody_worked_is_missed_at_the_next_turn(sky):
    made = sky()
    made.bad.add("2026-01-10/1")
    made.runs("2026-01-10/1")
    made.work("2026-01-11 09:00")
    made.clock.set(at("2026-01-14 12:00"))
    made.work("2026-01-14 12:10")
    assert made.missed() == [("join", '["2026-01-10"]', False)]


def test_a_night_that_comes_after_its_deadline_has_missed_it_and_old_ones_have_not(sky):
    made = sky(more="")
    made.bad |= {"2026-01-02/1", "2026-01-03/1"}
    made.runs("2026-01-02/1")
    made.work("2026-01-11 09:00")
    definition = made.made.root / "penstock.toml"
    definition.write_text(definition.read_text().replace("[notify.log]", f"{DEADLINE}[notify.log]"))
    made.work("2026-01-11 09:10")
    made.work("2026-01-11 20:00")
    assert made.missed() == [], "it was late before there was a deadline"
    made.runs("2026-01-02/1", "2026-01-03/1")
    made.work("2026-01-11 21:00")
    assert made.missed() == [("join", '["2026-01-03"]', False)]


def test_what_was_done_in_time_and_is_redone_later_has_missed_nothing(sky):
    made = sky()
    made.runs("2026-01-10/1")
    made.work("2026-01-11 09:00")
    made.work("2026-01-11 18:10")
    made.bad.add("2026-01-10/2")
    made.runs("2026-01-10/1", "2026-01-10/2")
    made.work("2026-01-12 09:00")
    made.work("2026-01-12 19:00")
    assert made.rows("SELECT count(*) FROM task WHERE state = 'failed'") == [(1,)]
    assert made.missed() == []


def test_a_vetoed_member_misses_no_deadline(sky):
    made = sky()
    made.bad.add("2026-01-10/2")
    made.runs("2026-01-10/1", "2026-01-10/2")
    made.work("2026-01-11 09:00")
    with Ledger.open(made.made.root) as ledger:
        unit = find_units(ledger, "2026-01-10/2")[0]
        record(ledger, "veto", {"unit": unit, "why": "clouds"}, "me@here", made.clock.now())
    made.work("2026-01-11 12:00")
    made.work("2026-01-11 18:10")
    assert made.missed() == []


def test_a_deadline_that_is_removed_makes_nobody_late(sky):
    made = sky()
    made.bad.add("2026-01-10/1")
    made.runs("2026-01-10/1")
    made.work("2026-01-11 18:10")
    definition = made.made.root / "penstock.toml"
    definition.write_text(definition.read_text().replace(DEADLINE, ""))
    made.work("2026-01-11 18:20")
    assert [over for *_, over in made.missed()] in ([], [True])


def test_a_night_without_a_date_is_a_problem_in_words(sky):
    made = sky(more=DEADLINE, begin="2026-01-10 20:00")
    definition = made.made.root / "penstock.toml"
    definition.write_text(definition.read_text().replace("not_before 08:00 next day", "quiet 1min"))
    made.bad.add("dark/1")
    made.runs("dark/1")
    made.work("2026-01-11 18:10")
    ((why,),) = made.rows("SELECT why FROM problem WHERE source = 'deadline join'")
    assert why == "'dark' is not a date such as 2020-01-17: `not_before` and `deadline` need a level of days"


def test_the_counts_that_a_deadline_needs_are_right(sky):
    made = sky(more="")
    definition = made.made.root / "penstock.toml"
    text = definition.read_text().replace("retry = { error = 0 }\n", f"retry = {{ error = 0 }}\n{DEADLINE}")
    definition.write_text(text)
    made.bad.add("2026-01-10/2")
    made.runs("2026-01-10/1", "2026-01-10/2", "2026-01-11/1")
    made.work("2026-01-11 09:00")
    made.work("2026-01-11 18:10")
    assert made.missed() == [("take", '["2026-01-10"]', False)]
    with Ledger.open(made.made.root, readonly=True) as ledger:
        ids = {row[1]: row[0] for row in ledger.db.execute("SELECT id, name FROM stage")}
        assert check_ledger(ledger, build(made.made.load(), ids)) == []


@pytest.mark.parametrize(
    ("deadline", "said"),
    [
        ('deadline = { nigth = "18:00" }', "'join' has no groups 'nigth'; did you mean 'night'?"),
        ('deadline = { run = "18:00" }', "'join' has no groups 'run'; "),
        ('deadline = { night = "6pm" }', "'6pm' is not a deadline; write"),
        ('deadline = { night = "24:00" }', "'24:00' is not a deadline"),
    ],
)
def test_a_wrong_deadline_is_refused(tmp_path, deadline, said):
    (tmp_path / "penstock.toml").write_text(HEAD + deadline)
    (tmp_path / "runs.csv").write_text("night,run\n")
    with pytest.raises(DefinitionError) as refused:
        load(tmp_path)
    assert said in str(refused.value)
    assert refused.value.line == 18


def test_a_deadline_makes_nothing_stale(tmp_path):
    (tmp_path / "runs.csv").write_text("night,run\n")
    digests = []
    for more in ("", DEADLINE):
        (tmp_path / "penstock.toml").write_text(HEAD + more)
        digests.append([stage.digest for stage in load(tmp_path).stages])
    assert digests[0] == digests[1]


def test_a_group_that_is_not_closed_by_its_hour_is_late_until_it_is(sky):
    made = sky('[close.night]\nnot_before = "08:00 next day"\ndeadline = "18:00 next day"\n')
    made.bad.add("2026-01-10/2")
    made.runs("2026-01-10/1", "2026-01-10/2")
    made.work("2026-01-11 17:50")
    assert made.missed() == []
    made.work("2026-01-11 18:01")
    assert made.missed() == [("close.night.seal", '["2026-01-10"]', False)]
    assert "close.night.seal 2026-01-10 is late" in (made.made.root / "told.txt").read_text()
    made.bad.clear()
    with Ledger.open(made.made.root) as ledger:
        record(ledger, "retry", {"all": True}, "me@here", made.clock.now())
    made.work("2026-01-12 09:00")
    made.work("2026-01-12 10:00")
    assert made.missed() == [("close.night.seal", '["2026-01-10"]', True)]
