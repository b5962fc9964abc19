"""A campaign whose site is far away does what the same campaign does on this machine: in all that a person can see."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.cluster.packages import Unavailable
from tests.desk import Desk
from tests.far.lab import Lab, as_local
from tests.sshd import Sshd, bring_up

NAMES = (
    "plain", "two words", "-n", "$(touch owned)", "it's \"so\"", "größe µ", "a;b&c|d", "*", "back\\slash", "{x}", "tab\there",
    "empty", "fails",
)  # fmt: skip
OURS = ("raw", "lab.py", "penstock.toml", "units.csv", "said", ".penstock", "__pycache__")
ONCE = 'retry = { error = 0, missing_product = 0, timeout = 0 }\nbatch = 20\nbatch_wait = "0s"\n'
STAGES = f"""
[stage.copy]
each = "unit"
command = ["cp", "{{path}}", "{{product}}"]
products = "copy/{{unit}}.txt"
{ONCE}
[stage.shout]
each = "unit"
after = "copy"
shell = true
command = '''
echo {{unit}} to out; echo {{unit}} to err >&2
test {{unit}} != fails || exit 3
tr a-z A-Z < {{inputs.copy}} > {{product}}'''
products = "shout/{{unit}}.txt"
{ONCE}
[stage.after]
each = "unit"
after = "shout"
command = ["cp", "{{inputs.shout}}", "{{product}}"]
products = "after/{{unit}}.txt"
{ONCE}
[stage.folder]
each = "unit"
where = "unit == 'plain' or unit == '*'"
shell = true
command = '''
mkdir -p {{product.made}}/sub; cp {{path}} {{product.made}}/sub/x; chmod +x {{product.made}}/sub/x
ln -s sub/x {{product.made}}/link; : > {{product.made}}/none'''
products = {{ made = {{ path = "folder/{{unit}}", folder = true }} }}
{ONCE}
[stage.around]
each = "unit"
environment = {{ LAB = "of the stage" }}
where = "unit == 'plain'"
shell = true
command = '{{{{ umask; echo "$LAB"; ls -d lab.py; }}}} > {{product}}'
products = "around/{{unit}}.txt"
{ONCE}
[stage.forgets]
each = "unit"
where = "unit == 'plain'"
command = ["true"]
products = "forgets/{{unit}}.txt"
{ONCE}
[stage.late]
each = "unit"
where = "unit == 'plain'"
command = ["sleep", "60"]
resources = {{ walltime = "1s" }}
{ONCE}
[stage.twice]
each = "unit"
where = "unit == 'plain'"
shell = true
command = "test -e FLAG || {{{{ : > FLAG; exit 7; }}}}; echo second > {{product}}"
products = "twice/{{unit}}.txt"
retry = {{ error = {{ times = 1, delays = ["0s"] }} }}
[stage.scratch]
each = "unit"
where = "unit == 'plain' or unit == 'fails'"
scratch = true
shell = true
command = "pwd > here; test {{unit}} != fails || exit 4; cp {{path}} made.dat"
products = {{ made = {{ path = "scratch/{{unit}}.dat", from = "*.dat" }} }}
{ONCE}
[stage.python]
each = "unit"
after = "copy"
python = "lab:measure"
products = {{ text = "python/{{unit}}.txt", more = "python/{{unit}}.more" }}
optional = ["more"]
{ONCE}
[stage.all]
each = "campaign"
after = "shout"
members = "done"
command = ["sh", "-c", 'while read -r p; do cat "$p"; done < "$0" | sort > "$1"', "{{inputs_file.shout}}", "{{product}}"]
products = "all.txt"
{ONCE}
"""
FUNCTIONS = """
import os

class Wordless(Exception):
    def __str__(self):
        raise RuntimeError("no text")

def measure(task):
    print("measures", task.key[0])
    text = open(task.input("copy")).read()
    if task.key[0] == "fails":
        raise Wordless()
    if task.key[0] == "*":
        os._exit(5)
    task.product("text").write_text(text[::-1])
    if task.key[0] == "plain":
        task.product("more").write_text("more")
    return {"size": len(text)}
"""


class Sides(NamedTuple):
    """The same campaign at a site far away, and on this machine."""

    far: Lab
    here: Lab

    def run(self, *words: str) -> list[int]:
        """Run a command in both; return how they ended."""
        return [side.penstock(*words).returncode for side in self]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both, after their first run."""
    folder = tmp_path_factory.mktemp("alike")
    try:
        server = bring_up(folder / "sshd")
    except Unavailable as reason:
        pytest.skip(f"sshd: {reason}")
    desk, sides = Desk(server.there), write_both(folder, server)
    try:
        sides.far.login()
        assert sides.run("run") == [1, 1]
        yield sides
    finally:
        sides.far.end()
        desk.end()
        server.down()


