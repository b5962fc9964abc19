"""`python -m bench.closing`: how long it takes to close a group of 4,500 subruns, and what that adds on disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench.campaigns import PENSTOCK
from bench.measure import Cost, run
from bench.table import render

UNITS = int(os.environ.get("BENCH_SUBRUNS", "4500"))
DEFINITION = """\
[campaign]
name = "night"
levels = ["night", "subrun"]

[units]
table = "subruns.csv"
types = { subrun = "int" }

[stage.dl1]
each = "subrun"
python = "subruns:dl1"
products = "dl1/{night}/{subrun:05d}.txt"
"""
CLOSING = """
[stage.merge]
each = "night"
after = ["dl1"]
python = "subruns:merge"
products = "dl1/{night}.txt"

[close.night]
steps = ["verify", { merge = "merge" }, "provenance", "seal"]
"""
CODE = """\
def dl1(task):
    task.product().write_text(str(task.key[1]))


def merge(task):
    with task.product().open("w") as merged:
        for path in task.inputs["dl1"]:
            print(path.name, path.read_text(), file=merged)
"""


def campaign(folder: Path) -> Path:
    """Make a night of which all subruns are done and nothing is closed."""
    rows = (f"2020-01-17,{number}\n" for number in range(UNITS))
    texts = {"penstock.toml": DEFINITION, "subruns.py": CODE, "subruns.csv": "night,subrun\n" + "".join(rows)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    run([*PENSTOCK, "run", "--quiet"], cwd=folder)
    return folder


def size_of(folder: Path) -> int:
    """Return how many bytes files take, as `ls` counts them, without the products of the merge."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        folder = campaign(Path(name))
        before = size_of(folder)
        (folder / "penstock.toml").write_text(DEFINITION + CLOSING, encoding="utf-8")
        cost: Cost = run([*PENSTOCK, "run", "--quiet"], cwd=folder)
        assert (folder / "seals/night/2020-01-17.json").exists()
        added = size_of(folder) - before - (folder / "dl1/2020-01-17.txt").stat().st_size
        checked = run([*PENSTOCK, "close", "--verify", "2020-01-17"], cwd=folder)
    rows = [
        ("", "wall s", "CPU s", "bytes a subrun"),
        (
            "verify, merge, provenance, seal",
            f"{cost.wall_s:.2f}",
            f"{cost.cpu_s:.2f}",
            f"{added / UNITS:.0f}",
        ),
        ("`close --verify`", f"{checked.wall_s:.2f}", f"{checked.cpu_s:.2f}", "0"),
    ]
    print(f"{UNITS:,} subruns that are done, each with one product:\n")
    print("\n".join(render(rows)))
    print("\nTargets: at most 5 s to close it, at most 2,000 bytes a subrun on disk.")


if __name__ == "__main__":
    main()
