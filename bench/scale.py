"""How the conductor and the command line bear many units."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from bench.campaigns import ARGV, CHAIN, PENSTOCK, PYTHON, make
from bench.measure import Cost, run

MILLION = int(os.environ.get("BENCH_MILLION", "1000000"))
PLANNED = MILLION // 10
FINISHED = MILLION // 100

DISCOVER = """
from pathlib import Path
from penstock import config
from penstock.conductor import Conductor
with Conductor(config.load(Path(".")), command="run") as conductor:
    conductor.discover()
    conductor.submit()
    conductor.ask_stop()
    conductor.watch()
"""


def help_text(scratch: Path) -> Cost:
    """Measure `penstock --help`."""
    scratch.mkdir(parents=True, exist_ok=True)
    return run([*PENSTOCK, "--help"], cwd=scratch)


def plan(scratch: Path) -> Callable[[], Cost]:
    """Prepare a table of units with three stages; measure `plan`."""
    folder = make(scratch / "plan", CHAIN, PLANNED)
    return lambda: run([*PENSTOCK, "plan"], cwd=folder)


def nothing_to_do(scratch: Path) -> Callable[[], Cost]:
    """Prepare a finished campaign; measure another `run`."""
    folder = make(scratch / "finished", PYTHON, FINISHED)
    run([*PENSTOCK, "run"], cwd=folder)
    return lambda: run([*PENSTOCK, "run"], cwd=folder)


def nothing_to_do_with_files(scratch: Path) -> Callable[[], Cost]:
    """Prepare a finished campaign of files; measure another `run`, which looks at each of them."""
    folder = make(scratch / "files", ARGV, 0)
    (folder / "in").mkdir()
    for n in range(FINISHED):
        (folder / "in" / f"{n}.txt").touch()
    text = (folder / "penstock.toml").read_text()
    source = 'files = "in/{n:d}.txt"\nsettle = "0s"'
    (folder / "penstock.toml").write_text(text.replace('table = "units.csv"\ntypes = { n = "int" }', source))
    run([*PENSTOCK, "run"], cwd=folder)
    return lambda: run([*PENSTOCK, "run"], cwd=folder)


def million(scratch: Path) -> tuple[Callable[[], Cost], Callable[[], Cost]]:
    """Prepare a million units with three stages; return what drives them and `status`."""
    folder = make(scratch / "million", CHAIN, MILLION)

    def conductor() -> Cost:
        return run([sys.executable, "-c", DISCOVER], cwd=folder)

    return conductor, lambda: run([*PENSTOCK, "status"], cwd=folder)
