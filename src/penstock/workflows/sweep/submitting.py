"""Handing a sweep to its conductor, and taking in what has come of it."""

from __future__ import annotations

import csv
import getpass
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError
from penstock.workflows.setup.definition import FILE as DEFINITION
from penstock.workflows.sweep.campaign import Laid, begin_campaign, lay_out
from penstock.workflows.sweep.points import NAME
from penstock.workflows.sweep.results import Cells, Results, read_results
from penstock.workflows.sweep.sweep import FILE, read_sweep

RECORD, SCRATCH = ".penstock", ".penstock/scratch"
SUBMITTED, FAILED, WHY = "submitted.csv", "failed", "why.txt"
SOME_FAILED = 1  # the exit code of a run whose failures are for the person, or the function, to judge
IN_BACKGROUND = ("up", "--until-done")
_KEPT = re.compile(r"its scratch folder is kept: (.+)").search


class Submission(NamedTuple):
    """That somebody submitted a sweep: when (ISO 8601, UTC), who, and how many points it had then."""

    at: str
    by: str
    points: str


def begin_unless_there(folder: Path) -> None:
    """Write the definition of a sweep's campaign, if it has none. Raises DefinitionError."""
    if not (folder / DEFINITION).exists():
        begin_campaign(folder, read_sweep(folder / FILE).program.file.stem)


def submit(folder: Path) -> Laid:
    """Lay a sweep out and note that it is submitted. Raises DefinitionError.

    Its conductor is not started yet; see `run_penstock`.
    """
    begin_unless_there(folder)
    laid = lay_out(folder)
    with (folder / SUBMITTED).open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(Submission._fields)
        by = f"{getpass.getuser()}@{socket.gethostname()}"
        writer.writerow(Submission(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", by, str(len(laid.plan.rows))))
    return laid


def find_executable(folder: Path, name: str) -> str | None:
    """Return where the executable of a program is on this machine; None if it is nowhere."""
    own = folder / name
    return str(own) if own.is_file() else shutil.which(name)


def site_of(folder: Path) -> str:
    """Return the site where the definition of a sweep's campaign has its points run."""
    with (folder / DEFINITION).open("rb") as file:
        tables = tomllib.load(file)
    own = tables.get("stage", {}).get("run", {}).get("site")
    return own or tables.get("campaign", {}).get("site", "local")


def read_submissions(folder: Path) -> list[Submission]:
    """Read when a sweep was submitted, the last time at the end."""
    try:
        with (folder / SUBMITTED).open(encoding="utf-8", newline="") as file:
            return [Submission(*row) for row in list(csv.reader(file))[1:] if len(row) == 3]
    except FileNotFoundError:
        return []


def run_penstock(folder: Path, words: Sequence[str]) -> int:
    """Run a command of penstock in the campaign of a folder; return its exit code."""
    return subprocess.run([sys.executable, "-m", "penstock", *words], cwd=folder, check=False).returncode


def adapt(folder: Path, say: Callable[[str], None], *, rounds: int | None = None) -> int:
    """Run the points of a sweep and ask its function for more, in turn; return the exit code of the last run.

    What was asked for and not yet run, because somebody ended it then, is run first. Raises DefinitionError.
    """
    from penstock.workflows.sweep.adaptive import grow

    code = 0
    for number in count() if rounds is None else range(rounds + 1):
        if _has_rows(folder):
            begin_unless_there(folder)
            lay_out(folder)
            code = run_penstock(folder, ["run"])
        if code > SOME_FAILED or number == rounds:
            return code
        added = grow(folder)
        say(f"{added:,} more points" if added else "no more points are wanted")
        if not added:
            return code
    return code


def _has_rows(folder: Path) -> bool:
    table = read_sweep(folder / FILE).table
    return table is None or table.exists()


def receive(folder: Path) -> Iterator[str]:
    """Take in what has come, and yield what a person should know of it. Raises DefinitionError.

    What failed points left is copied to `failed/POINT`, with the reason; of one that is done since, it goes away.
    """
    if not (folder / RECORD).exists():
        raise DefinitionError(f"the sweep in {folder} was never submitted; use `penstock sweep submit`")
    run_penstock(folder, ["tick"])
    results = read_results(folder).planned()
    counts = Counter(str(row["state"]) for row in results.rows)
    yield f"{counts['done']:,} of {len(results.rows):,} points are here, in {folder / 'runs'}"
    others = ", ".join(f"{count:,} {state}" for state, count in counts.items() if state != "done")
    if others:
        yield others
    copied = keep_failed(folder, results)
    if copied:
        yield f"what {copied:,} failed left is in {folder / FAILED}"


def keep_failed(folder: Path, results: Results) -> int:
    """Copy what failed points left, and remove what others left before they were done; return how many there are."""
    failed = {str(row[NAME]): row for row in results.rows if row["state"] == "failed"}
    for place in folder.glob(f"{FAILED}/*"):
        if place.name not in failed and (place / WHY).exists():
            shutil.rmtree(place)
    for name, row in failed.items():
        _keep(folder, folder / FAILED / name, row)
    return len(failed)


def _keep(folder: Path, place: Path, row: Cells) -> None:
    why = row["why"] or "nobody knows why"
    note = place / WHY
    if note.exists() and note.read_text("utf-8") == why + "\n":
        return
    shutil.rmtree(place, ignore_errors=True)
    kept = _KEPT(why)
    source = folder / SCRATCH / Path(kept[1]).name if kept else None  # the folder may have been moved since
    if source and source.is_dir():
        shutil.copytree(source, place, symlinks=True)
    place.mkdir(parents=True, exist_ok=True)
    note.write_text(why + "\n", encoding="utf-8")
