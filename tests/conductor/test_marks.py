"""What a person says of units: done by somebody else, or put away on purpose."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import penstock.record
from penstock.cli.root import cli
from penstock.clock import SystemClock
from penstock.conductor import Conductor
from penstock.graph import build
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.status import Status
from penstock.testing import ManualClock, Outcome, make_campaign
from penstock.testing.campaigns import MadeCampaign

DEFINITION = """
[campaign]
name = "winter"
levels = ["night", "run"]
[units]
files = "raw/{night}/{run:05d}.txt"
settle = "0s"
[stage.fit]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "fits/{night}/{run:05d}.json"
retry = { error = { times = 0 } }
[stage.merge]
each = "night"
after = ["fit"]
command = ["cat", "{inputs.fit}"]
products = "nights/{night}.txt"
[stage.seen]
each = "run"
command = ["cat", "{path}"]
retry = { error = { times = 0 } }
"""
FILES = {f"raw/2020-01-1{night}/0000{run}.txt": f"{run}" for night in "78" for run in (1, 2)}
FIRST, SECOND, NIGHT = "2020-01-17/00001", "2020-01-17/00002", "2020-01-17"


def well(run: object) -> Outcome:
    return Outcome(seconds=2.0, contents={"product": b"made"} if run.stage != "seen" else {})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_600_000_000.0)


@pytest.fixture
def winter(tmp_path: Path) -> MadeCampaign:
    """Two nights of two runs; all failed once."""
    made = make_campaign(tmp_path / "winter", DEFINITION, FILES)
    made.run(lambda run: Outcome("error", why="lamp off"), clock=ManualClock(1_500_000_000.0))
    return made


def say(made: MadeCampaign, *words: str) -> str:
    result = CliRunner().invoke(cli, ["-C", str(made.root), *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def run(made: MadeCampaign, clock: ManualClock) -> None:
    """Retry all and run, in a process of its own as far as the record can know."""
    with penstock.record.open(made.root) as record:
        record.ask("retry")
    made.run(well, clock=clock)
    assert faults(made) == []


def faults(made: MadeCampaign) -> list[str]:
    with Ledger.open(made.root, readonly=True) as ledger:
        ids = dict(ledger.db.execute("SELECT name, id FROM stage WHERE NOT removed").fetchall())
        return check_ledger(ledger, build(made.load(), ids))


def state(made: MadeCampaign, stage: str, unit: str) -> str:
    with penstock.record.open(made.root) as record:
        return "".join(task.state for task in record.tasks(stage, unit))


def attempts(made: MadeCampaign, stage: str, unit: str) -> list[str]:
    with penstock.record.open(made.root) as record:
        known = ("first seen", "blocked", "to be retried", "marked", "unmarked", "to be redone")
        return [e.what for e in record.history(unit) if e.stage == stage and e.what not in known]


def test_a_marked_task_is_done_and_never_run(winter, clock):
    assert say(winter, "mark", FIRST, "--stage", "seen", "--why", "by eye") == "1 task marked as done\n"
    assert state(winter, "seen", FIRST) == "done"
    run(winter, clock)
    assert attempts(winter, "seen", FIRST) == ["error"]
    assert attempts(winter, "seen", SECOND) == ["error", "ok"]
    assert "done, marked by" in say(winter, "why", FIRST, "--stage", "seen")
    assert "by eye" in say(winter, "units", FIRST, "--stage", "seen")


def test_what_lies_at_a_marked_product_is_read_by_who_comes_after(winter, clock):
    winter.write("fits/2020-01-17/00001.json", "old one")
    say(winter, "mark", FIRST, "--stage", "fit", "--why", "older program")
    with penstock.record.open(winter.root) as record:
        [product] = record.products("fit", FIRST)
    assert product.size_bytes == 7
    run(winter, clock)
    assert state(winter, "merge", NIGHT) == "done"
    with Ledger.open(winter.root, readonly=True) as ledger:
        assert ledger.db.execute("SELECT count(*) FROM task WHERE marked IS NOT NULL").fetchone()[0] == 1


def test_a_task_whose_product_is_read_and_missing_is_left_out_with_a_reason(winter):
    answer = say(winter, "mark", FIRST, "--why", "older program")
    assert "1 task marked as done" in answer, "what nobody reads"
    assert "1 task of 'fit' left out: their products are read by another stage and are not there" in answer
    assert state(winter, "fit", FIRST) == "failed"


def test_a_mark_is_taken_back_and_the_task_is_done(winter, clock):
    winter.write("fits/2020-01-17/00001.json", "old one")
    say(winter, "mark", NIGHT, "--why", "older program")
    assert state(winter, "fit", FIRST) == "done"
    (winter.root / "fits/2020-01-17/00001.json").unlink()
    assert say(winter, "unmark", NIGHT) == "4 tasks no longer marked as done\n", "the merge is one of them"
    assert say(winter, "unmark", NIGHT) == "nothing of that is marked\n"
    assert state(winter, "fit", FIRST) == "ready"
    run(winter, clock)
    assert attempts(winter, "fit", FIRST) == ["error", "ok"]


def test_a_redone_task_is_no_longer_marked(winter, clock):
    say(winter, "mark", FIRST, "--stage", "seen", "--why", "by eye")
    say(winter, "redo", FIRST, "--stage", "seen")
    run(winter, clock)
    with Ledger.open(winter.root, readonly=True) as ledger:
        assert Status.read(ledger).stages[2].marked == 0
    assert attempts(winter, "seen", FIRST) == ["error", "ok"]


def test_the_file_of_a_marked_task_is_not_replaced_when_it_is_redone(winter, clock):
    path = winter.write("fits/2020-01-17/00001.json", "old one")
    say(winter, "mark", FIRST, "--stage", "fit", "--why", "older program")
    say(winter, "redo", FIRST, "--stage", "fit")
    with Conductor(winter.load(), command="run") as conductor:
        conductor.run()
    assert path.read_text() == "old one"


def test_a_marked_task_becomes_stale_by_its_input_and_by_no_definition(winter, clock):
    say(winter, "mark", FIRST, "--stage", "seen", "--why", "by eye")
    text = (winter.root / "penstock.toml").read_text()
    (winter.root / "penstock.toml").write_text(text.replace('["cat", "{path}"]', '["cat", "-v", "{path}"]'))
    run(winter, clock)
    with penstock.record.open(winter.root) as record:
        assert [task.stale for task in record.tasks("seen", FIRST)] == [None]
        winter.write("raw/2020-01-17/00001.txt", "longer")
        run(winter, clock)
        [task] = record.tasks("seen", FIRST)
    assert "1 → 6 bytes" in task.stale
    assert task.state == "done"


def test_a_mark_needs_a_reason_and_is_rehearsed_without_a_trace(winter):
    words = ["-C", str(winter.root), "mark", FIRST, "--why", " "]
    assert CliRunner().invoke(cli, words).exit_code == 2
    told = json.loads(say(winter, "mark", NIGHT, "--stage", "seen", "--why", "by eye", "--dry-run", "--json"))
    assert told["tasks"] == [{"stage": "seen", "unit": unit} for unit in (FIRST, SECOND)]
    assert told["answer"] == "2 tasks marked as done"
    assert state(winter, "seen", FIRST) == "failed"
    assert not (winter.root / ".penstock/actions.jsonl").exists()


def test_marks_are_counted_in_status_and_metrics_and_told_in_the_history(winter):
    say(winter, "mark", NIGHT, "--stage", "seen", "--why", "by eye")
    stages = {stage["name"]: stage for stage in json.loads(say(winter, "status", "--json"))["stages"]}
    assert stages["seen"]["marked"] == 2
    assert stages["seen"]["tasks"]["done"] == 2
    assert "marked" in say(winter, "status").splitlines()[1]
    assert 'penstock_marked_tasks{campaign="winter",stage="seen"} 2' in say(winter, "metrics")
    with penstock.record.open(winter.root) as record:
        event = record.history(FIRST)[-1]
    assert (event.what, event.stage, event.why) == ("marked", "seen", "by eye")
    assert "@" in event.by
    action = json.loads((winter.root / ".penstock/actions.jsonl").read_text().splitlines()[-1])
    assert (action["action"], action["target"]["why"]) == ("mark", "by eye")


def test_an_archived_unit_is_neither_missed_nor_processed(winter, clock):
    say(winter, "archive", FIRST, "--why", "on tape 7")
    (winter.root / "raw/2020-01-17/00001.txt").unlink()
    run(winter, clock)
    assert state(winter, "fit", FIRST) == ""
    assert state(winter, "fit", SECOND) == "done"
    assert state(winter, "merge", NIGHT) == "done", "of what is left"
    status = json.loads(say(winter, "status", "--json"))
    assert status["archived"] == 1
    assert all(stage["tasks"]["gone"] == 0 for stage in status["stages"])
    assert status["problems"] == []
    assert "archived by" in say(winter, "why", FIRST)
    assert "on tape 7" in say(winter, "units", "--archived")
    assert 'penstock_archived_units{campaign="winter"} 1' in say(winter, "metrics")


def test_an_archived_unit_that_is_still_there_is_left_alone(winter, clock):
    say(winter, "archive", FIRST, "--why", "on tape 7")
    winter.write("raw/2020-01-17/00001.txt", "longer")
    for _ in range(2):
        run(winter, clock)
    assert state(winter, "fit", FIRST) == ""
    assert [e["what"] for e in json.loads(say(winter, "history", FIRST, "--json"))][-1] == "archived"


def test_so_many_archived_units_that_vanish_are_not_suspicious(winter, clock):
    say(winter, "archive", "*/*", "--why", "disk retired")
    for name in FILES:
        (winter.root / name).unlink()
    (winter.root / "raw/2020-01-17").rmdir()
    winter.write("raw/2020-01-19/00001.txt", "1")
    run(winter, clock)
    assert json.loads(say(winter, "status", "--json"))["problems"] == []
    assert winter.states("fit") == {'["2020-01-19",1]': "done"}
    assert winter.states("merge") == {'["2020-01-19"]': "done"}, "groups with nothing left have no task"


def test_what_was_made_of_an_archived_unit_stays_and_counts(winter, clock):
    run(winter, clock)
    say(winter, "archive", NIGHT, "--why", "on tape 7")
    for n in (1, 2):
        (winter.root / f"raw/2020-01-17/0000{n}.txt").unlink()
    run(winter, clock)
    assert state(winter, "fit", FIRST) == state(winter, "merge", NIGHT) == "done"
    assert attempts(winter, "merge", NIGHT) == ["ok"]
    assert "archived by" in say(winter, "why", FIRST, "--stage", "fit")
    answer = say(winter, "redo", FIRST, "--stage", "fit")
    assert "archived by" in answer
    assert f"penstock unarchive {FIRST}" in answer


def test_an_unarchived_unit_is_processed_once_it_is_found(winter, clock):
    say(winter, "archive", NIGHT, "--why", "on tape 7")
    (winter.root / "raw/2020-01-17/00001.txt").unlink()
    run(winter, clock)
    assert winter.states("merge").keys() == {'["2020-01-18"]'}
    assert say(winter, "unarchive", NIGHT).startswith("2 units no longer archived")
    assert state(winter, "fit", FIRST) == "gone"
    run(winter, clock)
    assert state(winter, "fit", FIRST) == "gone"
    assert state(winter, "fit", SECOND) == "done"
    winter.write("raw/2020-01-17/00001.txt", "1")
    run(winter, clock)
    assert state(winter, "fit", FIRST) == state(winter, "merge", NIGHT) == "done"
    assert say(winter, "unarchive", NIGHT) == "nothing of that is archived\n"


def test_a_new_unit_in_an_archived_group_is_processed_and_so_is_the_group(winter, clock):
    say(winter, "archive", NIGHT, "--why", "on tape 7")
    run(winter, clock)
    winter.write("raw/2020-01-17/00003.txt", "3")
    run(winter, clock)
    assert state(winter, "fit", "2020-01-17/00003") == "done"
    assert state(winter, "merge", NIGHT) == "done"
    assert state(winter, "fit", FIRST) == ""


def test_a_conductor_at_work_does_what_was_asked_in_its_next_turn(winter):
    clock = SystemClock()
    site = winter.site(well, clock=clock)
    with Conductor(winter.load(), command="run", site=site, clock=clock) as conductor:
        with penstock.record.open(winter.root) as record:
            for action, unit in (("mark", FIRST), ("archive", "2020-01-18")):
                [answer] = record.ask(action, unit, why="so")
                assert "in its next turn" in answer
            record.ask("retry")
        conductor.run()
    assert state(winter, "seen", FIRST) == "done"
    assert attempts(winter, "seen", FIRST) == ["error"]
    assert winter.states("fit").keys() == {'["2020-01-17",1]', '["2020-01-17",2]'}
    assert faults(winter) == []


def test_an_unknown_unit_is_refused(winter):
    result = CliRunner().invoke(cli, ["-C", str(winter.root), "archive", "2031-01-01", "--why", "so"])
    assert result.exit_code == 2
    assert "no unit is called '2031-01-01'" in result.output


def test_units_that_are_left_out_are_marked_on_request_for_the_day_when_they_are_not(
    winter: MadeCampaign, clock: ManualClock
) -> None:
    toml, left_out = winter.root / "penstock.toml", '[stage.seen]\nwhere = "run > 9"'
    (winter.root / "raw/2020-01-17/00003.txt").write_text("3")
    toml.write_text(DEFINITION.replace("[stage.seen]", left_out))
    run(winter, clock)
    words = (third := "2020-01-17/00003", "--stage", "seen", "--why", "seen before")
    assert "0 tasks marked" in say(winter, "mark", *words)
    assert "would be: 1 task marked as done" in say(winter, "mark", *words, "--left-out", "--dry-run")
    say(winter, "mark", *words, "--left-out")
    assert faults(winter) == []
    toml.write_text(DEFINITION)
    run(winter, clock)
    with penstock.record.open(winter.root) as record:
        events = {event.what for event in record.history(third) if event.stage == "seen"}
    assert events == {"marked", "definition changed"}
    toml.write_text(DEFINITION.replace("[stage.seen]", left_out))
    run(winter, clock)
    say(winter, "unmark", third, "--stage", "seen")
    assert faults(winter) == []
    with penstock.record.open(winter.root) as record:
        assert third not in {task.unit for task in record.tasks("seen")}
