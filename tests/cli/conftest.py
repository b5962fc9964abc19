import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from penstock.cli import cli

DEFINITION = """
[campaign]
name = "winter"
levels = ["file"]
[units]
files = "data/{file}.txt"
settle = "0s"
[stage.copy]
each = "file"
command = ["sh", "-c", 'echo "copying $1"; grep -q good "$1" && cp "$1" "$2"', "sh", "{path}", "{product}"]
products = "out/{file}.txt"
[stage.merge]
each = "campaign"
after = ["copy"]
command = ["sh", "-c", 'cat out/*.txt > "$1"', "sh", "{product}"]
products = "merged.txt"
"""


@pytest.fixture
def winter(tmp_path: Path) -> Path:
    """A campaign of three files of which the last is bad: its copy fails, and so the merge is blocked."""
    return write_campaign(tmp_path / "winter")


def write_campaign(root: Path) -> Path:
    (root / "data").mkdir(parents=True)
    (root / "penstock.toml").write_text(DEFINITION)
    for name, text in {"a": "good", "b": "good", "c": "bad"}.items():
        (root / "data" / f"{name}.txt").write_text(text)
    return root


@pytest.fixture
def penstock() -> Callable[..., Result]:
    """Runs a command line: `penstock("status", "-C", root)`."""
    return invoke


def invoke(*words: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=typed, prog_name="penstock")


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The campaign after a first `run`; not to be changed."""
    root = write_campaign(tmp_path_factory.mktemp("once") / "winter")
    shown = invoke("run", "-C", root)
    assert shown.exit_code == 1, shown.output
    return root


@pytest.fixture
def ran(ran_once: Path, tmp_path: Path) -> Path:
    """A copy of it (its logs stay where they were written)."""
    return Path(shutil.copytree(ran_once, tmp_path / "winter"))
