from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

import penstock.record
from penstock import config
from penstock.clock import SystemClock
from penstock.conductor import Conductor
from penstock.errors import DefinitionError, NothingYet


@pytest.fixture
def record(ran):
    with penstock.record.open(ran.root) as opened:
        yield opened


def test_a_campaign_that_was_never_run_has_no_record(winter):
    with pytest.raises(NothingYet):
        penstock.record.open(winter.root)


def test_tasks_come_stage_by_stage_with_key_and_fields(record):
    tasks = list(record.tasks())
    assert [task.stage for task in tasks] == ["fit"] * 6 + ["merge"] * 2
    assert (tasks[0].unit, dict(tasks[0].key)) == ("2020-01-17/00001", {"night": "2020-01-17", "run": 1})
    assert tasks[0].fields["kind"] == "DATA"
    assert dict(tasks[-1].key) == {"night": "2020-01-18"}


def test_a_row_cannot_be_changed(record):
    with pytest.raises(FrozenInstanceError):
        next(record.tasks()).state = "done"


@pytest.mark.parametrize(
    ("asked", "units"),
    [
        ({"state": "failed"}, ["2020-01-18/00002"]),
        ({"where": "kind == 'DARK'"}, ["2020-01-17/00003", "2020-01-18/00003"]),
        ({"where": "run > 1 and night == '2020-01-17'"}, ["2020-01-17/00002", "2020-01-17/00003"]),
        ({"where": "run > 1", "state": "failed"}, ["2020-01-18/00002"]),
        ({"unit": "2020-01-18"}, ["2020-01-18/00001", "2020-01-18/00002", "2020-01-18/00003"]),
        ({"unit": "*/00001", "stale": False}, ["2020-01-17/00001", "2020-01-18/00001"]),
        ({"stale": True}, []),
    ],
)
def test_tasks_are_chosen_by_state_name_and_what_their_fields_say(record, asked, units):
    assert [task.unit for task in record.tasks("fit", **asked)] == units


def test_a_field_that_a_level_does_not_have_means_none_of_its_units(record):
    assert {task.stage for task in record.tasks(where="kind == 'DATA'")} == {"fit"}


@pytest.mark.parametrize("question", [{"stage": "fti"}, {"unit": "2021"}, {"where": "__import__('os')"}])
def test_a_wrong_question_is_told_when_it_is_asked(record, question):
    with pytest.raises(DefinitionError):
        record.tasks(**question)


def test_results_are_of_what_is_done(record):
    rows = list(record.results("fit"))
    assert [(row.unit[-8:], row.value) for row in rows][:2] == [
        ("17/00001", {"number": 1}),
        ("17/00002", {"number": 2}),
    ]
    assert len(rows) == 5
    assert rows[0].ended.tzinfo is UTC
    assert [row.value for row in record.results("merge")] == [None]


def test_results_of_a_group_are_those_in_it(record):
    assert [row.value["number"] for row in record.results("fit", "2020-01-18")] == [1, 3]


def test_products_are_those_that_were_made(ran, record):
    made = list(record.products("fit"))
    assert len(made) == 5
    assert made[0].path == ran.root / "fits/2020-01-17/00001.json"
    assert (made[0].name, made[0].size_bytes, len(made[0].digest)) == ("product", 4, 64)
    assert [row.stage for row in record.products(unit="2020-01-17")] == ["fit"] * 3 + ["merge"]


def test_the_status_is_that_of_the_command(record):
    assert record.status().to_json()["stages"][0]["tasks"]["failed"] == 1
    assert record.status(problems=0).more_problems == 1


def test_a_record_is_read_while_a_conductor_works_which_does_what_is_asked(ran):
    clock = SystemClock()
    working = Conductor(ran.load(), command="run", site=ran.site(clock=clock), clock=clock)
    with working as conductor, penstock.record.open(ran.root) as record:
        [answer] = record.ask("retry", stage="fit")
        assert "in its next turn" in answer
        assert [task.state for task in record.tasks(unit="2020-01-18/00002")] == ["failed"]
        conductor.run()
        assert [task.state for task in record.tasks(unit="2020-01-18/00002")] == ["done"]


def test_history_tells_attempts_and_vetoes_in_their_order(ran, record):
    before = datetime.now(UTC)
    record.ask("veto", "2020-01-18/00002", why="clouds")
    record.ask("unveto", "2020-01-18/00002")
    events = record.history("2020-01-18/00002")
    assert [(event.what, event.why) for event in events] == [
        ("first seen", None),
        ("error", "lamp off"),
        ("vetoed", "clouds"),
        ("veto lifted", None),
    ]
    assert "@" in events[2].by
    assert events[2].at >= before
    assert events[1].then


def test_history_of_a_pattern_is_that_of_all_its_units(record):
    assert {event.unit for event in record.history("*/00001")} == {"2020-01-17/00001", "2020-01-18/00001"}


def test_units_come_with_the_state_of_a_stage_whether_it_has_a_task_for_them_or_not(record):
    units = list(record.units("run", "fit"))
    assert [(unit.unit, unit.state) for unit in units] == [
        (task.unit, task.state) for task in record.tasks("fit")
    ]
    assert units[0].key == ("2020-01-17", 1)
    assert {(unit.gone, unit.archived, unit.vetoed) for unit in units} == {(False, False, False)}
    record.ask("veto", units[0].unit, stage="merge", why="clouds")
    assert [next(record.units("run", stage)).vetoed for stage in ("fit", "merge")] == [False, True]
    assert {unit.state for unit in record.units("run", "merge")} == {None}
    assert {unit.state for unit in record.units("run")} == {None}


@pytest.mark.parametrize("asked", [("nite",), ("run", "fti")])
def test_units_of_what_is_not_there_are_refused_at_once(record, asked):
    with pytest.raises(DefinitionError):
        record.units(*asked)


def test_a_log_is_the_output_of_the_last_attempt(record):
    assert record.log("fit", "2020-01-17/00001") == b""
    with pytest.raises(DefinitionError):
        record.log("fit", "2021-01-17/00001")


def test_a_look_begins_a_record_and_gives_nothing_out(winter):
    file = winter.root / "penstock.toml"
    file.write_text(file.read_text().replace("[units]", '[units]\ncomplete = { night = "quiet 0s" }'))
    with penstock.record.look(winter.root) as begun:
        assert {task.state for task in begun.tasks("fit")} == {"ready"}
        assert len(list(begun.units("run"))) == 6
    with Conductor(config.load(winter.root), command="run"):  # which looks itself
        (winter.root / "raw/2020-01-17/00004_DATA.txt").write_text("x")
        with penstock.record.look(winter.root) as looked:
            assert len(list(looked.units("run"))) == 6


def test_attempts_are_all_that_there_were_with_what_they_used(ran, record):
    every = list(record.attempts())
    assert {row.outcome for row in every} >= {"ok", "error"}
    failed = next(row for row in every if row.outcome == "error")
    assert not failed.late
    assert failed.ended.tzinfo is not None
    assert {row.unit for row in record.attempts(failed.stage, failed.unit)} == {failed.unit}


def test_where_a_product_comes_from_is_what_the_command_tells(ran, record):
    origin = record.provenance("fits/2020-01-17/00001.json")
    assert (origin.maker.stage, origin.maker.unit) == ("fit", "2020-01-17/00001")
    assert [member.path for source in origin.sources for member in source.files] == [
        "raw/2020-01-17/00001_DATA.txt"
    ]
    with pytest.raises(DefinitionError):
        record.provenance("fits/nothing.json")
