"""Files of the campaign that a command names count by their content."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.campaign import Campaign, Stage
from penstock.config import check, load
from penstock.config.code import Code
from penstock.config.commands import Commands
from penstock.units import Template

Define = Callable[..., Campaign]

HEAD = """\
[campaign]
name = "winter"
levels = ["file"]
[params]
cfg = "fit.cfg"
[units]
files = "raw/{file}.dat"
[stage.before]
each = "campaign"
command = ["true"]
products = "sum.txt"
[stage.s]
each = "file"
products = "out/{file}"
"""

COUNTS = {
    "a script that python runs": ('command = ["python3", "fit.py", "{path}"]', "fit.py"),
    "the program": ('command = ["./fit.sh", "{path}"]', "fit.sh"),
    "a file in a folder": ('command = ["sh", "tools/run", "{path}"]', "tools/run"),
    "what it is configured by": ('command = ["fit", "-c", "fit.cfg"]', "fit.cfg"),
    "the value of an option": ('command = ["fit", "--config=fit.cfg"]', "fit.cfg"),
    "a script in shell text": ('shell = true\ncommand = "python3 fit.py {path} > {product}"', "fit.py"),
    "a script behind an operator": ('shell = true\ncommand = "true&&./fit.sh {path}"', "fit.sh"),
    "a script that is read": ('shell = true\ncommand = "sh <fit.sh"', "fit.sh"),
    "a program in shell text": ('shell = true\ncommand = "tools/run {path}"', "tools/run"),
    "a script in the text of an argument": ("""command = ["sh", "-c", "python3 fit.py $0", "{path}"]""", "fit.py"),
    "a script that a script names": ('command = ["sh", "all.sh"]', "fit.py"),
    "a module that a script imports": ('command = ["python3", "fit.py"]', "model.py"),
    "a module beside a script in a folder": ('command = ["python3", "tools/clean.py"]', "tools/near.py"),
    "a module that python runs": ('command = ["python3", "-m", "tools.clean"]', "tools/clean.py"),
    "a module that a text imports": ('command = ["python3", "-c", "import model; model.go()"]', "model.py"),
}  # fmt: skip

APART = {
    "a product of another stage": ('command = ["fit", "sum.txt"]', "sum.txt"),
    "data": ('command = ["fit", "raw/x.dat"]', "raw/x.dat"),
    "what a placeholder stands for": ('command = ["fit", "{param.cfg}"]', "fit.cfg"),
    "where a command writes to": ('shell = true\ncommand = "echo {path} >> fit.py"', "fit.py"),
    "a file in shell text that is no script": ('shell = true\ncommand = "cat fit.cfg > {product}"', "fit.cfg"),
    "a log": ('command = ["fit", "--log", "fit.log"]', "fit.log"),
    "a file that is not named": ('command = ["fit", "{path}"]', "fit.py"),
    "an option": ('command = ["fit", "-fit.py"]', "fit.py"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "fit.py": "import model\n", "model.py": "X = 1\n", "fit.sh": "true\n", "fit.cfg": "1\n", "fit.log": "1\n",
        "all.sh": "python3 ./fit.py | sort > $1\n", "tools/run": "#!/bin/sh\n", "tools/clean.py": "import near\n",
        "tools/near.py": "Y = 1\n", "raw/x.dat": "1\n", "sum.txt": "1\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "tools/run").chmod(0o755)
    return tmp_path


def digest_with(folder: Path, stage: str) -> str:
    (folder / "penstock.toml").write_text(HEAD + stage + "\n")
    return load(folder).stage("s").digest


def edit(file: Path) -> None:
    """Change it as an editor may: the same size, the same time."""
    times = file.stat()
    file.write_text(
        file.read_text(encoding="utf-8").replace("1", "2")
        if "1" in file.read_text(encoding="utf-8")
        else "rm -rf /tmp/none\n",
        encoding="utf-8",
    )
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(("stage", "file"), COUNTS.values(), ids=COUNTS)
def test_a_file_of_the_campaign_that_a_command_names_counts(folder: Path, stage: str, file: str):
    before = digest_with(folder, stage)
    edit(folder / file)
    assert digest_with(folder, stage) != before


@pytest.mark.parametrize(("stage", "file"), APART.values(), ids=APART)
def test_products_data_and_what_commands_write_do_not_count(folder: Path, stage: str, file: str):
    before = digest_with(folder, stage)
    edit(folder / file)
    assert digest_with(folder, stage) == before


def test_files_elsewhere_do_not_count(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other") / "fit.py"
    other.write_text("1")
    stage = f'command = ["python3", "{other}", "../{other.parent.name}/fit.py"]'
    before = digest_with(folder, stage)
    edit(other)
    assert digest_with(folder, stage) == before


def test_an_absolute_path_in_the_campaign_counts(folder: Path):
    stage = f'command = ["python3", "{folder}/fit.py"]'
    before = digest_with(folder, stage)
    edit(folder / "fit.py")
    assert digest_with(folder, stage) != before


def test_a_shell_text_that_is_not_whole_is_read_as_far_as_it_can_be(folder: Path):
    stage = """shell = true\ncommand = '''echo it\\'s "; sh fit.sh'''"""
    before = digest_with(folder, stage)
    edit(folder / "fit.sh")
    assert digest_with(folder, stage) != before


def test_a_script_that_is_changed_behind_a_mark_of_a_comment_counts(folder: Path):
    stage = """shell = true\ncommand = 'x={path}; sh a#b; sh ./fit.sh'"""
    before = digest_with(folder, stage)
    edit(folder / "fit.sh")
    assert digest_with(folder, stage) != before


@pytest.mark.parametrize(
    "text", ["a\u00a0b", "'' ' '", "\\", "a" * 5000, "'a \"b c\" d'", "-c", "-m", "é \udcff"]
)
def test_any_text_can_be_an_argument(folder: Path, text: str):
    template = Template.parse(text)
    stage = Stage("s", 1, command=(template, template))
    assert Commands(Code(folder), []).of_stage(stage) == {}


def test_a_template_from_elsewhere_counts_too(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other") / "x.in"
    other.write_text("1")
    stage = f'command = ["true"]\nscratch = true\ntemplates = {{ x = "{other}" }}'
    before = digest_with(folder, stage)
    edit(other)
    assert digest_with(folder, stage) != before


def test_a_large_file_counts_by_size_and_time_and_check_says_so(folder: Path):
    with (folder / "fit.cfg").open("wb") as file:
        file.truncate(17_000_000)
    stage = 'command = ["true", "fit.cfg"]'
    before = digest_with(folder, stage)
    assert check(load(folder)) == [
        "fit.cfg, which 's' names, is larger than 16 MB: its size and time are compared, not its content"
    ]
    edit_time = (folder / "fit.cfg").stat().st_mtime + 5
    os.utime(folder / "fit.cfg", (edit_time, edit_time))
    assert digest_with(folder, stage) != before
