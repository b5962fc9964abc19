"""What a run ends with, so that `penstock run && publish` publishes nothing that is not whole."""

from pathlib import Path

import pytest

from penstock.testing import make_campaign

HEAD = """
campaign = { name = "ends", levels = ["night", "run"] }
[units]
files = "in/{night}/{run}.txt"
settle = "0s"
partial = "in/{night}/{run}.part"
[stage.a]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "a/{night}/{run}.txt"
"""
NEXT = '[stage.b]\neach = "run"\nafter = "a"\ncommand = ["true"]\n'
KEYED = '[stage.b]\neach = "run"\nafter = [{ stage = "a", key = ["{night}", "LAMP"] }]\ncommand = ["true"]\n'
MERGE = '[stage.m]\neach = "night"\nafter = "a"\ncommand = ["true"]\n'
FILES = {"in/n1/1.txt": "x", "in/n1/2.txt": "x"}


@pytest.mark.parametrize(
    ("stages", "more", "code"),
    [
        ("rules = [{ where = \"run == '1'\", verdict = 'veto' }]\n" + NEXT, {}, 0),
        ("rules = [{ where = \"night == 'n1'\", verdict = 'veto' }]\n" + MERGE, {}, 0),
        ("where = \"run == '1'\"\n" + NEXT, {}, 0),
        ("where = \"night == 'n2'\"\n" + MERGE, {}, 0),
        (KEYED.replace("LAMP", "7"), {}, 1),
        (MERGE, {"in/n1/3.part": "x", "in/n1/3.txt": "x"}, 1),
        (MERGE, {}, 0),
    ],
    ids=["vetoed", "all vetoed", "left out", "none there", "no such unit", "still growing", "well"],
)
def test_a_run_ends_with_1_when_something_is_left_undone_that_nobody_decided(
    tmp_path: Path, stages: str, more: dict[str, str], code: int
) -> None:
    ending = make_campaign(tmp_path, HEAD + stages, {**FILES, **more}).run()
    assert (ending.code, ending.lines[0].startswith("all done")) == (code, stages == MERGE and not more), (
        ending
    )


SPOILING = """
[stage.a]
each = "file"
command = ["sh", "-c", "cp $1 $0; [ $2 = y ] || echo more >> $1", "{product}", "{path}", "{file}"]
products = "a/{file}"
[stage.b]
each = "file"
after = "a"
command = ["cp", "{inputs.a}", "{product}"]
products = "b/{file}"
[stage.c]
each = "campaign"
after = "b"
command = ["true"]
"""
FILE = '[campaign]\nname = "lab"\nlevels = ["file"]\n[units]\nfiles = "in/{file}.txt"\nsettle = "0s"\n'


def test_a_run_ends_with_1_when_an_input_changed_while_it_was_used(lab):
    lab.write("in/x.txt", "x\n")
    lab.write("in/y.txt", "y\n")
    ending = lab.define(SPOILING, head=FILE).run()
    assert (lab.states("b"), lab.states("c")) == ({"done": 1, "blocked": 1}, {"blocked": 1})
    assert ending.code == 1
    assert any("'a' made while the input changed" in line for line in ending.lines)
    assert any("`penstock run --stale`" in line for line in ending.lines)
    assert lab.start("run", "y", "--stage", "b").wait() == 0, "no part of that is left undone"
