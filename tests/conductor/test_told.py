"""What changed since a task was made is told: at the end of a run, by `why`, and as data."""

import json
import os

import pytest

from penstock.conductor.staleness import redo_stale

HEAD = """\
[campaign]
name = "lab"
levels = ["night", "run"]
[units]
files = "in/{night}/{run}.txt"
settle = "0s"
[units.night]
table = "nights.csv"
[site.local]
cores = 2
"""
STAGES = """
[stage.fit]
each = "run"
python = "lab:fit"
products = "fit/{night}_{run}"
params = { gain = 1 }
[stage.show]
each = "run"
after = "fit"
command = ["sh", "show.sh", "{product}", "{inputs.fit}", "{gain}"]
products = "show/{night}_{run}"
environment = { MODE = "a" }
"""


@pytest.fixture
def made(lab):
    lab.define(STAGES, head=HEAD)
    lab.write(
        "lab.py",
        "import tools\ndef fit(task): task.product().write_text(str(task.params['gain'] * tools.one))\n",
    )
    lab.write("tools.py", "one = 1\n")
    lab.write("show.sh", "cat $2 > $1; echo $3 >> $1\n")
    lab.write("nights.csv", "night,gain\nn1,2\n")
    lab.write("in/n1/a.txt", "one\n")
    os.utime(lab.root / "in/n1/a.txt", (1_600_000_000, 1_600_000_000))
    assert lab.run().code == 0
    return lab


def told(lab, stage: str) -> list[dict[str, object]]:
    """What `why` says as data."""
    (explanation,) = json.loads(lab.command("why", "n1/a", "--stage", stage, "--json").stdout)
    return explanation["changed"]


def redefine(lab, old: str, new: str) -> list[str]:
    assert old in STAGES
    lab.define(STAGES.replace(old, new), head=HEAD)
    return lab.run().lines


def test_a_parameter_is_told_from_its_old_to_its_new_value(made):
    lines = redefine(made, "gain = 1", "gain = 2")
    assert lines == [
        "1 stale task: `penstock run --stale` redoes it", "    fit: the parameter gain: 1 → 2",
    ]  # fmt: skip
    assert told(made, "fit") == [{"what": "the parameter gain", "old": 1, "new": 2}]
    assert "\n  the parameter gain: 1 → 2\n" in made.command("why", "n1/a", "--stage", "fit").stdout


@pytest.mark.parametrize(
    ("old", "new", "stage", "what"),
    [
        ('"{gain}"', '"{gain}", "-v"', "show", "the command: ….fit} {gain} → ….fit} {gain} -v"),
        ('MODE = "a"', 'MODE = "b"', "show", "the variable MODE: a → b"),
        ('MODE = "a"', 'LEVEL = "a"', "show", "the variable LEVEL is new: a; the variable MODE was removed: a"),
        ('"fit/{night}', '"fits/{night}', "fit", "the product product: fit/{night}_{run} → fits/{night}_{run}"),
        ("lab:fit", "tools:fit", "fit", "the function: lab:fit → tools:fit; lab.py, which the function fit uses, was"
         " removed; the function fit (tools.py) changed"),
        ("gain = 1 }", 'gain = 1 }\nversion = "2"', "fit", "the version:  → 2"),
        ("gain = 1 }", "gain = 1 }\nwhere = \"gain > '1'\"", "fit", "`where` is new: gain > '1'"),
    ],
)  # fmt: skip
def test_each_part_of_a_definition_is_told(made, old, new, stage, what):
    made.write("tools.py", "one = 1\ndef fit(task): pass\n") if "tools" in new else None
    assert f"    {stage}: {what}" in redefine(made, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new", "stage", "what"),
    [
        ("lab.py", "str(", "repr(", "fit", "the function fit (lab.py)"),
        ("tools.py", "1", "3", "fit", "tools.py, which the function fit uses,"),
        ("show.sh", "echo", "printf", "show", "show.sh, which the command uses,"),
    ],
)
def test_an_edited_file_is_told_by_its_name(made, file, old, new, stage, what):
    made.write(file, made.read(file).replace(old, new))
    assert f"    {stage}: {what} changed" in made.run().lines
    (one,) = told(made, stage)
    assert one["what"] == what
    assert one["old"] != one["new"]
    assert {*one["old"], *one["new"]} == {"digest"}


def test_a_set_that_is_gone_is_told_with_what_the_definition_says_now(lab, made):
    assert (
        lab.command(
            "run", "--stale", "--set", "stage.fit.params.gain=2", "--set", "stage.fit.batch=3"
        ).returncode
        == 0
    )
    assert lab.read("fit/n1_a") == "2"
    wanted = "made with --set stage.fit.params.gain=2; the definition now says 1"
    assert f"    fit: the parameter gain: 2 → 1; {wanted}" in lab.run().lines
    why = lab.command("why", "n1/a", "--stage", "fit").stdout
    assert f"\n  the parameter gain: 2 → 1\n  {wanted}\n" in why
    (data,) = json.loads(lab.command("why", "n1/a", "--stage", "fit", "--json").stdout)
    assert data["made_with"] == [{"set": "stage.fit.params.gain=2", "now": 1}]


def test_a_field_of_a_group_is_told_with_its_unit(made):
    made.write("nights.csv", "night,gain\nn1,3\n")
    made.run()
    made.write("nights.csv", "night,gain\nn1,7\n")
    assert "    show: its night's gain changed: 2 → 3" in made.run().lines
    assert told(made, "show") == [{"what": "the field gain of night n1", "old": "2", "new": "7"}]
    assert "\n  the field gain of night n1: 2 → 7\n" in made.command("why", "n1/a", "--stage", "show").stdout


def test_a_file_is_told_with_size_and_time(made):
    made.write("in/n1/a.txt", "longer\n")
    os.utime(made.root / "in/n1/a.txt", (1_700_000_000, 1_700_000_000))
    made.run()
    before = {"bytes": 4, "modified": "2020-09-13 12:26:40 UTC"}
    after = {"bytes": 7, "modified": "2023-11-14 22:13:20 UTC"}
    assert {"what": "the input", "old": before, "new": after} in told(made, "fit")
    why = made.command("why", "n1/a", "--stage", "fit").stdout
    assert "the input: 4 bytes of 2020-09-13 12:26:40 UTC → 7 bytes of 2023-11-14 22:13:20 UTC" in why


def test_an_upstream_that_was_made_again_is_told(made):
    made.define(STAGES.replace("gain = 1", "gain = 2"), head=HEAD)
    with made.conductor() as conductor:
        assert redo_stale(conductor.ledger, conductor.graph, conductor.crew.context.scope) == 1
        conductor.run()
    assert told(made, "show") == [{"what": "the product of fit n1/a", "old": None, "new": None}]
    assert "\n  the product of fit n1/a changed\n" in made.command("why", "n1/a", "--stage", "show").stdout


def test_what_is_not_stale_tells_of_no_change(made):
    assert told(made, "fit") == []
