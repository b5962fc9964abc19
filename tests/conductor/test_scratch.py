"""Scratch on the node's own disk: inputs are copied in, products out, and nothing stays."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.conductor.test_killed_runners import kill_runners

HEAD = """\
[campaign]
name = "lab"
levels = ["unit"]
[units]
files = "raw/{unit}.txt"
settle = 0
[site.local]
cores = 2
"""
STAGES = """
[stage.a]
each = "unit"
command = ["sh", "-c", 'echo "$1" > "$0"; cat "$1" >> "$0"', "{product}", "{path}"]
products = "a/{unit}"
scratch = "$TMPDIR"
copy_inputs = true
[stage.f]
each = "unit"
after = "a"
python = "steps:work"
products = "f/{unit}"
scratch = "$TMPDIR"
copy_inputs = true
[stage.m]
each = "campaign"
after = "f"
command = ["sh", "-c", 'cat "$1" $(cat "$1") > "$0"', "{product}", "{inputs_file.f}"]
products = "m"
scratch = "$TMPDIR"
copy_inputs = true
"""
WORK = """
def work(task):
    paths = [task.fields["path"], str(task.input("a"))]
    task.product().write_text("".join(f"{path}\\n" + open(path).read() for path in paths))
"""
SLEEPER = """
[stage.s]
each = "unit"
command = ["sh", "-c", "echo half > half; echo half > $0; [ -e $1/mended ] || sleep 60", "{product}", "%s"]
products = "s/{unit}"
scratch = "$TMPDIR"
"""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "node"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.parametrize("units", [2, 60], ids=["few", "listed in a file"])
def test_commands_functions_and_merges_read_copies_on_the_node(lab: Any, node: Path, units: int) -> None:
    lab.write("steps.py", WORK)
    for n in range(units):
        lab.write(f"raw/u{n}.txt", f"sound {n}\n")
    lab.define(STAGES, head=HEAD)
    assert lab.run().code == 0
    lines = lab.read("m").splitlines()
    paths = [line for line in lines if line.startswith("/")]
    assert len(paths) == 4 * units
    assert all(line.startswith(f"{node}/") for line in paths)
    assert sum(line.startswith("sound") for line in lines) == 2 * units
    assert os.listdir(node) == []


def test_the_dry_run_shows_inputs_under_the_names_that_people_know(lab: Any) -> None:
    lab.write("steps.py", WORK)
    lab.write("raw/u1.txt", "")
    shown = lab.define(STAGES, head=HEAD).command("plan").stdout
    assert "a/u1 raw/u1.txt" in shown
    assert "input." not in shown


def test_what_killed_runners_left_on_the_node_is_gone_after_the_next_run(lab: Any, node: Path) -> None:
    for n in range(2):
        lab.write(f"raw/u{n}.txt", "")
    lab.define(SLEEPER % lab.root, head=HEAD)
    conductor = lab.start("run")
    lab.wait_until(lambda: len([*node.rglob("half")]) == 2, "both tasks at work on the node")
    os.killpg(conductor.pid, signal.SIGKILL)
    conductor.wait()
    kill_runners(lab)
    assert len([*node.rglob("half")]) == 2
    lab.write("mended", "")
    assert lab.run().code == 0
    assert os.listdir(node) == []
