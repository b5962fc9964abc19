"""How the planner of sweeps bears many points.

`python -m bench.sweeps` measures it alone.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.measure import Cost, adopt_orphans, median, medians, run

POINTS = 100_000
PACKED = 10_000

SWEEP = """
[sweep]
program = "netmc"
where = ["min_ring_size < max_ring_size"]
repeat = 50

[vary]
start_temperature = { start = -4, stop = 0, step = 0.1 }
tolerance = [1E-07, 1E-06, 1E-05]
min_ring_size = [3, 4]
max_ring_size = { start = 5, stop = 13, step = 1 }
"""  # 41 × 3 × 2 × 9 × 50 = 110,700, each with the 40 variables of the program

PLAN = """
from pathlib import Path
from penstock.workflows.sweep import describe_plan, extend, plan_sweep, read_points, read_sweep, write_points
sweep, table = read_sweep(Path("sweep.toml")), Path("points.csv")
plan = plan_sweep(sweep)
print(*describe_plan(plan), sep="\\n")
if {write}:
    write_points(table, extend(read_points(table, sweep.program), plan))
"""


def planning(scratch: Path) -> Callable[[], Cost]:
    """Prepare a sweep; measure planning and checking its points."""
    return lambda: _run(scratch / "plan", write=False)


def tabulating(scratch: Path) -> Callable[[], Cost]:
    """Prepare a sweep; measure planning its points, naming them, and writing the table."""
    return lambda: _run(scratch / "table", write=True)


JOBS = """
[sweep]
program = "netmc"
repeat = 100

[vary]
start_temperature = { start = -4, stop = -0.04, step = 0.04 }
"""

LAY_OUT = """
from pathlib import Path
from penstock.workflows.sweep.campaign import lay_out
lay_out(Path())
"""

PACK = """
from pathlib import Path
from penstock.workflows.sweep.archive import pack
from penstock.workflows.sweep.campaign import read_campaign
Path("sweep.zip").unlink(missing_ok=True)
assert pack(Path(), read_campaign(Path()), Path("sweep.zip")) == 10_000
"""


def packing(scratch: Path) -> Callable[[], Cost]:
    """Lay a sweep out; measure packing the inputs of its jobs."""
    folder = scratch / "pack"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.toml").write_text(JOBS, encoding="utf-8")
    run([sys.executable, "-c", LAY_OUT], cwd=folder)
    return lambda: run([sys.executable, "-c", PACK], cwd=folder)


RUN = 1_000
MODEL = """
#include <stdio.h>
int main(void) {
    double T;
    FILE *file = fopen("in.txt", "r");
    if (!file || fscanf(file, "T %lf", &T) != 1)
        return 1;
    fclose(file);
    file = fopen("out.dat", "w");
    fprintf(file, "%g\\n", 2 * T);
    return fclose(file);
}
"""
PROGRAM = """
[program]
executable = "model"
products = ["out.dat"]
[input."in.txt"]
[variable.T]
type = "float"
[result.twice]
file = "out.dat"
column = 1
"""
RUNNING = f'[sweep]\nprogram = "model"\n[vary]\nT = {{ start = 1, stop = {RUN}, step = 1 }}\n'
BEGIN = """
from pathlib import Path
from penstock.workflows.sweep.campaign import begin_campaign, lay_out
begin_campaign(Path(), "model")
lay_out(Path())
"""
LOOP = """
mkdir "work/$1" && cd "work/$1" && sed "s/{T}/$1/" ../../programs/in.txt > in.txt && ../../model &&
mkdir "../../runs/$1" && cp out.dat "../../runs/$1/"
"""


def running(scratch: Path) -> Mapping[str, Callable[[], Cost]]:
    """Run a quick program in C for each point, by penstock and by a loop that also makes a folder, renders and copies."""
    return {
        "sweep": lambda: _run_points(scratch / "sweep"),
        "xargs -P2": lambda: _run_loop(scratch / "loop"),
    }


def _begin_model(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "programs").mkdir(parents=True)
    (folder / "programs/in.txt").write_text("T {T}\n", encoding="utf-8")
    (folder / "model.c").write_text(MODEL, encoding="utf-8")
    run(["cc", "-O2", "-o", "model", "model.c"], cwd=folder)


def _run_points(folder: Path) -> Cost:
    _begin_model(folder)
    (folder / "programs/model.toml").write_text(PROGRAM, encoding="utf-8")
    (folder / "sweep.toml").write_text(RUNNING, encoding="utf-8")
    run([sys.executable, "-c", BEGIN], cwd=folder)
    return run([sys.executable, "-m", "penstock", "run", "--stage", "run"], cwd=folder)


def _run_loop(folder: Path) -> Cost:
    _begin_model(folder)
    (folder / "loop.sh").write_text(LOOP, encoding="utf-8")
    for name in ("work", "runs"):
        (folder / name).mkdir()
    return run(["sh", "-c", f"seq {RUN} | xargs -P2 -I{{}} sh loop.sh {{}}"], cwd=folder)


def _run(folder: Path, *, write: bool) -> Cost:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "points.csv").unlink(missing_ok=True)
    (folder / "sweep.toml").write_text(SWEEP, encoding="utf-8")
    return run([sys.executable, "-c", PLAN.format(write=write)], cwd=folder)


def main() -> None:
    """Measure in three rounds and print the medians."""
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
        contests = {
            "planned": planning(Path(name)),
            "and tabulated": tabulating(Path(name)),
            f"{PACKED:,} packed": packing(Path(name)),
        }
        for what, contest in contests.items():
            cost = median([contest() for _ in range(3)])
            peak = cost.peak_bytes / 1e6
            print(f"{what}: {cost.cpu_s:.2f} s CPU, {cost.wall_s:.2f} s, {peak:.0f} MB")
        ours, theirs = medians(running(Path(name)), rounds=3).values()
        print(f"{RUN:,} points run: {ours.cpu_s:.2f} s CPU, {ours.wall_s:.2f} s;", end=" ")
        print(f"by xargs: {theirs.cpu_s:.2f} s CPU, {theirs.wall_s:.2f} s")


if __name__ == "__main__":
    main()
