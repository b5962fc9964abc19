"""Hostile names through the whole engine: files, fields, parameters; commands, shell commands and Python stages."""

import json
from pathlib import Path

import pytest

DEFINITION = """\
[campaign]
name = "lab"
levels = ["file"]
[units]
files = "in/{file}.txt"
settle = "0s"
[site.local]
cores = 2
[stage.argv]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "argv/{file}.out"
[stage.shell]
each = "file"
shell = true
command = "cat {path} > {product}; printf %s {file} >> {product}; printf %s {param.word} >> {product}; echo {file}"
products = "shell/{file}.out"
params = { word = "$(touch owned) `touch owned` ; 'x' \\"y\\" \\\\ *" }
[stage.python]
each = "file"
after = ["argv", "shell"]
python = "lab:f"
products = "python/{file}.out"
[stage.listed]
each = "campaign"
after = "python"
command = ["sh", "-c", "shift; cat \\"$@\\" > \\"$0\\"", "{product}", "-", "{inputs.python}"]
products = "all.out"
"""
LAB = """
import json
def f(task):
    text = task.input("argv").read_bytes().decode() + task.key[0]
    text += json.dumps([task.fields["path"], *map(str, task.inputs["shell"])])
    task.product().write_bytes(text.encode())
    print(task.key[0])
    return {"name": task.key[0]}
"""
WORD = "$(touch owned) `touch owned` ; 'x' \"y\" \\ *"

NAMES = [
    "plain",
    "two words",
    " leading and trailing ",
    "-rf",
    "--out=x",
    "'single'",
    '"double"',
    "$(touch owned)",
    "`touch owned`",
    "$HOME",
    "a;touch owned",
    "a&b|c>d<e",
    "star*[x]?",
    "back\\slash",
    "new\nline",
    "tab\tand\rreturn",
    "\x1b[31mred",
    "{braces} {{twice}}",
    "%2F%25",
    "#hash!bang",
    "~tilde",
    "ümläut 漢字 🦉",
    "e\u0301 is not \u00e9",
    "\u00e9 is not e\u0301",
    "x" * 251,
    "é" * 120,
]


@pytest.fixture
def hostile(lab):
    lab.write("penstock.toml", DEFINITION)
    lab.write("lab.py", LAB)
    for name in NAMES:
        lab.write(f"in/{name}.txt", f"<{name}>")
    return lab


def test_every_name_goes_through_every_kind_of_stage_unharmed(hostile):
    ending = hostile.run()
    assert ending.code == 0, ending.lines
    for name in NAMES:
        shown = escaped(name)
        assert read(hostile, f"argv/{shown}.out") == f"<{name}>"
        assert read(hostile, f"shell/{shown}.out") == f"<{name}>{name}{WORD}"
        seen = json.dumps([f"in/{name}.txt", str(hostile.root / f"shell/{shown}.out")])
        assert read(hostile, f"python/{shown}.out") == f"<{name}>{name}{seen}"
    assert len(read(hostile, "all.out")) == sum(
        len(read(hostile, f"python/{escaped(name)}.out")) for name in NAMES
    )
    assert not list(hostile.root.rglob("owned"))


def test_what_is_printed_of_hostile_names_is_safe_and_names_them_back(hostile):
    hostile.run()
    for arguments in (["status"], ["units"], ["jobs"], ["why", "*red"], ["log", "*red", "--stage", "python"]):
        done = hostile.command(*arguments)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    listed = json.loads(hostile.command("units", "--json", "--stage", "argv").stdout)
    assert {unit["unit"] for unit in listed} == {escaped(name) for name in NAMES}


def test_a_name_that_is_too_long_for_its_product_fails_alone_and_says_so(hostile):
    hostile.write(f"in/{'y' * 251}.txt", "y")
    hostile.write("penstock.toml", DEFINITION.replace("argv/{file}.out", "argv/{file}.output"))
    assert hostile.run().code == 1
    assert hostile.states("argv") == {"done": len(NAMES) - 1, "failed": 2}
    assert hostile.task("argv", "y" * 251)["state"] == hostile.task("argv", "x" * 251)["state"] == "failed"


def read(lab, name: str) -> str:
    return (lab.root / name).read_bytes().decode()


def escaped(name: str) -> str:
    """A name as it stands in a product's path."""
    for mark, code in {"%": "%25", "/": "%2F", "\n": "%0A"}.items():
        name = name.replace(mark, code)
    return name


def test_the_names_of_this_test_can_be_written_here(tmp_path: Path):
    assert len(set(NAMES)) == len(NAMES)
    assert max(len(f"{name}.txt".encode()) for name in NAMES) == 255
