"""A definition that changes: what it means for work already done."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.engine import Engine
from tests.ledger.model import Found, Key
from tests.ledger.shapes import SHAPES, campaign_of, stage

from penstock import config
from penstock.campaign import After, Campaign, Stage
from penstock.config.former import former_digests
from penstock.errors import DefinitionError
from penstock.ledger.registration import register
from penstock.ledger.stored import stored_graph
from penstock.testing import Outcome
from penstock.units import Expression

ONE, TWO, GROUP = ("p", "p"), ("p", "q"), ("p",)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """One member done, one failed; their merge is blocked."""
    made = Engine(campaign_of(SHAPES["merges"], tmp_path, {}), tmp_path)
    made.scan({2: {ONE: Found({"kind": "d"}, "1:1"), TWO: Found({"kind": "e"}, "1:1")}}, accept_gone=True)
    made.give("make", ONE)
    made.end("make", ONE, Outcome())
    made.give("make", TWO)
    made.end("make", TWO, Outcome("error", verdict="permanent"))
    return made


def changed(engine: Engine, name: str, **columns: Any) -> Campaign:
    """The definition with one stage changed."""
    stages = tuple(replace(s, **columns) if s.name == name else s for s in engine.campaign.stages)
    return replace(engine.campaign, stages=stages)


def with_stages(engine: Engine, *stages: Stage) -> Campaign:
    return replace(engine.campaign, stages=stages)


def registered(engine: Engine, campaign: Campaign) -> Engine:
    engine.graph = register(engine.ledger, campaign, config.to_json(campaign), now=1.0)
    assert engine.tallied() == engine.recounted()
    return engine


def state(engine: Engine, stage: str, key: Key) -> tuple[str, bool]:
    return engine.tasks()[stage, key]


def test_the_same_definition_again_changes_nothing(engine: Engine) -> None:
    before = engine.tasks()
    assert registered(engine, engine.campaign).tasks() == before
    assert engine.db.execute("SELECT count(*) FROM definition").fetchone()[0] == 1


def test_other_levels_are_refused_and_nothing_is_written(engine: Engine) -> None:
    with pytest.raises(DefinitionError, match="start a new campaign in another folder"):
        registered(engine, replace(engine.campaign, levels=("night", "run")))
    assert stored_graph(engine.ledger).stages.keys() == engine.graph.stages.keys()


def test_another_type_of_a_key_is_refused(engine: Engine) -> None:
    with pytest.raises(DefinitionError, match="types of their keys changed"):
        registered(engine, replace(engine.campaign, types={"a": "int"}))


def test_a_stage_that_moves_to_another_level_is_refused(engine: Engine) -> None:
    with pytest.raises(DefinitionError, match="'merge' moved to another level"):
        registered(engine, changed(engine, "merge", level=0))


def test_another_digest_makes_what_is_done_stale_and_tries_the_failed_again(engine: Engine) -> None:
    registered(engine, changed(engine, "make", digest="other"))
    assert state(engine, "make", ONE) == ("done", True)
    assert state(engine, "make", TWO) == ("ready", False)
    assert state(engine, "merge", GROUP) == ("waiting", False)


def former(engine: Engine, name: str) -> str:
    """Make the record what an earlier penstock left: the digest of a stage is of the former kind."""
    digest = min(former_digests(engine.campaign.stage(name), engine.campaign.root))
    number = engine.graph.ids[name]
    engine.db.execute("UPDATE stage SET digest = ? WHERE id = ?", (digest, number))
    engine.db.execute("UPDATE task SET made = ? WHERE stage = ? AND made IS NOT NULL", (digest, number))
    return digest


def test_a_digest_of_a_former_kind_is_renewed_where_the_definition_is_the_same(engine: Engine) -> None:
    before = former(engine, "make"), engine.tasks()
    engine.db.execute("UPDATE stage SET paused = 'fuse', paused_why = 'all alike' WHERE name = 'make'")
    registered(engine, changed(engine, "make", digest="2:new"))
    assert engine.tasks() == before[1]
    assert engine.db.execute("SELECT paused FROM stage WHERE name = 'make'").fetchone()[0] == "fuse"
    registered(engine, changed(engine, "make", digest="2:newer"))
    assert state(engine, "make", ONE) == ("done", True)


def test_a_definition_that_changed_makes_stale_also_what_has_a_digest_of_a_former_kind(
    engine: Engine,
) -> None:
    former(engine, "make")
    registered(engine, changed(engine, "make", digest="2:new", version="2"))
    assert state(engine, "make", ONE) == ("done", True)
    assert state(engine, "make", TWO) == ("ready", False)


def test_a_result_of_the_old_definition_counts_again_when_that_is_back(engine: Engine) -> None:
    registered(engine, changed(engine, "make", digest=former(engine, "make")))
    registered(engine, changed(engine, "make", digest="other", version="2"))
    assert state(engine, "make", ONE) == ("done", True)
    registered(engine, changed(engine, "make", digest="2:new"))
    assert state(engine, "make", ONE) == ("done", False)


def test_the_old_definition_back_makes_nothing_stale_any_more(engine: Engine) -> None:
    registered(engine, changed(engine, "make", digest="other"))
    registered(engine, engine.campaign)
    assert state(engine, "make", ONE) == ("done", False)


def test_what_the_digest_leaves_out_makes_nothing_stale(engine: Engine) -> None:
    registered(engine, changed(engine, "make", workers=7))
    assert state(engine, "make", ONE) == ("done", False)
    assert state(engine, "make", TWO) == ("failed", False)


def test_a_stage_that_was_removed_keeps_its_tasks_and_never_runs(engine: Engine) -> None:
    make, merge, _ = engine.campaign.stages
    registered(engine, with_stages(engine, make, merge))
    assert state(engine, "total", ()) == ("blocked", False)
    assert engine.db.execute("SELECT removed FROM stage WHERE name = 'total'").fetchone()[0] == 1
    registered(engine, engine.campaign)
    assert engine.db.execute("SELECT removed FROM stage WHERE name = 'total'").fetchone()[0] == 0


def test_a_stage_that_comes_back_sees_what_happened_meanwhile(engine: Engine) -> None:
    make, *_ = engine.campaign.stages
    registered(engine, with_stages(engine, make))
    engine.ask("veto", None, TWO)
    registered(engine, engine.campaign)
    assert state(engine, "merge", GROUP) == ("ready", False)


def test_a_new_stage_has_tasks_for_the_units_that_are_there(engine: Engine) -> None:
    new = stage("extra", 2, "make", levels=engine.campaign.levels)
    registered(engine, with_stages(engine, *engine.campaign.stages, new))
    assert state(engine, "extra", ONE) == ("ready", False)
    assert state(engine, "extra", TWO) == ("blocked", False)


def test_a_stage_put_between_two_others_holds_the_later_one_back(engine: Engine) -> None:
    engine.ask("veto", None, TWO)
    assert state(engine, "merge", GROUP) == ("ready", False)
    make, merge, total = engine.campaign.stages
    clean = stage("clean", 2, "make", levels=engine.campaign.levels)
    merge = replace(merge, after=(After("clean"),), digest="other")
    registered(engine, with_stages(engine, make, clean, merge, total))
    assert state(engine, "clean", ONE) == ("ready", False)
    assert state(engine, "merge", GROUP) == ("waiting", False)


def test_a_merge_that_may_now_go_without_the_failed_is_free(engine: Engine) -> None:
    registered(engine, changed(engine, "merge", members="done", digest="other"))
    assert state(engine, "merge", GROUP) == ("ready", False)


def test_a_merge_that_may_now_run_empty_is_free_though_its_digest_is_the_same(engine: Engine) -> None:
    engine.ask("veto", None, TWO)
    engine.scan({2: {("q", "q"): Found({}, "1:1"), ONE: Found({}, "1:1")}}, accept_gone=True)
    engine.ask("veto", None, ("q", "q"))
    assert state(engine, "merge", ("q",)) == ("blocked", False)
    registered(engine, changed(engine, "merge", empty="run"))
    assert state(engine, "merge", ("q",)) == ("ready", False)


def test_a_where_that_leaves_keys_out_takes_their_tasks_away_unless_they_are_done(engine: Engine) -> None:
    only = Expression.parse("kind == 'x'")
    registered(engine, changed(engine, "make", where=only, digest="other"))
    assert [key for name, key in engine.tasks() if name == "make"] == [ONE]
    assert state(engine, "merge", GROUP) == ("ready", False)


@pytest.mark.parametrize("pause", ["fuse", "halt"])
def test_a_pause_ends_with_another_definition_and_not_with_the_same(engine: Engine, pause: str) -> None:
    engine.db.execute("UPDATE stage SET paused = ?, paused_why = 'all alike' WHERE name = 'make'", (pause,))
    registered(engine, changed(engine, "make", workers=2))
    assert engine.db.execute("SELECT paused FROM stage WHERE name = 'make'").fetchone()[0] == pause
    registered(engine, changed(engine, "make", digest="other"))
    assert engine.db.execute("SELECT paused FROM stage WHERE name = 'make'").fetchone()[0] is None


def test_every_definition_is_kept_and_the_last_one_is_current(engine: Engine) -> None:
    registered(engine, changed(engine, "make", digest="other"))
    assert engine.db.execute("SELECT count(*) FROM definition").fetchone()[0] == 2
    assert stored_graph(engine.ledger).stages["make"].digest == "other"
