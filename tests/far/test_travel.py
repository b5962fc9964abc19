"""Inputs and programs travel to a machine that shares nothing with this one, and results come home, whatever happens."""

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.desk import Desk
from tests.far.lab import Lab, as_local
from tests.far.misfortunes import run_through
from tests.far.rig import PYTHON as PYTHON_THERE
from tests.far.rig import Rig
from tests.far.wire import listen_in, sent_home
from tests.sshd import Sshd
from tests.until import until

TASKS = 60
CUTS, LOST_BYTES = 4, 3 << 20  # that may be under way each time that a result is cut off
STAGES = """
[stage.turn]
each = "unit"
command = ["./tools/turn.sh", "{path}", "{product}"]
products = "turned/{unit}.txt"
batch = 4

[stage.split]
each = "unit"
after = "turn"
command = ["sh", "-c", "mkdir $1 && split -n 3 $0 $1/part-", "{inputs.turn}", "{product}"]
products = { product = { path = "parts/{unit}", folder = true } }

[stage.all]
each = "campaign"
after = "split"
command = ["sh", "-c", 'while read -r p; do cat "$p"/* | cksum; done < $0 | sort > $1', "{inputs_file.split}", "{product}"]
products = "all.txt"
"""
TURN = """#!/bin/sh
sleep 0.2
case "$1" in
*/big.txt) seq 8000000 > "$2" ;;
*) sort -r "$1" > "$2" ;;
esac
"""
SPOIL = 'echo spoilt > "$1"\n'  # what edits its input spoils nothing where that has travelled


def with_files(lab: Lab, site: str) -> Lab:
    """Give a campaign files of very different sizes, some of them equal; one makes a large result."""
    lab.define(STAGES, units=0, site=site, source='files = "raw/{unit}.txt"')
    generator = random.Random(7)
    (lab.root / "raw").mkdir()
    for number in range(TASKS - 1):
        lines = generator.choices("abcdefgh", k=generator.choice([1, 10, 10, 60_000]))
        (lab.root / f"raw/{number}.txt").write_text("\n".join(lines) + "\n")
    (lab.root / "raw/big.txt").write_text("large\n")
    (lab.root / "tools").mkdir()
    (lab.root / "tools/turn.sh").write_text(TURN + SPOIL)
    (lab.root / "tools/turn.sh").chmod(0o755)
    return lab


@pytest.fixture
def turning(lab: Lab, tmp_path: Path) -> Lab:
    python = listen_in(tmp_path / "wire", tmp_path / "wire", sys.executable)
    return with_files(lab, f'cores = 2\nworkdir = "{tmp_path}/far"\npython = "{python}"\n')


def results(root: Path) -> dict[str, bytes]:
    """Return all products."""
    made = [*(root / "turned").rglob("*"), *(root / "parts").rglob("*"), root / "all.txt"]
    return {str(path.relative_to(root)): path.read_bytes() for path in made if path.is_file()}


def expected(lab: Lab, tmp_path: Path) -> dict[str, bytes]:
    """Return the products of a run of the same campaign on this machine alone."""
    direct = as_local(lab, tmp_path / "direct")
    (direct.root / "tools/turn.sh").write_text(TURN)
    done = direct.penstock("run")
    assert done.returncode == 0, done.stdout + done.stderr
    return results(direct.root)


def test_results_are_those_of_a_local_run_and_nothing_is_left(
    turning: Lab, desk: Desk, server: Sshd, tmp_path: Path
) -> None:
    turning.login()
    assert turning.start().wait(300) == 0, turning.said()
    assert turning.outcomes() == {"ok": 2 * TASKS + 1}
    assert results(turning.root) == expected(turning, tmp_path)
    assert [*(tmp_path / "far").rglob("*")] == []
    once = {name: [range(len(data))] for name, data in results(turning.root).items()}
    assert came_home(tmp_path / "wire") == once
    assert server.logins() == (1, 0)
    log = turning.penstock("log", "3", "--stage", "turn")
    assert log.returncode == 0, log.stderr


def came_home(wire: Path) -> dict[str, list[range]]:
    """Return by product which of its bytes were sent home, each time."""
    return {path.partition("/files/")[2]: sent for path, sent in sent_home(wire).items()}


def bytes_again(sent: Sequence[range]) -> int:
    """Return how many bytes were sent that had been sent before."""
    again = end = 0
    for each in sorted(sent, key=lambda each: each.start):
        again += max(0, min(end, each.stop) - each.start)
        end = max(end, each.stop)
    return again


