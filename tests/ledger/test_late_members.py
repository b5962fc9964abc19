"""Late members, readers at work, and inputs that change while a task runs: the rare orders, one by one."""

from pathlib import Path
from typing import Any

import pytest
from tests.ledger.engine import Engine
from tests.ledger.model import Found, Key
from tests.ledger.shapes import SHAPES, campaign_of

from penstock.testing import Outcome

ONE, TWO = ("p", "p"), ("p", "q")


class Campaign(Engine):
    """An engine with a few words for what a test does."""

    version = 0

    def find(self, *keys: Key, mark: str = "1:1", level: int = 2) -> None:
        self.scan({level: {key: Found({}, mark) for key in keys}}, accept_gone=True)

    def do(self, stage: str, key: Key, made: str | None = None) -> None:
        """Give a task out and end it well; each product is another one unless the test says what it is."""
        self.give(stage, key)
        self.finish(stage, key, made)

    def finish(self, stage: str, key: Key, made: str | None = None) -> None:
        self.version += 1
        self.end(stage, key, Outcome(contents={"product": (made or f"version {self.version}").encode()}))

    def state(self, stage: str, key: Key) -> str:
        return self.tasks()[stage, key][0]

    def stale(self, stage: str, key: Key) -> bool:
        return self.tasks()[stage, key][1]


def started(folder: Path, shape: str = "merges", **choices: Any) -> Campaign:
    return Campaign(campaign_of(SHAPES[shape], folder, choices), folder)


@pytest.fixture
def merged(tmp_path: Path) -> Campaign:
    """Two members, merged, and the total of that one merge made as well."""
    campaign = started(tmp_path)
    campaign.find(ONE)
    for stage, key in (("make", ONE), ("merge", ("p",)), ("total", ())):
        campaign.do(stage, key)
    return campaign


def test_a_late_member_makes_its_merge_again_and_then_what_reads_the_merge(merged: Campaign) -> None:
    merged.find(ONE, TWO)
    assert merged.state("merge", ("p",)) == "done"  # until it is known what it would be made from
    merged.do("make", TWO)
    assert merged.state("merge", ("p",)) == "ready"
    merged.do("merge", ("p",))
    assert merged.state("total", ()) == "ready"


def test_a_merge_with_equal_bytes_makes_nothing_else_again(merged: Campaign) -> None:
    merged.find(ONE, TWO)
    merged.do("make", TWO)
    merged.do("merge", ("p",), "version 2")
    assert merged.state("total", ()) == "done"
    assert not merged.stale("total", ())


def test_a_merge_is_not_made_again_while_a_reader_of_it_is_at_work(tmp_path: Path) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE)
    campaign.do("make", ONE)
    campaign.do("merge", ("p",))
    campaign.give("total", ())
    campaign.find(ONE, TWO)
    campaign.do("make", TWO)
    assert campaign.state("merge", ("p",)) == "done"
    assert campaign.stale("merge", ("p",))
    campaign.finish("total", ())
    assert campaign.state("merge", ("p",)) == "ready"


def test_a_merge_is_made_again_when_its_reader_gives_its_turn_back(tmp_path: Path) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE)
    campaign.do("make", ONE)
    campaign.do("merge", ("p",))
    campaign.give("total", ())
    campaign.find(ONE, TWO)
    campaign.do("make", TWO)
    campaign.give_back("total", ())
    assert campaign.state("merge", ("p",)) == "ready"
    assert campaign.state("total", ()) == "waiting"


def test_a_member_that_comes_while_the_merge_runs_is_not_forgotten(tmp_path: Path) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE)
    campaign.do("make", ONE)
    campaign.give("merge", ("p",))
    campaign.find(ONE, TWO)
    campaign.do("make", TWO)
    campaign.finish("merge", ("p",))
    assert campaign.state("merge", ("p",)) == "ready"


def test_a_merge_that_fails_while_a_member_comes_is_not_tried_again_on_half_of_them(tmp_path: Path) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE)
    campaign.do("make", ONE)
    campaign.give("merge", ("p",))
    campaign.find(ONE, TWO)
    campaign.end("merge", ("p",), Outcome("error", code=1))
    assert campaign.state("merge", ("p",)) == "waiting"


@pytest.mark.parametrize(("late", "stale"), [("ask", True), ("ignore", False)])
def test_a_merge_can_wait_to_be_asked_or_not_care(tmp_path: Path, late: str, stale: bool) -> None:
    campaign = started(tmp_path, late=late)
    campaign.find(ONE)
    campaign.do("make", ONE)
    campaign.do("merge", ("p",))
    campaign.find(ONE, TWO)
    campaign.do("make", TWO)
    assert campaign.tasks()["merge", ("p",)] == ("done", stale)