def write_both(folder: Path, server: Sshd) -> Sides:
    """Write the definition of both, and what they read."""
    site = f'cores = 2\nworkdir = "{folder}/far"\npython = "{sys.executable}"\n'
    far = Lab(folder / "campaign", server.config)
    far.define(STAGES, units=0, site=site, source='files = "raw/{unit}.txt"\nsettle = "0s"')
    (far.root / "raw").mkdir()
    for name in NAMES:
        (far.root / f"raw/{name}.txt").write_text("" if name == "empty" else f"{name}\nis read\n")
    (far.root / "lab.py").write_text(FUNCTIONS)
    here = as_local(far, folder / "here")
    for side in (far, here):
        definition = side.root / "penstock.toml"
        definition.write_text(definition.read_text().replace("FLAG", f"{side.root}.flag"))
    return Sides(far, here)


def states_of(lab: Lab) -> list[tuple[str, str, str]]:
    """Return in which state each task is."""
    sql = "SELECT s.name, u.key, t.state FROM task t JOIN stage s ON s.id = t.stage JOIN unit u ON u.id = t.unit"
    return sorted(lab.rows(sql))


def attempts_of(lab: Lab) -> list[tuple[Any, ...]]:
    """Return how each try ended, and why, wherever that was."""
    rows = lab.rows(
        "SELECT s.name, u.key, a.outcome, a.exit_code, a.why FROM attempt a JOIN stage s ON s.id = a.stage"
        " JOIN unit u ON u.id = a.unit"
    )
    return sorted((*row[:-1], told_alike(lab, row[-1] or "")) for row in rows)


def told_alike(lab: Lab, text: str) -> str:
    """Return a text without what is different by intention: where folders are, and names of jobs."""
    text = re.sub(rf"{lab.root.parent}/(?:far/[^/]*/files|{lab.root.name})", "<folder>", text)
    return re.sub(r"\bp[a-z0-9]{10}\.[\d.]+\b", "<job>", text)


def made_by(lab: Lab) -> dict[str, tuple[str, bytes | str]]:
    """Return all files below the campaign's folder that tasks made: kind, and bytes or where a link leads."""
    found = [path for path in lab.root.rglob("*") if path.is_symlink() or not path.is_dir()]
    made = [path for path in found if path.relative_to(lab.root).parts[0] not in OURS]
    return {str(path.relative_to(lab.root)): content_of(path) for path in made}


def content_of(path: Path) -> tuple[str, bytes | str]:
    if path.is_symlink():
        return "link", os.readlink(path)
    return ("program" if path.stat().st_mode & 0o100 else "file"), path.read_bytes()


def test_every_task_is_in_the_same_state(both: Sides) -> None:
    assert states_of(both.far) == states_of(both.here)
    assert both.far.states().keys() == {"done", "failed", "blocked"}


def test_every_try_ended_in_the_same_way_for_the_same_reason(both: Sides) -> None:
    assert attempts_of(both.far) == attempts_of(both.here)
    assert both.far.outcomes().keys() == {"ok", "error", "timeout", "missing_product"}


def test_products_are_the_same_and_there_are_no_others(both: Sides) -> None:
    assert made_by(both.far) == made_by(both.here)
    assert {f"copy/{name}.txt" for name in NAMES} < made_by(both.far).keys()


@pytest.mark.parametrize(
    "words", [("fails", "--stage", "shout"), ("*", "--stage", "python"), ("plain", "--stage", "python")]
)
def test_the_same_log_is_printed(both: Sides, words: tuple[str, ...]) -> None:
    far, here = (side.penstock("log", *words) for side in both)
    assert (far.returncode, told_alike(both.far, far.stdout)) == (
        here.returncode,
        told_alike(both.here, here.stdout),
    )
    assert "err" in far.stdout or "measures" in far.stdout


def test_what_functions_returned_is_the_same(both: Sides) -> None:
    sql = "SELECT u.key, a.result FROM attempt a JOIN unit u ON u.id = a.unit WHERE a.result IS NOT NULL ORDER BY 1"
    assert both.far.rows(sql) == both.here.rows(sql) != []


def test_what_failed_is_done_when_its_reason_is_gone_and_what_changed_is_made_again(both: Sides) -> None:
    """The last test: it changes both."""
    for side in both:
        (side.root / "raw/two words.txt").write_text("other words\n")
        (side.root / "raw/comes later.txt").write_text("late\n")
        (side.root / "shout/plain.txt").unlink()
        (side.root / "lab.py").write_text(FUNCTIONS.replace("raise Wordless()", "pass"))
    assert both.run("retry", "fails", "--stage", "python") == both.run("veto", "*", "--why", "odd") == [0, 0]
    assert both.run("run", "--stale") == [1, 1]
    assert states_of(both.far) == states_of(both.here)
    assert made_by(both.far) == made_by(both.here)
    assert (both.far.root / "after/two words.txt").read_text() == "OTHER WORDS\n"
