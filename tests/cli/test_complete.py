import os
import subprocess
import sys

import pytest

from penstock.cli.complete import complete_stage, complete_unit


def offered(function, root, typed):
    import click

    from penstock.cli.why import why

    context = click.Context(why, info_name="why")
    context.params["root"] = root
    return [item.value for item in function(context, None, typed)]


def test_stages_are_offered(ran):
    assert offered(complete_stage, ran, "") == ["copy", "merge"]
    assert offered(complete_stage, ran, "me") == ["merge"]


def test_units_are_offered_level_by_level(record):
    for night, run in (("n1", 1), ("n1", 22), ("n2", 3)):
        record.unit(night, run)
    (record.root / "penstock.toml").touch()
    assert offered(complete_unit, record.root, "") == ["n1", "n2"]
    assert offered(complete_unit, record.root, "n1/") == ["n1/00001", "n1/00022"]
    assert offered(complete_unit, record.root, "n1/0002") == ["n1/00022"]
    assert offered(complete_unit, record.root, "zz/") == []


def test_outside_of_a_campaign_nothing_is_offered(tmp_path):
    assert offered(complete_unit, tmp_path, "") == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("why --stage ", ["plain,copy", "plain,merge"]),
        ("redo --stage m", ["plain,merge"]),
        ("ledger backup ", ["file,"]),
        ("ledger restore old", ["file,old"]),
    ],
)
def test_the_shell_gets_completions(ran, typed, offered):
    word = str(1 + typed.count(" "))
    words = {"COMP_WORDS": f"penstock {typed}", "COMP_CWORD": word, "_PENSTOCK_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "penstock"],
        cwd=ran,
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == offered
