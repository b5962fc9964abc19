"""What follows when inputs change, vanish and come back: nothing without a person, a redo, or nothing at all."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import penstock.record
from penstock.cli.root import cli
from penstock.conductor import Conductor
from penstock.conductor.staleness import redo_stale
from penstock.graph import build
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.pretended.site import PretendSite
from penstock.testing import ManualClock, Outcome, make_campaign
from penstock.testing.campaigns import MadeCampaign

DEFINITION = """
[campaign]
name = "winter"
levels = ["night", "run"]
[units]
files = "raw/{night}/{run:05d}.txt"
settle = "0s"
POLICY
[stage.fit]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "fits/{night}/{run:05d}.json"
retry = { error = { times = 0 } }
[stage.sort]
each = "run"
after = ["fit"]
command = ["sort", "{inputs.fit}", "-o", "{product}"]
products = "sorted/{night}/{run:05d}.txt"
[stage.merge]
each = "night"
after = ["sort"]
command = ["cat", "{inputs.sort}"]
products = "nights/{night}.txt"
"""
NIGHT, FIRST, SECOND = "2020-01-17", "2020-01-17/00001", "2020-01-17/00002"
RAW = "raw/2020-01-17/0000{}.txt"
QUIET, MOST, WHOLE_S = 2, 60, 400.0  # turns without news; after so long all folders are looked into


class Winter:
    """A campaign of two runs, worked on by one conductor after the other, or by one that lives through all."""

    def __init__(self, made: MadeCampaign, *, fresh: bool) -> None:
        self.made, self.fresh = made, fresh
        self.clock = ManualClock(1_600_000_000.0)
        self.given: list[tuple[str, str]] = []
        self.at_start: Callable[[str, str], None] = lambda stage, unit: None
        self.fails: set[str] = set()
        self.made_so_far = 0
        self.site = PretendSite(made.root, rule=self.rule, clock=self.clock)
        self.conductor: Conductor | None = None

    def rule(self, run: object) -> Outcome:
        self.given.append((run.stage, run.key))
        self.at_start(run.stage, run.key)
        if run.stage in self.fails:
            return Outcome("error", why="lamp off")
        self.made_so_far += 1
        return Outcome(seconds=2.0, contents={"product": f"{run.stage} {self.made_so_far}".encode()})

    def work(self, *, stale: bool = False) -> list[tuple[str, str]]:
        """Take turns until there is nothing to do; return what was given out."""
        self.given.clear()
        quiet = turns = 0
        while quiet < QUIET:
            turns += 1
            assert turns < MOST, "it comes to rest"
            before = len(self.given)
            self.turn(stale=stale)
            news = len(self.given) > before or self.is_busy()
            self.clock.sleep(5.0 if news else WHOLE_S)
            quiet = 0 if news else quiet + 1
        assert self.faults() == []
        return sorted(self.given)

    def is_busy(self) -> bool:
        """Whether a task is on its way, or may be given out."""
        busy = (
            "SELECT 1 FROM task WHERE state IN ('ready', 'queued', 'running') OR (state = 'waiting') LIMIT 1"
        )
        with Ledger.open(self.made.root, readonly=True) as ledger:
            return ledger.db.execute(busy).fetchone() is not None

    def turn(self, *, stale: bool) -> None:
        if self.fresh or self.conductor is None:
            self.conductor = Conductor(self.made.load(), command="watch", site=self.site, clock=self.clock)
            self.conductor.__enter__()
        if stale:
            redo_stale(self.conductor.ledger, self.conductor.graph, self.conductor.crew.context.scope)
        self.conductor.tick()
        if self.fresh:
            self.close()

    def close(self) -> None:
        if self.conductor is not None:
            self.conductor.__exit__(None, None, None)
            self.conductor = None

    def faults(self) -> list[str]:
        with Ledger.open(self.made.root, readonly=True) as ledger:
            ids = dict(ledger.db.execute("SELECT name, id FROM stage WHERE NOT removed").fetchall())
            return check_ledger(ledger, build(self.made.load(), ids))

    def task(self, stage: str, unit: str) -> tuple[str, str | None]:
        with penstock.record.open(self.made.root) as record:
            [task] = record.tasks(stage, unit)
        return task.state, task.stale

    def history(self, unit: str) -> list[str]:
        with penstock.record.open(self.made.root) as record:
            return [event.what for event in record.history(unit)]

    def say(self, *words: str) -> str:
        """Run a command; who asks for something does so while nobody works, since their clocks differ."""
        if words[0] != "why":
            self.close()
        result = CliRunner().invoke(cli, ["-C", str(self.made.root), *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output


Make = Callable[..., Winter]


@pytest.fixture(params=[False, True], ids=["one conductor", "a new one every turn"])
def winter(tmp_path: Path, request: pytest.FixtureRequest):
    made: list[Winter] = []

    def make(policy: str = "", *, stage: str = "") -> Winter:
        text = DEFINITION.replace("POLICY", f'{policy}\ncomplete = {{ night = "quiet 1s" }}')
        text = text.replace("retry = { error", f"{stage}\nretry = {{ error")
        files = {RAW.format(n): f"{n}" for n in (1, 2)}
        campaign = make_campaign(tmp_path / "winter", text, files)
        made.append(Winter(campaign, fresh=request.param))
        assert len(made[0].work()) == 5
        return made[0]

    yield make
    for one in made:
        one.close()


def test_a_changed_input_is_stale_until_a_person_says_so(winter: Make) -> None:
    it = winter()
    it.made.write(RAW.format(1), "longer")
    assert it.work() == []
    assert it.task("fit", FIRST) == ("done", "its input changed: 1 → 6 bytes")
    assert f"penstock redo --stage fit {FIRST} redoes it alone" in it.say("why", FIRST, "--stage", "fit")
    it.say("redo", FIRST, "--stage", "fit")
    assert it.work() == [("fit", FIRST), ("merge", NIGHT), ("sort", FIRST)]


def test_a_changed_input_is_redone_unasked_with_what_follows(winter: Make) -> None:
    it = winter('changed = "redo"')
    it.made.write(RAW.format(1), "longer")
    assert it.work() == [("fit", FIRST), ("merge", NIGHT), ("sort", FIRST)]
    assert it.task("merge", NIGHT) == ("done", None)
    assert it.work() == []


def test_a_changed_input_is_ignored_for_good_and_told(winter: Make) -> None:
    it = winter('changed = "ignore"')
    it.made.write(RAW.format(1), "longer")
    assert it.work() == []
    assert it.task("fit", FIRST) == ("done", None)
    it.made.write(RAW.format(3), "new")
    assert it.work() == [("fit", "2020-01-17/00003"), ("merge", NIGHT), ("sort", "2020-01-17/00003")]
    assert it.task("fit", FIRST) == ("done", None)
    assert it.history(FIRST)[-1] == "files changed"


def test_a_stage_says_otherwise_than_its_units(winter: Make) -> None:
    it = winter('changed = "ignore"', stage='changed = "redo"')
    it.made.write(RAW.format(1), "longer")
    assert ("fit", FIRST) in it.work()


def rewrite_once(it: Winter, text: str) -> None:
    """Let the input of the first run change while it is fitted, once, unseen by any scan."""

    def rewrite(stage: str, unit: str) -> None:
        if (stage, unit) == ("fit", FIRST):
            it.made.write(RAW.format(1), text, mtime=1_500_000_100.0 + len(text))
            it.at_start = lambda stage, unit: None

    it.at_start = rewrite


def test_what_was_made_while_its_input_changed_is_used_by_nobody(winter: Make) -> None:
    it = winter()
    it.made.write(RAW.format(1), "second")
    rewrite_once(it, "third one")
    it.work()
    it.say("redo", FIRST, "--stage", "fit")
    given = it.work()
    assert given == [("fit", FIRST)]
    assert it.task("fit", FIRST) == ("done", "its input changed while it ran")
    assert it.task("merge", NIGHT)[0] == "done", "the old one stays"
    assert it.work(stale=True) == [("fit", FIRST), ("merge", NIGHT), ("sort", FIRST)]
    assert it.task("fit", FIRST) == ("done", None)


def test_a_new_unit_whose_input_changes_while_it_runs_blocks_what_comes_after(winter: Make) -> None:
    it = winter()
    third = "2020-01-17/00003"

    def rewrite(stage: str, unit: str) -> None:
        it.at_start = lambda stage, unit: None
        it.made.write(RAW.format(3), "other", mtime=1_500_000_200.0)

    it.at_start = rewrite
    it.made.write(RAW.format(3), "new")
    assert it.work() == [("fit", third)]
    assert it.task("sort", third)[0] == "blocked"
    assert "'fit' made while the input changed" in it.say("why", third, "--stage", "sort")
    assert it.work(stale=True) == [("fit", third), ("merge", NIGHT), ("sort", third)]


def test_what_was_made_while_its_input_changed_is_redone_unasked_once_a_scan_saw_it(winter: Make) -> None:
    it = winter('changed = "redo"')
    it.made.write(RAW.format(1), "second")
    rewrite_once(it, "third one")
    assert it.work() == [("fit", FIRST), ("fit", FIRST), ("merge", NIGHT), ("sort", FIRST)]
    assert it.task("fit", FIRST) == ("done", None)


def test_a_group_keeps_a_member_that_vanished(winter: Make) -> None:
    it = winter()
    (it.made.root / RAW.format(1)).unlink()
    assert it.work() == []
    assert it.task("merge", NIGHT) == ("done", None)
    assert it.history(FIRST)[-1] == "gone"


def test_a_group_is_made_again_without_a_member_that_vanished(winter: Make) -> None:
    it = winter('vanished = "redo"')
    (it.made.root / RAW.format(1)).unlink()
    assert it.work() == [("merge", NIGHT)]
    assert it.task("fit", FIRST) == ("done", None)
    assert (it.made.root / "fits/2020-01-17/00001.json").exists()
    it.made.write(RAW.format(1), "1")
    assert it.work() == [("merge", NIGHT)], "it is back, as it was"
    assert it.task("fit", FIRST) == ("done", None)


def test_a_group_of_which_all_members_vanished_stays_as_it_is(winter: Make) -> None:
    it = winter('vanished = "redo"')
    for n in (1, 2):
        (it.made.root / RAW.format(n)).unlink()
        it.work()
    assert it.task("merge", NIGHT) == ("done", None)
    assert it.history(NIGHT).count("ok") == 2, "without the first, and no more"


def test_a_group_is_stale_until_a_person_says_what_a_vanished_member_means(winter: Make) -> None:
    it = winter('vanished = "ask"')
    path = it.made.root / RAW.format(1)
    path.unlink()
    assert it.work() == []
    assert it.task("merge", NIGHT) == ("done", "a member of it vanished")
    it.made.write(RAW.format(1), "1")
    it.work()
    assert it.task("merge", NIGHT) == ("done", None)
    path.unlink()
    it.work()
    it.say("archive", FIRST, "--why", "on tape 7")
    it.work()
    assert it.task("merge", NIGHT) == ("done", None), "put away on purpose, it counts"
    it.say("unarchive", FIRST)
    it.work()
    assert it.task("merge", NIGHT) == ("done", "a member of it vanished")
    it.say("redo", NIGHT, "--stage", "merge")
    assert it.work() == [("merge", NIGHT)]
    assert it.task("merge", NIGHT) == ("done", None)


@pytest.mark.parametrize(
    ("policies", "given"),
    [
        ('vanished = "ask"', []),
        ('vanished = "redo"', [("merge", NIGHT)]),
    ],
)
def test_a_member_that_vanishes_after_another_one_is_no_new_member(
    winter: Make, policies: str, given: list[tuple[str, str]]
) -> None:
    it = winter(policies)
    for n in (3, 4):
        it.made.write(RAW.format(n), f"{n}")
    it.work()
    (it.made.root / RAW.format(1)).unlink()
    it.work()
    if not given:
        it.say("redo", NIGHT, "--stage", "merge")
        it.work()
    for n in (2, 3):
        (it.made.root / RAW.format(n)).unlink()
        assert it.work() == given
        assert it.task("merge", NIGHT) == ("done", None if given else "a member of it vanished")
    it.made.write(RAW.format(2), "2")
    it.made.write(RAW.format(3), "3")
    assert it.work() == given
    assert it.task("merge", NIGHT) == ("done", None), "both are back"


@pytest.mark.parametrize(
    ("policy", "given", "stale"),
    [
        ("", [], True),
        ('changed = "redo"', ["fit", "merge", "sort"], False),
        ('returned = "redo"', ["fit", "merge", "sort"], False),
        ('changed = "redo"\nreturned = "ask"', [], True),
        ('changed = "redo"\nreturned = "ignore"', [], False),
    ],
)
def test_an_input_that_comes_back_as_another_one(
    winter: Make, policy: str, given: list[str], stale: bool
) -> None:
    it = winter(policy)
    (it.made.root / RAW.format(1)).unlink()
    it.work()
    it.made.write(RAW.format(1), "another")
    assert [stage for stage, _ in it.work()] == given
    state, why = it.task("fit", FIRST)
    assert (state, why is not None) == ("done", stale)


def test_an_input_that_comes_back_as_it_was_changes_nothing(winter: Make) -> None:
    it = winter('returned = "redo"')
    (it.made.root / RAW.format(1)).unlink()
    it.work()
    it.made.write(RAW.format(1), "1")
    assert it.work() == []
    assert it.task("fit", FIRST) == ("done", None)
    assert it.history(FIRST)[-2:] == ["gone", "returned"]


def test_the_old_product_stays_and_is_recorded_when_its_redo_fails(winter: Make) -> None:
    it = winter('changed = "redo"')
    product = it.made.root / "fits/2020-01-17/00001.json"
    before = product.read_text()
    it.fails.add("fit")
    it.made.write(RAW.format(1), "longer")
    assert it.work() == [("fit", FIRST)]
    assert it.task("fit", FIRST)[0] == "failed"
    assert product.read_text() == before
    with penstock.record.open(it.made.root) as record:
        [row] = record.products("fit", FIRST)
    assert row.size_bytes == len(before)
    assert "what it made before is still there: fits/2020-01-17/00001.json" in it.say(
        "why", FIRST, "--stage", "fit"
    )
    it.fails.clear()
    it.say("retry", FIRST)
    assert it.work() == [("fit", FIRST), ("merge", NIGHT), ("sort", FIRST)]


def test_another_policy_makes_nothing_stale(winter: Make) -> None:
    it = winter()
    it.close()
    text = (it.made.root / "penstock.toml").read_text()
    (it.made.root / "penstock.toml").write_text(text.replace("settle", 'changed = "redo"\nsettle'))
    assert it.work() == []
    assert json.loads(it.say("status", "--json"))["stages"][0]["stale"] == 0
