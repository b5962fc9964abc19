"""`penstock publish`."""

import json
import os
import subprocess
import sys

import pytest

PUBLISH = """
[publish.web]
to = "public"
files = { stage = "copy", to = "texts/" }
[publish.sum]
to = "sums"
files = "merge"
"""


@pytest.fixture
def showing(ran):
    (ran / "penstock.toml").write_text((ran / "penstock.toml").read_text() + PUBLISH)
    return ran


def test_what_is_done_is_published_and_the_second_time_nothing_is(penstock, showing):
    shown = penstock("publish", "-C", showing)
    assert (shown.exit_code, shown.stdout) == (0, "web campaign: 2 files, 8 B: 2 sent\n")
    assert "sending 2 files (8 bytes) to public" in shown.stderr
    assert (showing / "public/texts/a.txt").read_text() == "good"
    again = penstock("publish", "web", "-C", showing)
    assert (again.exit_code, again.output) == (0, "web campaign: 2 files, 8 B: nothing to do\n")
    assert (
        penstock("publish", "sum", "-C", showing).output
        == "nothing to publish: no product of these is done yet\n"
    )


def test_a_dry_run_writes_nothing_and_tells_what_is_in_the_way(penstock, showing):
    told = json.loads(penstock("publish", "--dry-run", "--json", "-C", showing).stdout)
    assert [(one["name"], one["sent"]) for one in told] == [("web", ["texts/a.txt", "texts/b.txt"])]
    assert not (showing / "public").exists()
    (showing / "public/texts").mkdir(parents=True)
    (showing / "public/texts/a.txt").write_text("of somebody")
    shown = penstock("publish", "--dry-run", "web", "a", "-C", showing)
    assert shown.exit_code == 1
    assert "  texts/a.txt has other content that was not published from here\n" in shown.output
    refused = penstock("publish", "-C", showing)
    assert refused.exit_code == 1
    assert "nothing of campaign is published at public: texts/a.txt has other content" in refused.output


def test_without_a_table_it_says_what_to_add(penstock, ran):
    shown = penstock("publish", "-C", ran)
    assert (shown.exit_code, "add a table [publish.NAME]" in shown.output) == (2, True)


def test_an_unknown_word_is_a_unit_that_is_not_there(penstock, showing):
    assert "no unit is called 'wbe'" in penstock("publish", "wbe", "-C", showing).output


def test_publications_and_units_are_completed(penstock, showing):
    penstock("run", "-C", showing)
    environment = {
        **os.environ,
        "_PENSTOCK_COMPLETE": "bash_complete",
        "COMP_WORDS": "penstock publish ",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "penstock"],
        cwd=showing,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert {"plain,web", "plain,sum", "plain,a"} <= {*done.stdout.split("\n")}
