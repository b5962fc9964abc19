"""What a unit costs beyond its own work: us, and those who do less or more."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bench.campaigns import ARGV, PENSTOCK, PYTHON, SHELL, make
from bench.measure import Cost, run

UNITS = int(os.environ.get("BENCH_UNITS", "10000"))
SLOW_UNITS = max(UNITS // 20, 1)  # for peers that take tens of milliseconds a unit
CORES = 2
PEERS = Path(os.environ.get("BENCH_PEERS", ".venv-peers/bin")).absolute()

POOL = """
import multiprocessing, sqlite3
def nothing(n): return n
if __name__ == "__main__":
    db = sqlite3.connect("results.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE result (n INTEGER PRIMARY KEY, value)")
    with multiprocessing.Pool({cores}) as pool:
        for n in pool.imap_unordered(nothing, range({units})):
            db.execute("INSERT INTO result VALUES (?, ?)", (n, n))
"""

DOIT = """
def task_touch():
    for n in range({units}):
        yield {{"name": str(n), "actions": ["touch out/%d" % n], "targets": ["out/%d" % n]}}
"""

SNAKEFILE = """
rule all:
    input: expand("out/{{n}}", n=range({units}))
rule touch:
    output: "out/{{n}}"
    shell: "touch {{output}}"
"""


def penstock(folder: Path, stages: str) -> Callable[[], Cost]:
    """Return a contest: a fresh campaign, run to its end."""

    def contest() -> Cost:
        make(folder, stages, UNITS)
        return run([*PENSTOCK, "run"], cwd=folder)

    return contest


def peer(folder: Path, argv: list[str], files: dict[str, str]) -> Callable[[], Cost]:
    """Return a contest: a fresh folder with these files, and a command."""

    def contest() -> Cost:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "out").mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        return run(argv, cwd=folder)

    return contest


def numbers(units: int) -> dict[str, str]:
    """Return a file that lists the units."""
    return {"units.txt": "".join(f"{n}\n" for n in range(units))}


def commands(scratch: Path) -> dict[str, Callable[[], Cost]]:
    """Return the contests of commands that touch a file."""
    xargs = ["xargs", "-a", "units.txt", "-P", str(CORES), "-I{}", "sh", "-c", "touch out/{}"]
    return {
        "penstock, argv": penstock(scratch / "argv", ARGV),
        "penstock, sh -c": penstock(scratch / "shell", SHELL),
        "xargs -P2 sh -c": peer(scratch / "xargs", xargs, numbers(UNITS)),
    }


def functions(scratch: Path) -> dict[str, Callable[[], Cost]]:
    """Return the contests of Python functions that do nothing."""
    pool = {"pool.py": POOL.format(cores=CORES, units=UNITS)}
    return {
        "penstock, Python": penstock(scratch / "python", PYTHON),
        "Pool + SQLite": peer(scratch / "pool", [sys.executable, "pool.py"], pool),
    }


def others(scratch: Path) -> dict[str, Callable[[], Cost]]:
    """Return the contests of the peers that are installed, over fewer units."""
    found: dict[str, Callable[[], Cost]] = {}
    if shutil.which("parallel"):
        argv = ["parallel", "-j", str(CORES), "-a", "units.txt", "touch out/{}"]
        found["GNU parallel"] = peer(scratch / "parallel", argv, numbers(SLOW_UNITS))
    if (PEERS / "doit").exists():
        argv = [str(PEERS / "doit"), "-n", str(CORES)]
        found["doit"] = peer(scratch / "doit", argv, {"dodo.py": DOIT.format(units=SLOW_UNITS)})
    if (PEERS / "snakemake").exists():
        argv = [str(PEERS / "snakemake"), "--cores", str(CORES), "--quiet"]
        found["snakemake"] = peer(
            scratch / "snakemake", argv, {"Snakefile": SNAKEFILE.format(units=SLOW_UNITS)}
        )
    return found
