"""`python -m bench.scanning [FILES]`: what the first scan of many files costs, and those after it, which find nothing new."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.campaigns import PYTHON, make
from bench.measure import Cost, run
from bench.scale import MILLION
from bench.table import Row, render

EACH = 1000  # files in a folder
AGE_S = 86_400.0
SOURCE = """\
[campaign]
name = "scan"
levels = ["night", "n"]

[units]
files = "in/{night}/{n:d}.dat"
settle = "0s"
"""

SCAN = """
from pathlib import Path
from penstock import config
from penstock.conductor import Conductor
with Conductor(config.load(Path(".")), command="run") as conductor:
    conductor.discover()
    conductor.ask_stop()
"""


def campaign(folder: Path, files: int) -> Path:
    """Make a campaign of empty files a day old."""
    make(folder, PYTHON, 0)
    (folder / "penstock.toml").write_text(SOURCE + PYTHON)
    old = time.time() - AGE_S
    for number in range(max(1, files // EACH)):
        night = folder / "in" / f"night-{number:04d}"
        night.mkdir(parents=True)
        for n in range(min(files, EACH)):
            path = night / f"{n}.dat"
            path.touch()
            os.utime(path, (old, old))
        os.utime(night, (old, old))
    return folder


def forget_files() -> bool:
    """Have the kernel forget what it knows of files; whether it did, as only root may ask for it."""
    os.sync()
    with suppress(OSError):
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="utf-8")
        return True
    return False


def scan(folder: Path) -> Cost:
    """Measure one scan, in a process of its own."""
    return run([sys.executable, "-c", SCAN], cwd=folder)


def first(folder: Path) -> Cost:
    """Measure a scan that finds everything new."""
    shutil.rmtree(folder / ".penstock", ignore_errors=True)
    return scan(folder)


def main() -> None:
    """Print what was measured."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else MILLION
    rows: list[Row] = [("", "CPU s", "wall s", "peak MB", "target")]
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as scratch:
        folder = campaign(Path(scratch) / "scan", files)
        costs = {
            f"first scan of {files:,} files": (first(folder), "20 s"),
            "… the second, which compares each": (scan(folder), ""),
            "… the third, which compares a digest": (scan(folder), ""),
        }
        if forget_files():
            costs["first scan, nothing of the files in memory"] = first(folder), "20 s"
    for name, (cost, target) in costs.items():
        rows.append((name, f"{cost.cpu_s:.2f}", f"{cost.wall_s:.2f}", f"{cost.peak_bytes / 1e6:.0f}", target))
    print("\n".join(render(rows)))


if __name__ == "__main__":
    main()
