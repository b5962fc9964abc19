"""The demonstration: a night of made-up tables is planned, and its processing on a cluster pretended."""

from __future__ import annotations

import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path

from penstock.errors import PenstockError
from penstock.workflows.setup.definition import FILE
from penstock.workflows.setup.demo import Say
from penstock.workflows.telescope.definition import Shape
from penstock.workflows.telescope.init import write_campaign

NIGHT = date(2020, 1, 17)
RUNS = (
    (1803, 6, "DRS4"), (1804, 6, "DRS4"), (1805, 5, "PEDCALIB"), (1806, 5, "PEDCALIB"), (1807, 11, "DATA"),
    (1808, 9, "DATA"), (1809, 5, "PEDCALIB"),
)  # fmt: skip
SOURCES = ((1807, "Crab", 83.543, 22.08), (1808, "Mrk 421", 166.079, 38.195))
HEAD = "# %ECSV 1.0\n# ---\n# datatype:\n"
FILES = (
    "monitoring/PixelCalibration/Cat-A/drs4_time_sampling_from_FF/20191124/pro/time_calibration.Run01625.0000.h5",
    "monitoring/PixelCalibration/Cat-A/ffactor_systematics/20191101/pro/ffactor_systematics_20191101.h5",
)
TIMES = ("drs4_pedestal=3min", "charge_calibration=5min", "r0_to_dl1=25min", "dl1ab=4min", "datacheck=3min",
         "dl1_to_dl2=20min")  # fmt: skip
KEPT = "pretended"  # folder: the record of the pretended night


def run_demo(folder: Path, say: Say, scheduler: str | None = None) -> None:
    """Make up the tables of a night in `folder`, plan it, and pretend its processing. Raises PenstockError."""
    if (folder / FILE).exists():
        say(f"{folder} already holds a campaign: continuing with it")
    else:
        set_up(folder, scheduler or "slurm")
        say(
            f"wrote {folder / FILE}: the night {NIGHT} with the commands of lstchain, of which none is run here"
        )
    penstock(folder, "telescope", "plan", say=say)
    if not (folder / KEPT).exists():
        times = [word for each in TIMES for word in ("--time", each)]
        penstock(folder, "simulate", *times, "--queue", "5min", "--courses", "3", "--keep", KEPT, say=say)
    penstock(folder, "status", "-C", KEPT, say=say)
    say(f"\nSee {(folder / 'telescope.toml').resolve()}, and docs/howto/telescope.md")


def set_up(folder: Path, scheduler: str) -> None:
    """Write the definition and the tables of the night."""
    shape = Shape(
        "lstchain", scheduler=scheduler, gain_selection=False, pedestal_ids=False, deadline="18:00 next day"
    )
    model = ("nsb_0.14", "models/nsb_0.14")
    write_campaign(folder, shape, data="data", cleaning=("tailcut84", "tailcut84.json"), model=model)
    summary = [f"# - {{name: {name}, datatype: int64}}\n" for name in ("run_id", "n_subruns")]
    rows = "".join(f"{run} {subruns} {kind}\n" for run, subruns, kind in RUNS)
    table(
        folder,
        "RunSummary",
        [*summary, "# - {name: run_type, datatype: string}\n"],
        f"run_id n_subruns run_type\n{rows}",
    )
    catalogue = ["# - {name: run_id, datatype: int64}\n", "# - {name: source_name, datatype: string}\n"]
    catalogue += [f"# - {{name: {name}, datatype: float64}}\n" for name in ("ra", "dec")]
    rows = "".join(f'{run} "{name}" {ra} {dec}\n' for run, name, ra, dec in SOURCES)
    table(folder, "RunCatalog", catalogue, f"run_id source_name ra dec\n{rows}")
    for name in FILES:
        (folder / "data" / name).parent.mkdir(parents=True)
        (folder / "data" / name).touch()


def table(folder: Path, name: str, columns: list[str], rows: str) -> None:
    """Write a table of the night."""
    path = folder / f"data/monitoring/{name}/{name}_{NIGHT:%Y%m%d}.ecsv"
    path.parent.mkdir(parents=True)
    path.write_text("".join([HEAD, *columns, rows]), encoding="utf-8")


def penstock(folder: Path, *words: str, say: Say) -> None:
    """Run a command in the campaign, and let it print. Raises PenstockError if it fails."""
    say(f"\n$ penstock {shlex.join(words)}")
    ended = subprocess.run([sys.executable, "-m", "penstock", *words], cwd=folder, check=False)
    if ended.returncode:
        raise PenstockError(f"`penstock {words[0]}` ended with {ended.returncode} in {folder}")
