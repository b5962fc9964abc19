"""`run` of some units or one stage; and what hands that know other tools type first."""

import json

import pytest

from penstock.cli.hints import HINTS
from penstock.config import load
from penstock.ledger import Ledger
from penstock.ledger.stored import last_copy

NIGHTS = """
campaign = { name = "nights", levels = ["night", "run"] }
units = { files = "data/{night}/{run}.txt", settle = "0s" }
[stage.raw]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "raw/{night}/{run}.txt"
[stage.flat]
each = "night"
after = ["raw"]
command = ["sh", "-c", 'cat "$@"', "sh", "{inputs.raw}"]
[stage.clean]
each = "run"
after = ["raw", "flat"]
command = ["cp", "{inputs.raw}", "{product}"]
products = "clean/{night}/{run}.txt"
[stage.all]
each = "campaign"
after = ["clean"]
command = ["true"]
"""


@pytest.fixture
def nights(tmp_path):
    for night in ("n1", "n2"):
        (tmp_path / "data" / night).mkdir(parents=True)
        for run in ("a", "b"):
            (tmp_path / "data" / night / f"{run}.txt").write_text("good")
    (tmp_path / "penstock.toml").write_text(NIGHTS)
    return tmp_path


def states(root):
    sql = "SELECT s.name, u.key, t.state FROM task t JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit"
    with Ledger.open(root, readonly=True) as ledger:
        rows = ledger.db.execute(sql).fetchall()
    return {(stage, "/".join(json.loads(key))): state for stage, key, state in rows}


def done(root):
    return {task for task, state in states(root).items() if state == "done"}


def test_a_unit_runs_with_what_it_needs_and_the_rest_is_left(penstock, nights):
    shown = penstock("run", "n1/a", "-C", nights)
    assert shown.exit_code == 0, shown.output
    assert done(nights) == {("raw", "n1/a"), ("raw", "n1/b"), ("flat", "n1"), ("clean", "n1/a")}
    assert shown.output.endswith(
        "all done: 4 tasks\n7 other tasks not requested: `penstock run` runs everything\n"
    )
    assert not (nights / "clean/n1/b.txt").exists()


def test_a_stage_runs_with_what_it_needs_and_the_rest_is_left(penstock, nights):
    assert penstock("run", "--stage", "flat", "-C", nights).exit_code == 0
    assert {stage for stage, _ in done(nights)} == {"raw", "flat"}
    assert len(done(nights)) == 6


def test_units_and_a_stage_together_and_groups_and_patterns(penstock, nights):
    assert penstock("run", "n2", "n1/a", "--stage", "raw", "-C", nights).exit_code == 0
    assert done(nights) == {("raw", "n1/a"), ("raw", "n2/a"), ("raw", "n2/b")}
    assert penstock("run", "n2", "-C", nights).exit_code == 0
    assert done(nights) - {("raw", "n1/a")} == {task for task in states(nights) if task[1].startswith("n2")}


def test_a_part_is_done_again_only_itself_when_it_is_stale(penstock, nights):
    penstock("run", "-C", nights)
    text = (
        (nights / "penstock.toml").read_text().replace('["cp", "{inputs.raw}"', '["cp", "-p", "{inputs.raw}"')
    )
    (nights / "penstock.toml").write_text(text)
    assert penstock("run", "n1/a", "--stage", "clean", "--stale", "-C", nights).exit_code == 0
    with Ledger.open(nights, readonly=True) as ledger:
        assert ledger.db.execute("SELECT count(*) FROM task WHERE stale IS NOT NULL").fetchone()[0] == 3


def test_the_whole_goes_on_where_a_part_ended(penstock, nights):
    penstock("run", "n1", "-C", nights)
    shown = penstock("run", "-C", nights)
    assert (shown.exit_code, set(states(nights).values())) == (0, {"done"})
    assert shown.output.endswith("all done: 11 tasks\n")


