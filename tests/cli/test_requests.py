"""The commands that ask for something: retry, cancel, veto, unveto."""

import json

import pytest

from penstock.ledger import Ledger


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


def test_an_unknown_stage_ends_with_2(penstock, ran):
    shown = penstock("retry", "--stage", "cpoy", "-C", ran)
    assert (shown.exit_code, "do you mean copy" in shown.stderr) == (2, True)


def test_a_veto_of_the_whole_campaign_beside_a_unit_of_that_name_can_be_lifted_as_it_is_printed(
    penstock, winter
):
    (winter / "data" / "campaign.txt").write_text("good")
    penstock("run", "-C", winter)
    penstock("retry", "--all", "-C", winter)
    assert "vetoed" in penstock("veto", "/", "--why", "broken clock", "-C", winter).output
    (winter / "data" / "d.txt").write_text("good")
    penstock("run", "-C", winter)
    why = penstock("why", "d", "-C", winter).output
    assert "penstock unveto /" in why
    penstock("unveto", "/", "-C", winter)
    assert "copy d: ready" in penstock("why", "d", "-C", winter).output


def test_a_unit_can_be_vetoed_before_anything_has_seen_it(penstock, winter):
    penstock("run", "-C", winter)
    for name in ("campaign", "d"):
        (winter / "data" / f"{name}.txt").write_text("good")
        shown = penstock("veto", name, "--why", "a test of the recorder", "-C", winter)
        assert (shown.exit_code, shown.output) == (0, "1 task vetoed\n")
    (winter / "data" / "e.txt").write_text("good")
    penstock("run", "-C", winter)
    assert not (winter / "out/campaign.txt").exists()
    assert not (winter / "out/d.txt").exists()
    assert (winter / "out/e.txt").exists()


def test_units_are_decided_about_before_the_first_run(penstock, winter):
    (winter / "out").mkdir()
    (winter / "out/a.txt").write_text("by hand")
    assert penstock("veto", "c", "--why", "clouds", "-C", winter).output == "1 task vetoed\n"
    assert penstock("mark", "a", "--why", "by hand", "-C", winter).output == "1 task marked as done\n"
    assert penstock("run", "-C", winter).exit_code == 0
    assert (winter / "merged.txt").read_text() == "by handgood"


def test_what_is_not_decided_beforehand_needs_a_record(penstock, winter):
    shown = penstock("retry", "a", "-C", winter)
    assert (shown.exit_code, "start with `penstock run`" in shown.output) == (1, True)
    assert not (winter / ".penstock").exists()


def test_many_units_are_vetoed_and_freed_in_one_request(penstock, winter):
    penstock("veto", "a", "b", "c", "--why", "clouds", "-C", winter)
    assert penstock("unveto", "[ab]", "-C", winter).output == "2 tasks no longer vetoed\n"
    with Ledger.open(winter, readonly=True) as ledger:
        rows = ledger.db.execute("SELECT action FROM request ORDER BY id").fetchall()
    assert [row[0] for row in rows] == ["veto", "unveto"]
    assert "copy c: vetoed by " in penstock("units", "--state", "vetoed", "-C", winter).output


def test_a_veto_may_end_by_itself(penstock, ran):
    done = penstock("veto", "a", "--until", "2999-12-01", "--why", "clouds", "-C", ran)
    assert done.output.startswith("0 tasks vetoed until 2999-12-01 00:00 UTC")


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("tomorrow", "'tomorrow' is not a time: write it like 2026-12-01 or 2026-12-01T18:00 (UTC)"),
        ("2020-01-01", "2020-01-01 is over: give a time to come (UTC)"),
    ],
)
def test_a_veto_until_no_time_to_come_is_refused(penstock, ran, until, said):
    done = penstock("veto", "a", "--until", until, "--why", "clouds", "-C", ran)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
