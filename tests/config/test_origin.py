"""An earlier copy of a definition stands only while all that it was made from is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.campaign import Campaign
from penstock.config import load, to_json

TEXT = """
[campaign]
name = "winter"
levels = ["night"]
[units]
table = "nights.csv"
[stage.fit]
each = "night"
python = "lab:fit"
setup = "labs.start:start"
scratch = true
[stage.show]
each = "night"
command = ["sh", "show.sh", "{night}"]
scratch = true
templates = { "show.cfg" = "show.cfg" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "penstock.toml").write_text(TEXT.replace("scratch = true\n", "", 1))
    (tmp_path / "nights.csv").write_text("night,moon\n1,new\n")
    (tmp_path / "lab.py").write_text("import json, model\ndef fit(task): return 1\n")
    (tmp_path / "model.py").write_text("ORDER = 2\n")
    (tmp_path / "show.sh").write_text("python3 plot.py\n")
    (tmp_path / "plot.py").write_text("X = 1\n")
    (tmp_path / "show.cfg").write_text("{night}")
    return tmp_path


def copy_of(campaign: Campaign) -> dict[str, Any]:
    """The frozen copy as the ledger gives it back, marked: a campaign made from it can be told."""
    return {**json.loads(json.dumps(to_json(campaign))), "complete": {"night": "quiet 1s"}}


def stands(folder: Path, known: dict[str, Any], *overrides: str) -> bool:
    return load(folder, overrides, known=known).complete == known["complete"]


def test_the_copy_stands_while_nothing_changed(folder: Path):
    assert stands(folder, copy_of(load(folder)))


def test_another_row_of_a_table_is_no_other_definition(folder: Path):
    known = copy_of(load(folder))
    with (folder / "nights.csv").open("a") as file:
        file.write("2,full\n")
    assert stands(folder, known)


CHANGES: dict[str, Callable[[Path], object]] = {
    "the definition": lambda folder: (folder / "penstock.toml").write_text(
        (folder / "penstock.toml").read_text() + "params = { a = 1 }\n"
    ),
    "the columns of a table": lambda folder: (folder / "nights.csv").write_text("night,cloud\n1,new\n"),
    "a missing table": lambda folder: (folder / "nights.csv").unlink(),
    "a function": lambda folder: (folder / "lab.py").write_text("def fit(task): return 2\n"),
    "a module that appears": lambda folder: [
        (folder / "labs").mkdir(),
        (folder / "labs/start.py").write_text("def start(): pass\n"),
    ],
    "a module that a function reaches": lambda folder: (folder / "model.py").write_text("ORDER = 3\n"),
    "a module that would be imported": lambda folder: (folder / "json.py").write_text("X = 3\n"),
    "a script": lambda folder: (folder / "show.sh").write_text("exit 1\n"),
    "what a script names": lambda folder: (folder / "plot.py").write_text("X = 2\n"),
    "a template": lambda folder: (folder / "show.cfg").write_text("{night} "),
    "a missing template": lambda folder: (folder / "show.cfg").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_it_was_read_from_makes_it_read_anew(folder: Path, change: Callable[[Path], object]):
    known = copy_of(load(folder))
    change(folder)
    assert not stands(folder, known)


def test_other_overrides_make_it_read_anew(folder: Path):
    known = copy_of(load(folder))
    assert not stands(folder, known, "stage.fit.batch=2")


def test_a_definition_that_moved_is_read_anew(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    known = copy_of(load(folder))
    elsewhere = tmp_path_factory.mktemp("moved") / "winter"
    folder.rename(elsewhere)
    assert not stands(elsewhere, known)


def test_the_copy_of_another_penstock_is_not_looked_at(folder: Path):
    known = copy_of(load(folder))
    old = {name: value for name, value in known.items() if name != "origin"}
    assert load(folder, known=old).complete == {}
    assert load(folder, known={**known, "origin": "of other code"}).complete == {}
