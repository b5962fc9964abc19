"""The record of processed runs as text files, as LCLS's auto-processing kept it: read, and written, line by line.

    <root>/<process>/<INSTRUMENT>/<experiment>-proc-runs.txt    runs that were processed, a line each
    <root>/<process>/<INSTRUMENT>/<experiment>-arch-runs.txt    those whose files were taken away since

A line is `0151 2017-10-05T15:19:21 login host cwd:… cmd:…`. Lines that were here before are never rewritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError

LINE = re.compile(rb"(?P<run>\d+) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d( \S+ \S+ cwd:.* cmd:.*)?\s*")
FILE = re.compile(r"(?P<experiment>[^/]+?)-(?P<kind>proc-runs|arch-runs|proc-arch)\.txt").fullmatch
PROCESSED, ARCHIVED = "proc-runs", "arch-runs"  # "proc-arch" is another name of the second


class OldFile(NamedTuple):
    """One text file, and what its name says."""

    path: Path
    instrument: str
    experiment: str
    kind: str


@dataclass(frozen=True, slots=True)
class OldLines:
    """The lines of a file, as they are, by the run that they begin with; `odd` are those that say nothing."""

    runs: dict[int, bytes]
    odd: tuple[bytes, ...] = ()


def find_old(root: Path) -> list[OldFile]:
    """Find the record of one process under its folder, in order."""
    found = []
    for path in sorted(root.glob("*/*.txt")):
        if match := FILE(path.name):
            found.append(OldFile(path, path.parent.name, match["experiment"], match["kind"]))
    return found


def read_lines(path: Path) -> OldLines:
    """Read the lines of a file; a run may have several. There are none without a file."""
    runs, odd = dict[int, bytes](), list[bytes]()
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        if (run := run_of(line)) is not None:
            runs[run] = runs.get(run, b"") + line
        elif line.strip():
            odd.append(line)
    return OldLines(runs, tuple(odd))


def run_of(line: bytes) -> int | None:
    """Give the run that a line is about; None if it is about none."""
    match = LINE.fullmatch(line)
    return int(match["run"]) if match else None


def line_of(run: int, at: datetime, *, login: str, host: str, cwd: str, command: str) -> bytes:
    """Write a line as the old tool did.

    >>> line_of(151, datetime(2017, 10, 5, 15, 19, 21), login="ann", host="ps1", cwd="/w", command="penstock")
    b'0151 2017-10-05T15:19:21 ann ps1 cwd:/w cmd:penstock\\n'
    """
    return f"{run:04d} {at:%Y-%m-%dT%H:%M:%S} {login} {host} cwd:{cwd} cmd:{command}\n".encode()


def append_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Add lines to a file, all or none, after what is there; return how many there were."""
    new = [*lines]
    if new:
        before = path.read_bytes() if path.exists() else b""
        gap = b"" if not before or before.endswith(b"\n") else b"\n"
        write_whole(path, before + gap + b"".join(new))
    return len(new)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def move_lines(processed: Path, archived: Path, runs: Sequence[int]) -> int:
    """Move the lines of runs from one file to the other; return how many. After a kill, the same call completes it."""
    lines = read_lines(processed).runs
    moving = {run: lines[run] for run in runs if run in lines}
    there = read_lines(archived).runs
    append_lines(archived, (line for run, line in moving.items() if run not in there))
    if moving:
        every = processed.read_bytes().splitlines(keepends=True)
        kept = (line for line in every if run_of(line) not in moving)
        write_whole(processed, b"".join(kept))
    return len(moving)


def root_of(folder: Path, process: str) -> Path:
    """Give the folder of a process: in `folder`, or this itself. Raises DefinitionError if it holds no record."""
    for root in (folder / process, folder):
        if find_old(root):
            return root
    raise DefinitionError(
        f"{folder} has no INSTRUMENT/EXPERIMENT-proc-runs.txt; name the folder of {process}, or the one above it"
    )


def place_of(root: Path, instrument: str, experiment: str, kind: str) -> Path:
    return root / instrument / f"{experiment}-{kind}.txt"


def odd_lines(files: Iterable[OldFile]) -> Iterator[str]:
    """Say which lines are no lines of a record."""
    for file in files:
        for line in read_lines(file.path).odd:
            yield f"{file.path}: {line.decode(errors='backslashreplace').strip()!r} names no run; it is kept as it is"
