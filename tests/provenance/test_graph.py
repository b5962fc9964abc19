import json

import pytest
from tests.provenance.conftest import DEFINITION, NIGHT, RUN, files_of, observe, unit_of

import penstock.record
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.provenance import trace
from penstock.provenance.provjson import write_prov_json
from penstock.provenance.provn import write_prov_n
from penstock.testing import make_campaign


def test_a_run_has_one_activity_for_all_its_subruns_and_the_attempts_of_its_own(traced):
    labels = {activity.label for activity in traced(RUN).activities}
    assert labels == {f"dl1 of 11 in {RUN}", f"merge of {RUN}", f"pedestal of {NIGHT}"}


def test_failed_attempts_are_counted_by_their_outcome(traced):
    (dl1,) = [activity for activity in traced(RUN).activities if activity.stage == "dl1"]
    counts = {name: dl1.details[name] for name in ("tasks", "attempts", "attempts_ok", "attempts_error")}
    assert counts == {"tasks": 11, "attempts": 15, "attempts_ok": 11, "attempts_error": 4}


def test_with_steps_every_attempt_has_its_status(traced):
    tries = [a for a in traced(RUN, steps=True).activities if a.label == f"dl1 of {RUN}/0003"]
    assert [(a.outcome, a.details.get("exit_code")) for a in tries] == [("error", 1), ("ok", None)]


def test_only_the_attempt_that_made_them_has_products(traced):
    found = traced(RUN, steps=True)
    outcomes = {a.id: a.outcome for a in found.activities}
    made = [outcomes[link.object] for link in found.of("wasGeneratedBy")]
    assert made == ["ok"] * (11 * 2 + 2)


def test_a_failed_attempt_used_what_was_there_when_it_began(traced):
    found = traced(RUN, steps=True)
    (failed,) = [a for a in found.activities if a.label == f"dl1 of {RUN}/0003" and a.outcome == "error"]
    used = {found.entity(link.object).path for link in found.of("used") if link.subject == failed.id}
    assert {f"raw/{NIGHT}/01807/0003.txt", f"calib/{NIGHT}.h5", "config/cleaning.json"} == used


def test_the_merge_used_the_products_that_its_definition_names(traced):
    found = traced(RUN)
    (merge,) = [a for a in found.activities if a.stage == "merge"]
    used = [found.entity(link.object) for link in found.of("used") if link.subject == merge.id]
    assert [(e.label, e.details["members"]) for e in used] == [("products of dl1", 11)]


def test_members_of_a_collection_have_their_contents(traced):
    (inputs,) = [e for e in traced(RUN).entities if e.label == "input files by subrun"]
    assert len(inputs.members) == inputs.details["members"] == 11
    (products,) = [e for e in traced(RUN).entities if e.label == "products of dl1"]
    assert all(len(member.sha256) == 64 for member in products.members)


def test_what_depends_on_a_run_is_not_behind_it(traced):
    assert "page" not in {a.stage for a in traced(RUN).activities}


def test_stages_can_be_chosen(traced):
    found = traced(NIGHT, stages=("merge", "page"))
    assert {a.stage for a in found.activities} == {"merge", "page"}
    assert "products of dl1" in {e.label for e in found.entities}
    assert "input files by subrun" not in {e.label for e in found.entities}
    with pytest.raises(DefinitionError, match="do you mean merge"):
        traced(NIGHT, stages=("mrge",))


def test_the_definition_is_a_plan_without_secrets(traced):
    (plan,) = [e for e in traced(RUN).entities if e.label == "definition of dl1"]
    assert json.loads(plan.details["params"]) == {"boundary": 4, "picture": 8}
    assert json.loads(plan.details["command"])[:2] == ["cat", "{path}"]
    assert "hunter2" not in write_prov_json(traced(NIGHT, steps=True))


def test_every_link_leads_to_something(traced):
    for wanted in ({}, {"steps": True}, {"stages": ("dl1",)}):
        found = traced("campaign", **wanted)
        known = {each.id for each in (*found.entities, *found.activities, *found.agents)}
        ends = {end for link in found.links for end in (link.subject, link.object, link.plan) if end}
        assert ends <= known


def test_made_again_it_is_the_same(night):
    texts = set()
    for _ in range(2):
        with Ledger.open(night.root, readonly=True) as ledger:
            found = trace(ledger, unit_of(ledger, NIGHT))
            texts.add((write_prov_json(found), write_prov_n(found)))
    assert len(texts) == 1


def test_a_graph_does_not_grow_with_the_subruns(tmp_path, traced):
    many = observe(tmp_path / "telescope", {1807: 230})
    with Ledger.open(many.root, readonly=True) as ledger:
        found = trace(ledger, unit_of(ledger, RUN))
    few = traced(RUN)
    for write in (write_prov_json, write_prov_n):
        assert abs(len(write(found)) - len(write(few))) < 200


def test_a_task_that_somebody_else_did_is_attributed_to_who_said_so(tmp_path):
    files = {**files_of({1807: 1}), "config/cleaning.json": "{}"}
    watched = DEFINITION.replace("[units]", '[units]\ncomplete = { night = "quiet 1d", run = "quiet 1d" }')
    made = make_campaign(tmp_path / "t", watched, files)
    made.write(f"calib/{NIGHT}.h5", "theirs")
    with penstock.record.look(made.root) as record:
        record.ask("mark", NIGHT, stage="pedestal", why="made by hand")
        found = trace(record.ledger, unit_of(record.ledger, NIGHT))
    assert [link.object[:7] for link in found.of("wasAttributedTo")] == ["person/"]
    assert [e.path for e in found.entities if e.kind == "file"] == [f"calib/{NIGHT}.h5"]
    assert found.activities == ()
