"""Moving from the old text files to a campaign, and back."""

from __future__ import annotations

import getpass
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from penstock.errors import LedgerError
from penstock.record import Event, Record, ResultRow
from penstock.workflows.detector.oldrecord import (
    ARCHIVED,
    PROCESSED,
    OldFile,
    append_lines,
    find_old,
    line_of,
    move_lines,
    place_of,
    read_lines,
    write_whole,
)
from penstock.workflows.detector.runs import Run, counted

MARKED, IMPORTED = "marked as processed", "processed before, by the old record"  # why a run counts as done
FAILED = "-EXIT"  # what the old tool added to the name of the log of a job that did not end well
KEPT = "old"  # folder of a campaign: the old files as they came, by process


@dataclass(frozen=True, slots=True)
class Import:
    """What an old record comes to: files, runs with a line, those of them to be marked."""

    files: int
    processed: int
    archived: int
    to_mark: Sequence[str]

    def __str__(self) -> str:
        found = f"{counted(self.files, 'file')}: {counted(self.processed, 'run')} processed, {self.archived:,} archived"
        return f"{found}; to be counted as done, as they are here: {len(self.to_mark):,}"


@dataclass(frozen=True, slots=True)
class Export:
    """What was written: lines that are new, lines that were moved to the archived ones, logs."""

    experiments: int
    lines: int
    moved: int
    logs: int

    def __str__(self) -> str:
        new = f"{counted(self.lines, 'new line')}, {self.moved:,} archived, {counted(self.logs, 'log')}"
        return f"{counted(self.experiments, 'experiment')}: {new}"


def kept_in(root: Path, process: str) -> Path:
    """Give the folder where a campaign keeps the old files of a process."""
    return root / KEPT / process


def keep_files(source: Path, kept: Path) -> None:
    """Copy old files; where one is there already, lines of runs that it has not are added."""
    for file in find_old(source):
        place = kept / file.instrument / file.path.name
        if place.exists():
            there = read_lines(place).runs
            append_lines(
                place, (line for run, line in read_lines(file.path).runs.items() if run not in there)
            )
        else:
            write_whole(place, file.path.read_bytes())


def plan_import(source: Path, runs: Sequence[Run]) -> Import:
    """Find what an old record says about the runs of a campaign."""
    files = find_old(source)
    recorded = {kind: dict(_recorded(files, kind)) for kind in (PROCESSED, ARCHIVED)}
    known = [
        run for run in runs if run.number in recorded[PROCESSED].get((run.instrument, run.experiment), ())
    ]
    counts = {kind: sum(map(len, some.values())) for kind, some in recorded.items()}
    to_mark = [run.unit for run in known if run.new]
    return Import(len(files), counts[PROCESSED], counts[ARCHIVED], to_mark)


def _recorded(files: Sequence[OldFile], kind: str) -> Iterator[tuple[tuple[str, str], set[int]]]:
    """Give the runs of each experiment that are processed, or archived."""
    mine = (file for file in files if (file.kind == PROCESSED) == (kind == PROCESSED))
    for experiment, some in groupby(mine, attrgetter("instrument", "experiment")):
        yield experiment, {run for file in some for run in read_lines(file.path).runs}


def lost_lines(kept: Path, runs: Sequence[Run]) -> dict[tuple[str, str], list[int]]:
    """Give the runs that the old record has as processed and that are not on the disk any more."""
    present = {run[1:4] for run in runs if not run.gone}
    found = {}
    for (instrument, experiment), numbers in _recorded(find_old(kept), PROCESSED):
        if lost := sorted(n for n in numbers if (instrument, experiment, n) not in present):
            found[instrument, experiment] = lost
    return found


def archive_lines(kept: Path, lost: dict[tuple[str, str], list[int]]) -> int:
    """Move the lines of lost runs to the archived ones; return how many."""
    return sum(
        move_lines(place_of(kept, *names, PROCESSED), place_of(kept, *names, ARCHIVED), numbers)
        for names, numbers in lost.items()
    )


def export(record: Record, process: str, runs: Sequence[Run], target: Path, *, logs: bool) -> Export:
    """Write the old files of a process below `target`: what came from there as it is, a line for each run since.

    Files that are there already keep their lines.
    """
    kept, root = kept_in(record.root, process), target / process
    bring_back(kept, root)
    results = {result.unit: result for result in record.results(process)}
    lines = moved = written = experiments = 0
    for (instrument, experiment), group in groupby(runs, attrgetter("instrument", "experiment")):
        some = [*group]
        done = [run for run in some if run.state == "done"]
        processed, archived = (place_of(root, instrument, experiment, kind) for kind in (PROCESSED, ARCHIVED))
        there = {*read_lines(processed).runs, *read_lines(archived).runs}
        new = [run for run in done if run.number not in there]
        lines += append_lines(processed, (_line(record, process, run, results.get(run.unit)) for run in new))
        moved += move_lines(processed, archived, [run.number for run in done if run.archived])
        if logs:
            ends = [(run, results[run.unit].ended, "") for run in new if run.unit in results]
            ends += [(run, failed_at(record, process, run), FAILED) for run in some if run.state == "failed"]
            written += sum(_write_log(record, process, *each, root) for each in ends)
        experiments += bool(done)
    return Export(experiments, lines, moved, written)


def marks_of(record: Record, run: Run) -> list[Event]:
    """Give the events by which a person said that a run was processed."""
    return [event for event in record.history(run.unit) if event.what == "marked"]


def bring_back(kept: Path, root: Path) -> None:
    """Bring the files that were imported to where they are exported to."""
    for file in find_old(kept):
        place = root / file.instrument / file.path.name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, place)


def _line(record: Record, process: str, run: Run, result: ResultRow | None) -> bytes:
    at, login, host = _when_and_who(record, run, result)
    names = {"login": login, "host": host, "cwd": str(record.root), "command": f"penstock {process}"}
    return line_of(run.number, at.astimezone(), **names)


def _when_and_who(record: Record, run: Run, result: ResultRow | None) -> tuple[datetime, str, str]:
    """Say when and by whom a run was processed, or marked."""
    if result:
        return result.ended, getpass.getuser(), result.host or socket.gethostname()
    marks = marks_of(record, run)
    if not marks:
        return datetime.now(UTC), getpass.getuser(), socket.gethostname()
    login, _, host = (marks[-1].by or "").partition("@")
    return marks[-1].at, login or getpass.getuser(), host or socket.gethostname()


def failed_at(record: Record, process: str, run: Run) -> datetime:
    """Say when the last attempt at a failed run ended."""
    return max(event.at for event in record.history(run.unit) if event.stage == process)


def _write_log(record: Record, process: str, run: Run, ended: datetime, suffix: str, root: Path) -> bool:
    """Write what a run printed, under the old name; say whether there was anything."""
    try:
        text = record.log(process, run.unit)
    except LedgerError:  # pruned
        return False
    name = f"log-{run.experiment}-r{run.number:04d}-{ended.astimezone():%Y-%m-%dT%H:%M:%S}.txt{suffix}"
    write_whole(root / run.instrument / run.experiment / name, text)
    return True
