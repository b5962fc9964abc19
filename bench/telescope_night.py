"""How long a night takes to plan, and how much memory: 30 runs of 150 subruns, from its tables on the disk.

    python -m bench.telescope_night [--runs 30] [--subruns 150] [--rounds 5]

Each round is a process of its own, from the start of Python to the last unit: the settings and both tables are read,
the plan is made, and all units of nights, runs and subruns are given. The time is a median;
CPU and memory are those of the largest round.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median

DAY = date(2020, 1, 17)
SETTINGS = """telescope = "LST1"
[tables]
summary = "RunSummary_{date}.ecsv"
catalogue = "RunCatalog_{date}.ecsv"
[files]
r0 = "R0/{date}/LST-1.1.Run{run:05d}.{subrun:04d}.fits.fz"
[[cleaning]]
name = "usual"
path = "usual.json"
where = "dec < 90"
[[model]]
name = "usual"
path = "usual"
"""


def write_tables(folder: Path, runs: int, subruns: int) -> None:
    """Write the tables of a night."""
    head = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: run_id, datatype: int64}\n"
    summary = [head, "# - {name: n_subruns, datatype: int64}\n# - {name: run_type, datatype: string}\n"]
    summary += ["# delimiter: ','\nrun_id,n_subruns,run_type\n1,6,DRS4\n2,5,PEDCALIB\n"]
    summary += [f"{number},{subruns},DATA\n" for number in range(3, runs + 3)]
    catalogue = [
        head,
        "# - {name: source_name, datatype: string}\n# - {name: source_dec, datatype: float64}\n",
    ]
    catalogue += ["# delimiter: ','\nrun_id,source_name,source_dec\n"]
    catalogue += [f"{number},Mrk {number},22.5\n" for number in range(3, runs + 3)]
    (folder / "RunSummary_20200117.ecsv").write_text("".join(summary))
    (folder / "RunCatalog_20200117.ecsv").write_text("".join(catalogue))
    (folder / "telescope.toml").write_text(SETTINGS)


def plan(folder: Path) -> dict[str, float]:
    """Plan the night, and give how many units there are and what this process used: memory (MB) and CPU (s)."""
    from penstock.workflows.telescope.planning import plan_from_disk
    from penstock.workflows.telescope.settings import read_settings
    from penstock.workflows.telescope.units import night_unit, run_units, subrun_units

    settings = read_settings(folder)
    made = plan_from_disk(settings, folder, DAY)
    units = [night_unit(made, settings), *run_units(made, settings)]
    units += subrun_units(made, settings)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"units": len(units), "MB": used.ru_maxrss / 1024, "cpu": used.ru_utime + used.ru_stime}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--subruns", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plan:
        print(json.dumps(plan(given.plan)))
        return
    with tempfile.TemporaryDirectory() as made:
        write_tables(Path(made), given.runs, given.subruns)
        took, told = list[float](), dict[str, float]()
        for _ in range(given.rounds):
            begin = time.perf_counter()
            command = [sys.executable, "-m", "bench.telescope_night", "--plan", made]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            took.append(time.perf_counter() - begin)
            told = max(told, json.loads(done.stdout), key=lambda each: each.get("MB", 0.0))
    print(
        f"{told['units']:.0f} units of {given.runs} runs: {median(took):.2f} s, of CPU {told['cpu']:.2f} s, {told['MB']:.0f} MB"
    )


if __name__ == "__main__":
    main()
