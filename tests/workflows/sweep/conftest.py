"""A folder with a program, its input and a sweep over it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.workflows.sweep import Plan, plan_sweep, read_sweep
from penstock.workflows.sweep.columns import Column
from penstock.workflows.sweep.results import Results

PROGRAM = """
[program]
executable = "model"
delimiters = ["<<", ">>"]
seed = "seed"

[input."in.txt"]

[variable]
T = { type = "float", default = 1.0, above = 0 }
p = { type = "float", default = 5 }
low = { type = "int", default = 3, min = 1, max = 9 }
high = { type = "int", default = 8 }
lattice = { type = "choice", default = "square", choices = ["square", "cairo", "mixed"] }
label = { type = "str", default = "none" }
fast = { type = "bool", default = true, true = ".true.", false = ".false." }
seed = { type = "int", default = 1 }
"""
INPUT = "T <<T>>\np <<p>>\nrings <<low>> <<high>>\n<<lattice>> <<label>> <<fast>> <<seed>>\n"


MODEL = """#!/bin/sh
T=$(sed -n 's/^T //p' in.txt)
case $T in 4) test -e ../../../mended || exit 9;; esac
echo "$T $(sed -n '$s/.* //p' in.txt)" > out.dat
"""
RESULTS = """
[result.T_out]
file = "out.dat"
column = 1
unit = "K"
[result.seed_out]
file = "out.dat"
column = 2
type = "int"
"""


class Bench:
    """A folder for a sweep, and what may be done with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "programs").mkdir()
        self.program(PROGRAM, INPUT)

    def program(self, text: str, given: str) -> None:
        (self.folder / "programs/model.toml").write_text(text)
        (self.folder / "programs/in.txt").write_text(given)

    def sweep(self, text: str) -> Path:
        file = self.folder / "sweep.toml"
        file.write_text(f'[sweep]\nprogram = "model"\n{text}\n')
        return file

    def ready(self, sweep: str = "repeat = 2\n[vary]\nT = [3, 5]") -> Path:
        """Make it a sweep whose program runs: it fails where T is 4, unless there is a file `mended`."""
        program = self.folder / "programs/model.toml"
        text = program.read_text().replace("[program]", '[program]\nproducts = ["out.dat"]')
        program.write_text(text.replace("above = 0", 'above = 0, unit = "K"') + RESULTS)
        (self.folder / "model").write_text(MODEL)
        (self.folder / "model").chmod(0o755)
        self.sweep(sweep)
        return self.folder

    def plan(self, text: str) -> Plan:
        return plan_sweep(read_sweep(self.sweep(text)))

    def texts(self, text: str) -> list[tuple[str, ...]]:
        return [tuple(value.text for value in row) for row in self.plan(text).rows]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def one(bench: Bench) -> Callable[[str], list[str]]:
    """Give the values of a sweep over one variable."""
    return lambda text: [row[0] for row in bench.texts(f"[vary]\n{text}")]


def made_results(columns: list[Column], rows: list[tuple[str | None, ...]], *, numbers: int = 1) -> Results:
    """Make a table of results whose last columns are what was taken out; the points are all planned and done."""
    names = [column.name for column in columns]
    varied, found = names[: len(names) - numbers], names[len(names) - numbers :]
    own = (Column("point", "str"), Column("planned", "bool"), Column("state", "str"))
    cells = [
        {"point": f"p{n}", "planned": "true", "state": "done", **dict(zip(names, row, strict=True))}
        for n, row in enumerate(rows, 1)
    ]
    shown = (*own, *columns)
    return Results(
        shown, tuple(varied), tuple(varied), tuple(found), cells, {each.name: each for each in shown}, "seed"
    )
