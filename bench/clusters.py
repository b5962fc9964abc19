"""Wall time of 1,000 short units on a real Slurm: by penstock, by hand, and by hand with one job a unit.

Then of 100 by snakemake beside them, where `make peers` has installed it: its job for a unit starts snakemake again.

    python -m bench.clusters [--rounds 3]

Brings a Slurm of its own up on this machine (as root, from Debian's packages; see tests/cluster). The time ends when the
last product is there and the contestant has ended.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster.base import ROOT
from tests.cluster.slurm import Slurm

from bench.overhead import PEERS
from bench.table import Row, render

UNITS, FEW_UNITS, ELEMENTS, UNIT_S = 1000, 100, 20, 0.2
TARGET = 1.2

DEFINITION = f"""
[campaign]
name = "bench"
levels = ["unit"]
site = "slurm"
[units]
table = "units.csv"
types = {{{{ unit = "int" }}}}
[site.slurm]
scheduler = "slurm"
python = "/usr/bin/python3"
[stage.work]
each = "unit"
command = ["sh", "-c", "sleep {UNIT_S}; : > $0", "{{{{product}}}}"]
products = "out/{{{{unit}}}}.txt"
batch = {{batch}}
"""

BY_HAND = f"""#!/bin/sh
#SBATCH --output=/dev/null
for i in $(seq $(( (SLURM_ARRAY_TASK_ID - 1) * {{batch}} + 1 )) $(( SLURM_ARRAY_TASK_ID * {{batch}} ))); do
    sh -c 'sleep {UNIT_S}; : > $0' out/$i.txt
done
"""

SNAKEFILE = """\
rule all:
    input: expand("out/{{n}}.txt", n=range(1, {units} + 1))
rule work:
    output: "out/{{n}}.txt"
    resources: runtime=5, mem_mb=600
    shell: "sleep {seconds}; : > {{output}}"
"""
SNAKEMAKE = [
    *(str(PEERS / "snakemake"), "--executor", "slurm", "--jobs", str(FEW_UNITS), "--quiet"),
    *("--default-resources", "slurm_account=root", "slurm_partition=main"),
    *("--slurm-init-seconds-before-status-checks", "2", "--max-status-checks-per-second", "10"),
]
SYSTEM_WIDE = Path("/etc/slurm/slurm.conf")

Start = Callable[[Path, int], "subprocess.Popen[bytes] | None"]


def main() -> None:
    """Measure all contestants in turn, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    slurm = Slurm(ROOT / "bench")
    slurm.down(wipe=True)
    slurm.up()
    os.environ |= slurm.env
    try:
        print("\n".join(page(rounds)))
    finally:
        slurm.down(wipe=True)


def page(rounds: int) -> list[str]:
    """Return the lines of the tables."""
    array = f"by hand, `sbatch --array=1-{ELEMENTS}`"
    many: dict[str, Start] = {
        "penstock": start_penstock,
        array: start_array,
        "by hand, one job per unit": start_jobs,
    }
    lines = [
        f"{UNITS:,} units of {UNIT_S} s on a real Slurm (4 nodes of 8 pretended CPUs), {rounds} rounds, medians:",
        "",
    ]
    lines += contest(many, UNITS, rounds, array)
    lines += ["", f"Target: penstock at most {TARGET} × the same batches by hand."]
    with snakemake_can_be_asked() as there:
        if there:
            alone: dict[str, Start] = {
                "penstock": start_penstock,
                "by hand, one job per unit": start_jobs,
                "snakemake, one job per unit": start_snakemake,
            }
            lines += [
                "",
                f"{FEW_UNITS} of these, beside snakemake with its executor for Slurm, one round:",
                "",
            ]
            lines += contest(alone, FEW_UNITS, 1, "by hand, one job per unit")
    return lines


def contest(contestants: dict[str, Start], units: int, rounds: int, base: str) -> list[str]:
    """Return the lines of a table: the contestants in turn, and their ratio to one of them."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, start in contestants.items():
            taken[name].append(measure(start, units))
    medians = {name: statistics.median(walls) for name, walls in taken.items()}
    rows: list[Row] = [("", "wall s", "× by hand")]
    rows += [(name, f"{wall:.1f}", f"{wall / medians[base]:.2f}") for name, wall in medians.items()]
    return render(rows)


def measure(start: Start, units: int) -> float:
    """Return the seconds from the start of a contestant until its last product is there and it has ended."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        folder = Path(name)
        (folder / "out").mkdir()
        began = time.monotonic()
        process = start(folder, units)
        while len(list((folder / "out").glob("*.txt"))) < units:
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


def start_penstock(folder: Path, units: int) -> subprocess.Popen[bytes]:
    (folder / "penstock.toml").write_text(DEFINITION.format(batch=units // ELEMENTS))
    (folder / "units.csv").write_text("unit\n" + "".join(f"{n}\n" for n in range(1, units + 1)))
    return started(folder, sys.executable, "-m", "penstock", "run")


def start_array(folder: Path, units: int) -> None:
    (folder / "job.sh").write_text(BY_HAND.format(batch=units // ELEMENTS))
    argv = ["sbatch", f"--array=1-{ELEMENTS}", "job.sh"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)


def start_jobs(folder: Path, units: int) -> None:
    for unit in range(1, units + 1):
        work = f"sh -c 'sleep {UNIT_S}; : > $0' out/{unit}.txt"
        argv = ["sbatch", "--output=/dev/null", "--wrap", work]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)


def start_snakemake(folder: Path, units: int) -> subprocess.Popen[bytes]:
    (folder / "Snakefile").write_text(SNAKEFILE.format(units=units, seconds=UNIT_S))
    return started(folder, *SNAKEMAKE)


@contextlib.contextmanager
def snakemake_can_be_asked() -> Iterator[bool]:
    """Let snakemake's jobs find the cluster: they run without SLURM_CONF, so Slurm looks at its usual place.

    Yields whether they can: the plug-in is installed, and this machine has no Slurm of its own there.
    """
    python = PEERS / "python"
    installed = (
        python.exists()
        and not subprocess.run(
            [str(python), "-c", "import snakemake_executor_plugin_slurm"], capture_output=True, check=False
        ).returncode
    )
    if not installed or os.path.lexists(SYSTEM_WIDE):
        yield False
        return
    SYSTEM_WIDE.parent.mkdir(exist_ok=True)
    SYSTEM_WIDE.symlink_to(os.environ["SLURM_CONF"])
    try:
        yield True
    finally:
        SYSTEM_WIDE.unlink()


if __name__ == "__main__":
    shutil.which("sbatch") or sys.exit(
        "there is no sbatch: apt-get install slurmctld slurmd slurm-client munge"
    )
    main()
