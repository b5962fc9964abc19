"""The commands that ask for something: retry, cancel, veto, unveto."""

import json

import pytest


@pytest.mark.parametrize("command", ["retry", "cancel"])
def test_what_is_meant_must_be_said(penstock, ran, command):
    shown = penstock(command, "-C", ran)
    assert shown.exit_code == 2
    assert "name a UNIT" in shown.stderr


def test_retry_gives_failed_tasks_another_try(penstock, ran):
    assert penstock("retry", "c", "-C", ran).exit_code == 0
    assert penstock("units", "--state", "ready", "-C", ran).output.startswith("ready    copy c")


def test_retry_takes_all_or_a_stage(penstock, ran):
    for words in (["--all"], ["--stage", "copy"]):
        assert penstock("retry", *words, "-C", ran).exit_code == 0
        assert "copy c" in penstock("units", "--state", "ready", "-C", ran).output
        penstock("run", "-C", ran)


def test_a_veto_needs_a_reason_and_is_recorded_with_its_author(penstock, ran):
    assert penstock("veto", "c", "-C", ran).exit_code == 2
    assert penstock("veto", "c", "--why", " ", "-C", ran).exit_code == 2
    assert penstock("veto", "c", "--why", "clouds", "-C", ran).exit_code == 0
    assert "clouds" in penstock("why", "c", "-C", ran).output
    action = json.loads((ran / ".penstock/actions.jsonl").read_text().splitlines()[-1])
    assert (action["action"], action["target"]["why"], "@" in action["by"]) == ("veto", "clouds", True)


def test_a_vetoed_member_is_left_out_of_the_merge(penstock, ran):
    penstock("veto", "c", "--why", "clouds", "-C", ran)
    assert penstock("run", "-C", ran).exit_code == 0
    assert (ran / "merged.txt").read_text() == "goodgood"


def test_a_lifted_veto_lets_the_unit_run(penstock, ran):
    penstock("veto", "c", "--why", "clouds", "-C", ran)
    assert penstock("unveto", "c", "-C", ran).exit_code == 0
    assert "copy c" not in penstock("units", "--state", "vetoed", "-C", ran).output


def test_a_pattern_asks_for_each_of_its_units(penstock, ran):
    penstock("veto", "[ab]", "--why", "test", "-C", ran)
    actions = (ran / ".penstock/actions.jsonl").read_text().splitlines()
    assert len(actions) == 2


def test_an_unknown_stage_ends_with_2(penstock, ran):
    shown = penstock("retry", "--stage", "cpoy", "-C", ran)
    assert (shown.exit_code, "do you mean copy" in shown.stderr) == (2, True)