def test_a_failure_elsewhere_is_not_this_part_s(penstock, winter):
    assert penstock("run", "a", "-C", winter).exit_code == 0
    assert penstock("run", "c", "-C", winter).exit_code == 1
    assert penstock("run", "b", "-C", winter).exit_code == 0


@pytest.mark.parametrize("words", [["nope"], ["--stage", "rwa"]])
def test_what_is_not_there_is_told_and_nothing_runs(penstock, nights, words):
    shown = penstock("run", *words, "-C", nights)
    assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1)
    assert not (nights / "raw").exists()


def test_a_follower_that_was_not_asked_for_does_not_run_along(penstock, nights):
    text = NIGHTS.split("[stage.flat]")[0] + (
        '[stage.next]\neach = "run"\nwith = "raw"\ncommand = ["cp", "{inputs.raw}", "{product}"]\n'
        'products = "next/{night}/{run}.txt"\n'
    )
    (nights / "penstock.toml").write_text(text)
    assert penstock("run", "--stage", "raw", "-C", nights).exit_code == 0
    assert {stage for stage, _ in done(nights)} == {"raw"}
    assert penstock("run", "n1/a", "--stage", "next", "-C", nights).exit_code == 0
    assert ("next", "n1/a") in done(nights)
    assert ("next", "n1/b") not in done(nights)


def test_dry_run_is_the_plan_of_that_part(penstock, nights):
    shown = penstock("run", "-n", "n1/a", "-C", nights).output
    assert "raw (each run): 2 ready" in shown
    assert "clean (each run): 1 waiting" in shown
    assert "all (each campaign)" not in shown
    assert not (nights / ".penstock").exists()
    whole = penstock("run", "--dry-run", "-C", nights).output
    assert whole == penstock("plan", "-C", nights).output


def test_quiet_says_nothing_when_all_is_well_and_all_when_not(penstock, winter):
    assert penstock("run", "a", "-q", "-C", winter).output == ""
    assert "1 task failed" in penstock("run", "--quiet", "-C", winter).output


def test_json_is_a_line_an_attempt_and_one_at_the_end(penstock, winter):
    lines = [json.loads(line) for line in penstock("run", "--json", "-C", winter).stdout.splitlines()]
    *attempts, end = lines
    assert {(a["stage"], a["unit"], a["outcome"]) for a in attempts} == {
        ("copy", "a", "ok"), ("copy", "b", "ok"), ("copy", "c", "error"),
    }  # fmt: skip
    assert [a["state"] for a in attempts if a["unit"] == "c"][-1] == "failed"
    assert all(a["why"] for a in attempts if a["unit"] == "c")
    assert (end["event"], end["code"], end["lines"][0][:13]) == ("end", 1, "1 task failed")


def test_cores_hold_for_this_run_and_are_not_remembered(penstock, winter):
    assert penstock("run", "--cores", "1", "a", "b", "--stage", "copy", "-C", winter).exit_code == 0
    assert last_copy(winter)["sites"]["local"]["cores"] is None
    assert load(winter, known=last_copy(winter)).sites["local"].cores is None
    assert "stale" not in penstock("status", "-C", winter).output


def test_cores_are_the_most_that_run_at_once(penstock, nights):
    slow = NIGHTS.split("[stage.flat]")[0].replace(
        '["cp", "{path}", "{product}"]',
        """["sh", "-c", 'mkdir lock && sleep 0.1 && rmdir lock && cp "$1" "$2"', "sh", "{path}", "{product}"]""",
    )
    (nights / "penstock.toml").write_text(slow)
    assert penstock("run", "--cores", 1, "-C", nights).exit_code == 0


@pytest.mark.parametrize("option", HINTS)
def test_the_option_of_another_tool_is_told_with_ours(penstock, winter, option):
    shown = penstock("run", option, "4", "-C", winter)
    assert shown.exit_code == 2
    assert f"there is no {option} here: " in shown.stderr or option in ("-d", "-resume", "-profile")
