"""`python -m bench.simulating`: predictions beside what then happened on a real Slurm, and what a large one costs.

Brings a Slurm of its own up on this machine (as root, from Debian's packages; see tests/cluster). A first campaign is run
there; a second, four times as large, is predicted from its record, and then run.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.base import ROOT
from tests.cluster.slurm import Slurm

from bench.measure import run
from bench.table import Row, render
from penstock import config
from penstock.simulation import Shape, simulate

NODES, CPUS = 4, 8  # of the Slurm of the tests
FEW, MANY, GROUPS = 100, 400, 4
BATCHES = (5, 20)
TARGET = 0.15
COURSES = 5

DEFINITION = """
[campaign]
name = "ahead"
levels = ["group", "unit"]
site = "slurm"
[units]
table = "units.csv"
types = {{ unit = "int" }}
[site.slurm]
scheduler = "slurm"
python = "/usr/bin/python3"
visibility = "2s"
[stage.work]
each = "unit"
command = ["sh", "-c", "sleep $0; : > $1", "{{seconds}}", "{{product}}"]
products = "out/{{group}}/{{unit}}.txt"
batch = {batch}
batch_wait = "0s"
[stage.merge]
each = "group"
after = "work"
command = ["sh", "-c", "sleep 3; : > $0", "{{product}}"]
products = "merged/{{group}}.txt"
batch_wait = "0s"
"""

NIGHTS, RUNS, SUBRUNS = 300, 30, 150
LARGE = """
[campaign]
name = "nights"
levels = ["night", "run", "subrun"]
site = "cluster"
[units]
table = "runs.csv"
types = { run = "int", subrun = "int" }
[site.cluster]
scheduler = "slurm"
[stage.dl1]
each = "subrun"
command = ["cp", "x", "{product}"]
products = "dl1/{night}/{run}/{subrun}.h5"
[stage.check]
each = "subrun"
with = "dl1"
command = ["cp", "x", "{product}"]
products = "check/{night}/{run}/{subrun}.h5"
[stage.dl2]
each = "run"
after = "dl1"
command = ["cat", "{inputs_file.dl1}"]
products = "dl2/{night}/{run}.h5"
[stage.close]
each = "night"
after = ["dl2", "check"]
command = ["cat", "{inputs.dl2}"]
products = "closed/{night}.h5"
"""
TIMES = ["dl1=60s", "check=5s", "dl2=10min", "close=5min"]


def main() -> None:
    """Print what was predicted and measured."""
    slurm = Slurm(ROOT / "bench")
    slurm.down(wipe=True)
    slurm.up()
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as scratch:
            print("\n".join(beside_real(Path(scratch), slurm)))
    finally:
        slurm.down(wipe=True)
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as scratch:
        print("\n".join(["", *large(Path(scratch))]))


def beside_real(scratch: Path, slurm: Slurm) -> Iterator[str]:
    """Yield the lines that compare predictions with what happened."""
    yield f"{MANY} units of 1 to 5 s and {GROUPS} merges on a real Slurm ({NODES} nodes of {CPUS} pretended CPUs):"
    yield f"predicted ({COURSES} courses) from the record of {FEW} units before, then run."
    drive(campaign(scratch / "first", GROUPS, 1), slurm)  # a Slurm that was just started takes its time
    earlier = campaign(scratch / "earlier", FEW, BATCHES[0])
    drive(earlier, slurm)
    shape = Shape(NODES, CPUS, spread=0.0)
    rows: list[Row] = [("tasks in a batch", "predicted s", "measured s", "ratio", "target")]
    for batch in BATCHES:
        folder = campaign(scratch / f"batch{batch}", MANY, batch)
        [forecast] = simulate(config.load(folder), shape, courses=COURSES, earlier=earlier)
        predicted, measured = forecast.finish_s(0.5), drive(folder, slurm)
        if len(rows) == 1:
            yield f"As its record tells it, {forecast.shape}."
            yield ""
        rows.append(
            (
                str(batch),
                f"{predicted:.1f}",
                f"{measured:.1f}",
                f"{predicted / measured:.2f}",
                f"1 ± {TARGET:g}",
            )
        )
    yield from render(rows)


def campaign(folder: Path, units: int, batch: int) -> Path:
    """Make a campaign whose units take between one and five seconds."""
    chance = random.Random(units)
    rows = "".join(f"g{n % GROUPS},{n},{chance.uniform(1, 5):.2f}\n" for n in range(units))
    folder.mkdir()
    (folder / "units.csv").write_text("group,unit,seconds\n" + rows, encoding="utf-8")
    (folder / "penstock.toml").write_text(DEFINITION.format(batch=batch), encoding="utf-8")
    return folder


def drive(folder: Path, slurm: Slurm) -> float:
    """Run a campaign; return the seconds from the beginning to the end of its last task."""
    began = time.time()
    subprocess.run(
        [sys.executable, "-m", "penstock", "run", "-q"],
        cwd=folder,
        env={**os.environ, **slurm.env},
        check=True,
    )
    return ask(folder, "SELECT max(ended) FROM attempt") - began


def ask(folder: Path, sql: str) -> float:
    """Return one number of a record."""
    with sqlite3.connect(folder / ".penstock/ledger.sqlite") as db:
        return float(db.execute(sql).fetchone()[0])


def large(scratch: Path) -> Iterator[str]:
    """Yield what it costs to predict the processing of many nights."""
    rows = (f"n{n:03d},{r},{s}\n" for n in range(NIGHTS) for r in range(RUNS) for s in range(SUBRUNS))
    with (scratch / "runs.csv").open("w", encoding="utf-8") as file:
        file.write("night,run,subrun\n")
        file.writelines(rows)
    (scratch / "penstock.toml").write_text(LARGE, encoding="utf-8")
    times = [word for time_ in TIMES for word in ("--time", time_)]
    words = ["simulate", "--nodes", "50", "--cores", "32", "--courses", "1", "--fail", "0.01", *times]
    cost = run([sys.executable, "-m", "penstock", *words], cwd=scratch)
    yield f"One course of {NIGHTS} nights × {RUNS} runs × {SUBRUNS} subruns by the model, with the plan:"
    yield f"{cost.cpu_s:.0f} s CPU, {cost.wall_s:.0f} s, {cost.peak_bytes / 1e6:.0f} MB. Target: 60 s, 1 GB."


if __name__ == "__main__":
    main()
