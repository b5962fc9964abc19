"""A request to redo marks what may run, and says of the rest why it is left out."""

import json
from pathlib import Path

import pytest
from tests.ledger.engine import Engine
from tests.ledger.model import Found, Key
from tests.ledger.shapes import SHAPES, campaign_of

from penstock.ledger.check import check_ledger
from penstock.ledger.redoing import Redoing, plan_redo
from penstock.testing import Outcome

ONE, TWO, GROUP = ("p", "p"), ("p", "q"), ("p",)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Two members and their merge, all done."""
    made = Engine(campaign_of(SHAPES["merges"], tmp_path, {}), tmp_path)
    made.scan({2: {key: Found({}, "1:1") for key in (ONE, TWO)}}, accept_gone=True)
    for stage, key in (("make", ONE), ("make", TWO), ("merge", GROUP)):
        made.give(stage, key)
        made.end(stage, key, Outcome())
    return made


def redo(engine: Engine, *keys: Key) -> str:
    target = {"units": [engine.unit(key) for key in keys], "stage": "make"}
    sql = "INSERT INTO request (at, by, action, target) VALUES (0, 'tester', 'redo', ?)"
    engine.db.execute(sql, (json.dumps(target),))
    engine.requests.apply(engine.clock.now())
    return str(engine.db.execute("SELECT answer FROM request ORDER BY id DESC").fetchone()[0])


def marked(engine: Engine) -> list[int]:
    return [row[0] for row in engine.db.execute("SELECT unit FROM task WHERE stale IS NOT NULL")]


def plan(engine: Engine) -> Redoing:
    return plan_redo(engine.ledger, engine.graph, {"stage": "make"})


def test_what_is_vetoed_is_left_out_with_who_why_and_what_lifts_it(engine: Engine) -> None:
    engine.ask("veto", None, ONE)
    assert redo(engine, ONE, TWO) == (
        "1 done task will be redone, and up to 1 task downstream if products change;"
        " 1 left out (vetoed by tester: the test wants it): lift the veto with `penstock unveto p/p`"
    )
    assert marked(engine) == [engine.unit(TWO)]
    assert check_ledger(engine.ledger, engine.graph) == []


def test_a_veto_of_a_group_or_of_one_stage_is_lifted_by_its_own_name(engine: Engine) -> None:
    engine.ask("veto", "make", GROUP)
    answer = redo(engine, ONE, TWO)
    assert answer.startswith("nothing to redo; 2 left out (vetoed by tester")
    assert answer.endswith("`penstock unveto --stage make p`")
    assert marked(engine) == []


def test_what_lost_its_input_is_left_out(engine: Engine) -> None:
    engine.scan({2: {TWO: Found({}, "1:1")}}, accept_gone=True)
    assert "1 left out (its input disappeared): bring it back first" in redo(engine, ONE, TWO)
    assert marked(engine) == [engine.unit(TWO)]


def test_a_vetoed_merge_is_not_announced_as_one_that_may_follow(engine: Engine) -> None:
    assert plan(engine).following == {"merge": [engine.unit(GROUP)]}
    engine.ask("veto", "merge", GROUP)
    assert plan(engine).following == {}


def test_a_lifted_veto_keeps_nothing_from_being_redone(engine: Engine) -> None:
    engine.ask("veto", None, ONE)
    engine.ask("unveto", None, ONE)
    assert plan(engine).left == []
    assert "left out" not in redo(engine, ONE)


def test_many_vetoes_are_counted_and_the_commonest_shown(tmp_path: Path) -> None:
    engine = Engine(campaign_of(SHAPES["merges"], tmp_path, {}), tmp_path)
    keys = [("p", name) for name in "abcdef"]
    engine.scan({2: {key: Found({}, "1:1") for key in keys}}, accept_gone=True)
    for key in keys:
        engine.give("make", key)
        engine.end("make", key, Outcome())
        engine.ask("veto", "make", key)
    answer = redo(engine, *keys)
    assert answer.count("penstock unveto") == 3
    assert answer.endswith("; 3 more left out")
