"""The commands that only read: status, why, log, units, jobs, report."""

import json
import signal
import subprocess
import sys

import pytest

from penstock.clock import SystemClock
from penstock.ledger.hosts.lease import held


def test_status_shows_what_failed_and_how_to_see_its_log(penstock, ran):
    shown = penstock("status", "-C", ran)
    assert shown.exit_code == 0
    assert "penstock log --stage copy c" in shown.output


def test_status_json_has_the_documented_form(penstock, ran):
    data = json.loads(penstock("status", "-C", ran, "--json").stdout)
    copy = next(stage for stage in data["stages"] if stage["name"] == "copy")
    assert (data["campaign"], copy["each"], copy["tasks"]["done"], copy["tasks"]["failed"]) == (
        "winter",
        "file",
        2,
        1,
    )
    assert {"campaign", "stages", "jobs", "problems"} <= data.keys()
    assert data["problems"][0]["task"] == "c"


def test_why_tells_the_chain_to_the_unit_that_failed(penstock, ran):
    shown = penstock("why", "campaign", "-C", ran).output
    assert shown.startswith("merge campaign: blocked, 1 of 3 members of 'copy' failed")
    assert "needs copy c: failed" in shown


def test_why_takes_the_path_of_a_file_or_a_product(penstock, ran):
    by_name = penstock("why", "a", "-C", ran).output
    assert by_name.startswith("copy a: done, made out/a.txt")
    assert penstock("why", "out/a.txt", "-C", ran).output == by_name
    assert penstock("why", "data/a.txt", "-C", ran).output == by_name


def test_why_of_a_group_without_tasks_points_to_its_units(penstock, ran):
    (ran / "penstock.toml").write_text((ran / "penstock.toml").read_text().split("[stage.merge]")[0])
    root = ran
    penstock("run", "-C", root)
    shown = penstock("why", "campaign", "--stage", "copy", "-C", root)
    assert shown.output.count("copy ") >= 3


def test_an_unknown_unit_ends_with_2_and_the_nearest(penstock, ran):
    for command in ("why", "log", "unveto", "retry", "cancel", "units"):
        shown = penstock(command, "zz", "-C", ran)
        assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1), command
        assert "no unit is called 'zz'" in shown.stderr


def test_log_prints_what_the_task_wrote_and_nothing_else_on_stdout(penstock, ran):
    shown = penstock("log", "a", "-C", ran)
    assert shown.stdout == "copying ./data/a.txt\n"
    assert shown.stderr.startswith("# copy, attempt 1: ok, from ")


def test_log_of_an_earlier_attempt(penstock, ran):
    assert penstock("log", "c", "--attempt", 2, "-C", ran).stdout == "copying ./data/c.txt\n"
    shown = penstock("log", "c", "--attempt", 9, "-C", ran)
    assert (shown.exit_code, "no attempt 9" in shown.stderr) == (1, True)


def test_log_json_has_the_text_and_where_it_stands(penstock, ran):
    data = json.loads(penstock("log", "a", "--json", "-C", ran).stdout)
    assert (data["stage"], data["attempt"], data["outcome"]) == ("copy", 1, "ok")
    assert data["text"] == "copying ./data/a.txt\n"


def test_log_of_several_units_is_refused(penstock, ran):
    assert penstock("log", "*", "-C", ran).exit_code == 2


def test_log_strips_what_would_drive_the_terminal(penstock, winter):
    text = (winter / "penstock.toml").read_text().replace("copying", "\\\\033[31mred")
    (winter / "penstock.toml").write_text(text)
    penstock("run", "-C", winter)
    assert "\x1b" not in penstock("log", "a", "-C", winter).output


def test_units_are_listed_by_state_stage_and_name(penstock, ran):
    assert penstock("units", "--state", "done", "-C", ran).output == "done     copy a\ndone     copy b\n"
    assert penstock("units", "--stage", "merge", "-C", ran).output.startswith("blocked  merge campaign: ")
    assert penstock("units", "[ac]", "-C", ran).output.count("\n") == 2
    assert penstock("units", "campaign", "-C", ran).output.count("\n") == 4


def test_units_stop_at_the_limit_and_say_so(penstock, ran):
    shown = penstock("units", "--limit", 2, "-C", ran)
    assert shown.stdout.count("\n") == 2
    assert "--limit 0 all" in shown.stderr
    assert penstock("units", "--limit", 0, "-C", ran).stderr == ""
    assert len(json.loads(penstock("units", "--limit", 2, "--json", "-C", ran).stdout)) == 2