def test_an_input_that_changes_while_it_is_read_leaves_the_product_stale(tmp_path: Path) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE)
    campaign.give("make", ONE)
    campaign.find(ONE, mark="2:1")
    campaign.finish("make", ONE)
    assert campaign.stale("make", ONE)


def test_an_input_that_changes_while_it_is_read_and_changes_back_does_no_harm(tmp_path: Path) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE)
    campaign.give("make", ONE)
    campaign.find(ONE, mark="2:1")
    campaign.find(ONE)
    campaign.finish("make", ONE)
    assert campaign.tasks()["make", ONE] == ("done", False)


@pytest.mark.parametrize("how", ["fails", "given back"])
def test_a_changed_input_that_the_next_try_reads_is_not_held_against_it(tmp_path: Path, how: str) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE)
    campaign.give("make", ONE)
    campaign.find(ONE, mark="2:1")
    if how == "fails":
        campaign.end("make", ONE, Outcome("error", code=1))
    else:
        campaign.give_back("make", ONE)
    campaign.do("make", ONE)
    assert campaign.tasks()["make", ONE] == ("done", False)
    assert campaign.tallied() == campaign.recounted()


def test_a_group_whose_own_row_changed_is_stale_but_made_again_only_when_asked(tmp_path: Path) -> None:
    campaign = started(tmp_path, "calibrations")
    world = {1: {("p",): Found({"other": "p"}, "1:1")}, 3: {("p", "p", "p"): Found({}, "1:1")}}
    campaign.scan(world, accept_gone=True)
    for stage, key in (
        ("calibrate", ("p",)),
        ("make", ("p", "p", "p")),
        ("merge", ("p", "p")),
        ("night", ("p",)),
    ):
        campaign.do(stage, key)
    world[1] = {("p",): Found({"other": "p", "weather": "bad"}, "1:1")}
    campaign.scan(world, accept_gone=True)
    assert campaign.tasks()["night", ("p",)] == ("done", True)
    campaign.redo_stale()
    assert campaign.tasks()["calibrate", ("p",)] == ("ready", False)


def test_what_is_vetoed_or_gone_while_it_runs_is_not_tried_again(tmp_path: Path) -> None:
    campaign = started(tmp_path)
    campaign.find(ONE, TWO)
    campaign.give("make", ONE)
    campaign.give("make", TWO)
    campaign.ask("veto", None, ONE)
    campaign.find(ONE)
    for key in (ONE, TWO):
        campaign.end("make", key, Outcome("error", code=1))
    assert (campaign.state("make", ONE), campaign.state("make", TWO)) == ("vetoed", "gone")
    campaign.ask("unveto", None, ONE)
    campaign.find(ONE, TWO)
    assert (campaign.state("make", ONE), campaign.state("make", TWO)) == ("ready", "ready")


def test_a_unit_that_went_and_came_back_changed_is_stale(merged: Campaign) -> None:
    merged.find()
    merged.find(ONE, mark="9:9")
    assert merged.tasks()["make", ONE] == ("done", True)


def test_a_child_that_a_source_has_already_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    campaign = started(tmp_path, "expand")
    campaign.scan({1: {("p",): Found({}, "1")}, 2: {ONE: Found({"from": "source"}, "1")}}, accept_gone=True)
    campaign.give("find", ("p",))
    campaign.end("find", ("p",), Outcome(children=[("p", {"from": "stage"}), ("q", {})]))
    fields, subject = (
        campaign.db.execute(sql).fetchone()[0]
        for sql in (
            """SELECT fields FROM unit WHERE key = '["p","p"]'""",
            "SELECT subject FROM problem WHERE source = 'expand'",
        )
    )
    assert (fields, subject) == ('{"from":"source"}', '["p","p"]')
    assert campaign.state("make", TWO) == "ready"


def test_a_merge_that_was_vetoed_when_its_members_came_is_made_again_when_the_veto_is_lifted(
    merged: Campaign,
) -> None:
    merged.ask("veto", "merge", ("p",))
    merged.find(ONE, TWO)
    merged.do("make", TWO)
    assert merged.tasks()["merge", ("p",)] == ("done", True)
    merged.ask("unveto", "merge", ("p",))
    assert merged.state("merge", ("p",)) == "ready"


def test_an_upstream_that_a_field_names_is_waited_for_once_it_is_there(tmp_path: Path) -> None:
    campaign = started(tmp_path, "calibrations", empty="run")
    world = {1: {("p",): Found({"other": "q"}, "1:1")}, 3: {}}
    campaign.scan(world, accept_gone=True)
    assert campaign.state("night", ("p",)) == "blocked"
    world[1] = {**world[1], ("q",): Found({"other": "p"}, "1:1")}
    campaign.scan(world, accept_gone=True)
    assert campaign.state("night", ("p",)) == "waiting"
    campaign.do("calibrate", ("q",))
    assert campaign.state("night", ("p",)) == "ready"
