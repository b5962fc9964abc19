"""The campaigns that are measured."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

PENSTOCK = [sys.executable, "-m", "penstock"]

HEAD = """[campaign]
name = "bench"
levels = ["n"]

[units]
table = "units.csv"
types = { n = "int" }
"""

ARGV = """
[stage.touch]
each = "n"
command = ["touch", "{product}"]
products = "out/{n}"
"""

SHELL = """
[stage.touch]
each = "n"
shell = true
command = "touch {product}"
products = "out/{n}"
"""

PYTHON = """
[stage.nothing]
each = "n"
python = "nothing:nothing"
"""

CHAIN = """
[stage.a]
each = "n"
command = ["touch", "{product}"]
products = "out/{n}.a"

[stage.b]
each = "n"
after = ["a"]
command = ["cp", "{inputs.a}", "{product}"]
products = "out/{n}.b"

[stage.c]
each = "n"
after = ["b"]
command = ["cp", "{inputs.b}", "{product}"]
products = "out/{n}.c"
"""


def make(folder: Path, stages: str, units: int) -> Path:
    """Make a fresh campaign of so many units from a table."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "penstock.toml").write_text(HEAD + stages)
    (folder / "units.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(units)))
    (folder / "nothing.py").write_text("def nothing(task):\n    return None\n")
    return folder
