"""The demonstration: a small night of made-up events, from raw data to its seal."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from penstock import record
from penstock.errors import NothingYet
from penstock.workflows.setup.definition import FILE as DEFINITION
from penstock.workflows.setup.demo import Say, send_to
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
VERIFIED = "close.night.verify"  # the first step of the closing of a night
LOOK_S = 0.1
TRAINED_ON = 1000  # gammas, and as many protons
HEAD = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: run_id, datatype: int64}\n"
SUMMARY = "# - {name: n_subruns, datatype: int64}\n# - {name: run_type, datatype: string}\nrun_id n_subruns run_type\n"
CATALOGUE = (
    "# - {name: source_name, datatype: string}\n# - {name: ra, datatype: float64}\n# - {name: dec, datatype: float64}\n"
    "run_id source_name ra dec\n"
)


def run_demo(folder: Path, say: Say, scheduler: str | None = None) -> None:
    """Make up a night in `folder`, process and close it, killed once while it closes, and say where to look.

    Raises PenstockError.
    """
    if not (folder / DEFINITION).exists():
        set_up(folder, say)
        kill_while_closing(folder, say, ["run", *(send_to(scheduler, folder, say) if scheduler else ())])
    page = f"nights/{NIGHT:%Y%m%d}/datacheck.html"
    run(folder, lambda: set_up(folder, say), say=say, scheduler=scheduler, page=page)
    penstock(folder, "telescope", "status", say=say)


def kill_while_closing(folder: Path, say: Say, words: Sequence[str]) -> None:
    """Run the campaign until its night is being closed, and kill that run as a power cut would."""
    say(f"\n$ cd {shlex.quote(str(folder))} && penstock {shlex.join(words)}")
    process = subprocess.Popen([sys.executable, "-m", "penstock", *words], cwd=folder)
    try:
        while process.poll() is None and not is_closing(folder):
            time.sleep(LOOK_S)
    finally:
        process.kill()
        killed = process.wait() == -signal.SIGKILL
    if killed:
        say(
            f"\nkilled with kill -9 while the night {NIGHT} was being closed; the same command goes on from there:"
        )


def is_closing(folder: Path) -> bool:
    """Whether the closing of the night has begun by the record."""
    try:
        with record.open(folder) as there:
            return any(stage.tasks.get("done") for stage in there.status().stages if stage.name == VERIFIED)
    except NothingYet:
        return False


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
