"""The demonstration: a small night of made-up events, from raw data to its seal."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from penstock.workflows.setup.demo import Say
from penstock.workflows.setup.demo import run_demo as run
from penstock.workflows.telescope.definition import Shape
from penstock.workflows.telescope.init import write_campaign
from penstock.workflows.telescope.settings import read_settings
from penstock.workflows.telescope.training import place_of, train_model

Runs = Iterable[tuple[int, int, str]]

NIGHT = date(2020, 1, 17)
RUNS = ((1804, 1, "DRS4"), (1805, 1, "PEDCALIB"), (1807, 2, "DATA"), (1808, 2, "DATA"))
SOURCES = ((1807, "Crab", 83.633, 22.014), (1808, "Mrk 421", 166.079, 38.195))
EVENTS = {"DRS4": 200, "PEDCALIB": 400, "DATA": 200}  # of a subrun
TRAINED_ON = 1000  # gammas, and as many protons
HEAD = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: run_id, datatype: int64}\n"
SUMMARY = "# - {name: n_subruns, datatype: int64}\n# - {name: run_type, datatype: string}\nrun_id n_subruns run_type\n"
CATALOGUE = (
    "# - {name: source_name, datatype: string}\n# - {name: ra, datatype: float64}\n# - {name: dec, datatype: float64}\n"
    "run_id source_name ra dec\n"
)


def run_demo(folder: Path, say: Say, scheduler: str | None = None) -> None:
    """Make up a night in `folder`, process and close it, and say where to look. Raises PenstockError."""
    page = f"nights/{NIGHT:%Y%m%d}/datacheck.html"
    run(folder, lambda: set_up(folder, say), say=say, scheduler=scheduler, page=page)
    penstock(folder, "telescope", "status", say=say)


def set_up(folder: Path, say: Say) -> None:
    """Write the definition, the tables and the raw events of the night, and train forests."""
    say(f"making up the night {NIGHT} in {folder}, and training forests")
    make_night(folder)
    penstock(folder, "telescope", "plan", say=say)


def make_night(
    folder: Path,
    runs: Runs = RUNS,
    sources: Iterable[tuple[int, str, float, float]] = SOURCES,
    *,
    events: Mapping[str, int] = EVENTS,
    trained_on: int = TRAINED_ON,
    shape: Shape | None = None,
) -> None:
    """Write a campaign of one night: its definition, its tables, raw events, `events` a subrun, and trained forests."""
    cleaning, model = ("standard", "cleaning.json"), ("standard", "model.h5")
    write_campaign(folder, shape or Shape(), cleaning=cleaning, model=model)
    rows = "".join(f"{run} {subruns} {kind}\n" for run, subruns, kind in runs)
    named = "".join(f'{run} "{name}" {ra} {dec}\n' for run, name, ra, dec in sources)
    (folder / "monitoring").mkdir()
    for name, text in (("RunSummary", SUMMARY + rows), ("RunCatalog", CATALOGUE + named)):
        (folder / f"monitoring/{name}_{NIGHT:%Y%m%d}.ecsv").write_text(HEAD + text, encoding="utf-8")
    simulate_night(folder / f"R0/{NIGHT:%Y%m%d}", runs, events)
    train_model(place_of(read_settings(folder), folder, None), events=trained_on, seed=1)


def simulate_night(folder: Path, runs: Runs, events: Mapping[str, int]) -> None:
    """Write the raw events of all runs."""
    from penstock.workflows.telescope.toy.simulator import Subrun, simulate

    folder.mkdir(parents=True)
    for number, subruns, kind in runs:
        for subrun in range(subruns):
            path = folder / f"R0.Run{number:05d}.{subrun:04d}.h5"
            simulate(path, Subrun(number, subrun, kind, events=events[kind]))


def penstock(folder: Path, *words: str, say: Say) -> None:
    """Run a command in the campaign, and let it print."""
    say(f"\n$ penstock {shlex.join(words)}")
    subprocess.run([sys.executable, "-m", "penstock", *words], cwd=folder, check=False)