@pytest.fixture(params=["rig", "rig_slurm"])
def host(request: pytest.FixtureRequest) -> Rig:
    """A host that shares nothing with this one: without a scheduler, and with Slurm."""
    return request.getfixturevalue(request.param)


def test_it_ends_by_itself_whatever_happens(
    host: Rig, lab_at: Callable[[Rig], Lab], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scheduler = request.node.callspec.params["host"].replace("rig_slurm", "slurm").replace("rig", "local")
    python = listen_in(host.path("~/wire"), host.there / "wire", PYTHON_THERE, "/mnt/tests/far/wire.py")
    lab = with_files(
        lab_at(host), f'scheduler = "{scheduler}"\nworkdir = "~/penstock"\npython = "{python}"\n'
    )
    run_through(lab, host, large="turned/.big.txt.*", finished=lambda: finished(lab), of=TASKS)
    assert lab.states() == {"done": 2 * TASKS + 1}
    assert results(lab.root) == expected(lab, tmp_path)
    came = came_home(host.path("~/wire"))
    assert came.keys() == results(lab.root).keys()
    again = {name: more for name, sent in came.items() if (more := bytes_again(sent))}
    assert sum(again.values()) <= CUTS * LOST_BYTES, again


def finished(lab: Lab) -> int:
    """Return how many results of the first stage are here."""
    return len([*(lab.root / "turned").glob("[!.]*.txt")])


PYTHON = """
[stage.measure]
each = "unit"
python = "lab.measure:measure"
products = "made/{unit}.txt"

[stage.total]
each = "campaign"
after = "measure"
python = "lab.measure:total"
products = "total.txt"
"""
MEASURE = """
from lab.words import count


def measure(task):
    task.product().write_text(str(count(open(task.fields["path"]).read())))


def total(task):
    task.product().write_text(str(sum(int(open(path).read()) for path in task.inputs["measure"])))
"""


def test_functions_travel_with_the_modules_that_they_import(lab: Lab, desk: Desk, tmp_path: Path) -> None:
    site = f'python = "{sys.executable}"\nworkdir = "{tmp_path}/far"\n'
    lab.define(PYTHON, units=0, site=site, source='files = "raw/{unit}.txt"')
    (lab.root / "lab").mkdir()
    (lab.root / "lab/__init__.py").write_text("")
    (lab.root / "lab/measure.py").write_text(MEASURE)
    (lab.root / "lab/words.py").write_text("def count(text):\n    return len(text.split())\n")
    (lab.root / "raw").mkdir()
    for number in range(3):
        (lab.root / f"raw/{number}.txt").write_text("word " * number)
    lab.login()
    assert lab.start().wait(120) == 0, lab.said()
    assert (lab.root / "total.txt").read_text() == "3"
    assert [*(tmp_path / "far").rglob("*")] == []


def test_the_output_of_a_task_is_read_where_it_runs(lab: Lab, desk: Desk, tmp_path: Path) -> None:
    talking = '[stage.talk]\neach = "unit"\ncommand = ["sh", "-c", "echo hello $0; sleep 60", "{unit}"]\n'
    lab.define(talking, units=1, site=f'workdir = "{tmp_path}/far"\n')
    lab.login()
    lab.start()
    until(lambda: lab.penstock("status").returncode == 0, "there is a record", 60)
    until(lambda: lab.states().get("running"), "it runs", 60)
    assert until(lambda: lab.penstock("log", "1").stdout, "its output is there") == "hello 1\n"
    lab.cut()
    assert "needs you" in lab.penstock("log", "1").stderr


def test_a_program_that_a_purge_took_while_tasks_ran_is_sent_again(
    lab: Lab, desk: Desk, tmp_path: Path
) -> None:
    stage = '[stage.step]\neach = "unit"\ncommand = ["sh", "tools/step.sh", "{unit}"]\nretry = { error = 0 }\nbatch = 3\n'
    lab.define(stage, units=3, site=f'cores = 1\nworkdir = "{tmp_path}/far"\n')
    (lab.root / "tools").mkdir()
    taken = tmp_path / "taken"
    (lab.root / "tools/step.sh").write_text(f'test -e {taken} || {{ touch {taken}; rm "$0"; }}\n')
    lab.login()
    assert lab.start().wait(120) == 0, lab.said()
    assert lab.outcomes() == {"ok": 3, "unstarted": 2}
