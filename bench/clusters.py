"""Wall time of 1,000 short units on a real Slurm: by penstock, by hand, and by hand with one job a unit.

    python -m bench.clusters [--rounds 3]

Brings a Slurm of its own up on this machine (as root, from Debian's packages; see tests/cluster). The time ends when the
last product is there and the contestant has ended.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.base import ROOT
from tests.cluster.slurm import Slurm

from bench.table import Row, render

UNITS, BATCH, UNIT_S = 1000, 50, 0.2
TARGET = 1.2

DEFINITION = f"""
[campaign]
name = "bench"
levels = ["unit"]
site = "slurm"
[units]
table = "units.csv"
types = {{ unit = "int" }}
[site.slurm]
scheduler = "slurm"
python = "/usr/bin/python3"
[stage.work]
each = "unit"
command = ["sh", "-c", "sleep {UNIT_S}; : > $0", "{{product}}"]
products = "out/{{unit}}.txt"
batch = {BATCH}
"""

BY_HAND = f"""#!/bin/sh
#SBATCH --output=/dev/null
for i in $(seq $(( (SLURM_ARRAY_TASK_ID - 1) * {BATCH} + 1 )) $(( SLURM_ARRAY_TASK_ID * {BATCH} ))); do
    sh -c 'sleep {UNIT_S}; : > $0' out/$i.txt
done
"""

Start = Callable[[Path], "subprocess.Popen[bytes] | None"]


def main() -> None:
    """Measure all contestants in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    slurm = Slurm(ROOT / "bench", base_port=28300, prefix="z")
    slurm.down(wipe=True)
    slurm.up()
    os.environ |= slurm.env
    try:
        print("\n".join(page(rounds)))
    finally:
        slurm.down(wipe=True)


def page(rounds: int) -> list[str]:
    """Return the lines of the table."""
    contests: dict[str, Start] = {
        "penstock": start_penstock,
        f"by hand, `sbatch --array=1-{UNITS // BATCH}`": start_array,
        "by hand, a job a unit": start_jobs,
    }
    taken: Mapping[str, list[float]] = {name: [] for name in contests}
    for _ in range(rounds):
        for name, start in contests.items():
            taken[name].append(measure(start))
    medians = {name: statistics.median(walls) for name, walls in taken.items()}
    base = medians[f"by hand, `sbatch --array=1-{UNITS // BATCH}`"]
    rows: list[Row] = [("", "wall s", "× by hand")]
    rows += [(name, f"{wall:.1f}", f"{wall / base:.2f}") for name, wall in medians.items()]
    head = f"{UNITS:,} units of {UNIT_S} s on a real Slurm (4 nodes of 8 pretended CPUs), {rounds} rounds, medians:"
    return [head, "", *render(rows), "", f"Target: penstock at most {TARGET} × the same batches by hand."]


def measure(start: Start) -> float:
    """Return the seconds from the start of a contestant until its last product is there and it has ended."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        folder = Path(name)
        (folder / "out").mkdir()
        began = time.monotonic()
        process = start(folder)
        while len(os.listdir(folder / "out")) < UNITS:
            time.sleep(0.05)
            if process and process.poll():
                raise RuntimeError(f"it ended {process.returncode}: {(folder / 'said').read_text()[-2000:]}")
        if process:
            process.wait()
        wall = time.monotonic() - began
        wait_for_empty_queue()
        return wall


def wait_for_empty_queue() -> None:
    """Let the next contestant begin on an idle cluster."""
    while subprocess.run(["squeue", "-h"], capture_output=True, check=True).stdout.strip():
        time.sleep(0.2)


def started(folder: Path, *argv: str) -> subprocess.Popen[bytes]:
    """Start a command in a contestant's folder."""
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(argv, cwd=folder, stdout=said, stderr=said)


def start_penstock(folder: Path) -> subprocess.Popen[bytes]:
    (folder / "penstock.toml").write_text(DEFINITION)
    (folder / "units.csv").write_text("unit\n" + "".join(f"{n}\n" for n in range(1, UNITS + 1)))
    return started(folder, sys.executable, "-m", "penstock", "run")


def start_array(folder: Path) -> None:
    (folder / "job.sh").write_text(BY_HAND)
    subprocess.run(
        ["sbatch", f"--array=1-{UNITS // BATCH}", "job.sh"], cwd=folder, check=True, capture_output=True
    )


def start_jobs(folder: Path) -> None:
    for unit in range(1, UNITS + 1):
        work = f"sh -c 'sleep {UNIT_S}; : > $0' out/{unit}.txt"
        argv = ["sbatch", "--output=/dev/null", "--wrap", work]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    shutil.which("sbatch") or sys.exit(
        "there is no sbatch: apt-get install slurmctld slurmd slurm-client munge"
    )
    main()
