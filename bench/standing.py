"""`python -m bench.standing [MINUTES]`: what `watch` costs where nothing happens, and how soon it sees a new file."""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.campaigns import PENSTOCK, PYTHON, make
from bench.measure import run, usual_environment
from bench.table import render

UNITS, FOLDERS, NEW = int(os.environ.get("BENCH_UNITS", "100000")), 1000, 10
MINUTES, WARM_S, PATIENCE_S = 10.0, 30.0, 60.0
AGE_S = 86_400.0
SOURCE = """\
[campaign]
name = "rest"
levels = ["night", "n"]

[units]
files = "in/{night}/{n:d}.dat"
settle = "0s"
"""


def campaign(folder: Path) -> Path:
    """Make a campaign of files a day old that are all done."""
    make(folder, PYTHON, 0)
    (folder / "penstock.toml").write_text(SOURCE + PYTHON)
    old = time.time() - AGE_S
    for number in range(FOLDERS):
        night = folder / "in" / f"night-{number:04d}"
        night.mkdir(parents=True)
        for n in range(UNITS // FOLDERS):
            path = night / f"{n}.dat"
            path.touch()
            os.utime(path, (old, old))
        os.utime(night, (old, old))
    run([*PENSTOCK, "run", "--quiet"], cwd=folder)
    return folder


@contextmanager
def watching(folder: Path) -> Iterator[int]:
    """Run `watch`; give its process, once it has found its feet."""
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [*PENSTOCK, "watch"], cwd=folder, env=usual_environment(), stdout=output, stderr=output
        )
        try:
            time.sleep(WARM_S)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seen_after_s(folder: Path, number: int) -> float:
    """Drop a file, and return after how long the record has its unit."""
    begun = time.monotonic()
    (folder / f"in/night-{number:04d}/{UNITS + number}.dat").touch()
    while time.monotonic() < begun + PATIENCE_S:
        with sqlite3.connect(folder / ".penstock/ledger.sqlite") as ledger:
            sql = "SELECT 1 FROM unit WHERE level = 2 AND key = ?"
            if ledger.execute(sql, (f'["night-{number:04d}",{UNITS + number}]',)).fetchone():
                return time.monotonic() - begun
        time.sleep(0.05)
    return PATIENCE_S


def main() -> None:
    """Print what was measured."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as scratch:
        folder = campaign(Path(scratch) / "rest")
        with watching(folder) as pid:
            before, begun = cpu_s(pid), time.monotonic()
            time.sleep(60 * minutes)
            share = (cpu_s(pid) - before) / (time.monotonic() - begun)
            waits: list[float] = []
            for number in range(NEW):
                waits.append(seen_after_s(folder, number))
                time.sleep(number)
    rows = [
        ("", "measured", "target"),
        (
            f"CPU of a core over {minutes:g} min, {UNITS:,} files in {FOLDERS:,} folders",
            f"{share:.2%}",
            "2 %",
        ),
        (f"a new file is seen after, median of {NEW}", f"{statistics.median(waits):.1f} s", "5 s"),
        ("… at the most", f"{max(waits):.1f} s", "5 s"),
    ]
    print("\n".join(render(rows)))


if __name__ == "__main__":
    main()