def test_jobs_lists_those_that_are_out_and_all_on_request(penstock, ran):
    assert penstock("jobs", "-C", ran).output == "no active jobs\n"
    assert "finished" in penstock("jobs", "--all", "-C", ran).output
    row = json.loads(penstock("jobs", "--all", "--json", "-C", ran).stdout)[0]
    assert {"token", "site", "native", "state", "elements", "tasks"} <= row.keys()


def test_report_tells_what_was_used(penstock, ran):
    shown = penstock("report", "-C", ran)
    assert shown.exit_code == 0
    assert "copy: 2 ok, failed attempts: 2 error" in shown.output
    assert (
        json.loads(penstock("report", "--json", "--stage", "copy", "-C", ran).stdout)["stages"][0]["ok"] == 2
    )


@pytest.mark.parametrize("command", ["status", "units", "jobs", "report"])
def test_questions_never_import_the_definition(penstock, ran, command):
    (ran / "penstock.toml").write_text("nonsense")
    assert penstock(command, "-C", ran).exit_code == 0


def test_questions_write_nothing(penstock, ran):
    before = (ran / ".penstock/ledger.sqlite").read_bytes()
    for words in (["status"], ["why", "a"], ["log", "a"], ["units"], ["jobs"], ["report"]):
        assert penstock(*words, "-C", ran).exit_code == 0
    assert (ran / ".penstock/ledger.sqlite").read_bytes() == before


def test_status_before_the_first_run_shows_what_that_would_do_and_writes_nothing(penstock, winter):
    before = sorted(winter.rglob("*"))
    shown = penstock("status", "-C", winter)
    assert (shown.exit_code, sorted(winter.rglob("*"))) == (0, before)
    assert shown.output.splitlines() == [
        "winter: not run yet",
        "stage  each      waiting  ready  done  left",
        "copy   file            0      3     0",
        "merge  campaign        1      0     0",
        "`penstock plan` shows how, `penstock run` does it",
    ]
    data = json.loads(penstock("status", "--json", "-C", winter).stdout)
    assert [stage["tasks"]["ready"] for stage in data["stages"]] == [3, 0]


def test_status_watch_waits_for_the_first_run(penstock, winter, start):
    command = [sys.executable, "-m", "penstock", "status", "--watch", "--every", "0.2", "-C", str(winter)]
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "not run yet: waiting for `penstock run` (Ctrl-C stops)\n"
    penstock("run", "-C", winter)
    assert process.stdout.readline().startswith("winter: ")
    assert any("copy" in line for line in process.stdout), "the stages"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")


def test_status_watch_may_be_ended_while_it_waits(winter, start):
    command = [sys.executable, "-m", "penstock", "status", "--watch", "-C", str(winter)]
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_status_watch_goes_on_until_interrupted(ran, start):
    command = [sys.executable, "-m", "penstock", "status", "--watch", "--every", "0.2", "-C", str(ran)]
    process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("winter: not running")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("words", [("retry", "--all"), ("cancel", "--all"), ("ledger", "check")])
def test_a_record_without_a_definition_is_told_with_the_remedy(penstock, winter, words):
    with held(winter, command="run", clock=SystemClock()):
        pass
    shown = penstock(*words, "-C", winter)
    assert shown.exit_code == 1
    assert shown.stderr == (
        f"penstock: the record in {winter} has no definition yet: `penstock run` writes it\n"
    )
    assert penstock("status", "-C", winter).output.startswith("winter: not running")


def test_a_unit_that_is_called_by_a_negative_number_is_found(penstock, tmp_path):
    (tmp_path / "depths.csv").write_text("depth\n-5\n5\n")
    (tmp_path / "penstock.toml").write_text(
        'campaign = { name = "sea", levels = ["depth"] }\n'
        'units = { table = "depths.csv", types = { depth = "int" } }\n'
        '[stage.dive]\neach = "depth"\ncommand = ["true"]\n'
    )
    penstock("run", "-C", tmp_path)
    for words in (["-5"], ["-5", "--stage", "dive"], ["--", "-5"]):
        assert penstock("why", "-C", tmp_path, *words).output.startswith("dive -5: done")
    assert penstock("units", "-C", tmp_path, "--limit", "-5").exit_code == 2
    assert penstock("veto", "-5", "--why", "-5 is too deep", "-C", tmp_path).exit_code == 0
    assert penstock("why", "-5", "--stag", "dive", "-C", tmp_path).exit_code == 2
