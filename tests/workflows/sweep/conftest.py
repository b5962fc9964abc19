"""A folder with a program, its input and a sweep over it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.workflows.sweep import Plan, plan_sweep, read_sweep

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
