"""The nights of a telescope, and the tables of each: which runs were taken, and of what."""

from __future__ import annotations

import glob
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from penstock.errors import DefinitionError
from penstock.units import Pattern
from penstock.workflows.telescope.ecsv import Table, Value, read_ecsv
from penstock.workflows.telescope.settings import Settings

LIST = "nights.txt"  # in the campaign's folder: the nights to be processed, one a line
PATIENCE_S = 600.0  # for a command that makes a table
DAY = timedelta(days=1)

Fields = Mapping[str, Value | None]


class Run(NamedTuple):
    """One run, as its night's summary has it."""

    night: date
    number: int
    type: str
    subruns: int


@dataclass(frozen=True, slots=True)
class Night:
    """What the tables say about a night; `about` has the columns of catalogue and sky, by run.

    `problems` are what these tables say of some runs and cannot be right, by run.
    """

    date: date
    runs: tuple[Run, ...]
    about: Mapping[int, Fields] = field(default_factory=dict[int, Fields])
    problems: Mapping[int, Sequence[str]] = field(default_factory=dict[int, Sequence[str]])

    def of_type(self, kind: str) -> list[Run]:
        """Give the runs of a type, in their order."""
        return [run for run in self.runs if run.type == kind]


def compact(day: date) -> str:
    """Write a date as it stands in names of files.

    >>> compact(date(2020, 1, 17))
    '20200117'
    """
    return f"{day:%Y%m%d}"


def read_day(text: str) -> date:
    """Read a date, 2020-01-17 or 20200117. Raises DefinitionError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DefinitionError(f"{text!r} is no night; write it as 2020-01-17") from None


def yesterday(now: datetime) -> date:
    """Give the night that ended last, by the date of its evening."""
    return now.astimezone(UTC).date() - DAY


def list_nights(settings: Settings, root: Path, now: datetime) -> list[date]:
    """Give the nights of a campaign, in order: those of `nights.txt`; without it those that have a summary.

    Of these, those from `since` up to yesterday; and yesterday too, where a command can make its summary.
    """
    try:
        lines = (root / LIST).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return sorted(_with_summary(settings, root, yesterday(now)))
    texts = (line.partition("#")[0].strip() for line in lines)
    return sorted({read_day(text) for text in texts if text})


def _with_summary(settings: Settings, root: Path, last: date) -> Iterator[date]:
    since = settings.since or date.min
    found = {day for day, _ in dated_files(settings.tables["summary"].text, root) if since <= day <= last}
    yield from found
    if "make_summary" in settings.commands and last not in found and since <= last:
        yield last


def dated_files(text: str, root: Path) -> Iterator[tuple[date, str]]:
    """Yield the files of a pattern that begin with a date, and that; names that hold none are passed over."""
    pattern = Pattern.parse(text)
    place = "".join(glob.escape(part) if isinstance(part, str) else "*" for part in pattern.template.parts)
    for path in root.glob(place) if not pattern.absolute else Path("/").glob(place.lstrip("/")):
        name = str(path) if pattern.absolute else str(path.relative_to(root))
        values = pattern.match(name)
        if isinstance(values, dict):
            with suppress(ValueError):
                yield date.fromisoformat(str(values["date"])), name


def read_night(settings: Settings, root: Path, day: date, *, make: bool = True) -> Night:
    """Read the tables of a night; one that is missing is made, if a command is named for that and `make` is true.

    Raises DefinitionError where there is no summary, or one that cannot be read.
    """
    path = table_path(settings, root, "summary", day)
    if make:
        for name in ("summary", "catalogue"):
            _make(settings, root, name, day)
    if not path.exists():
        remedy = "wait for it, or name a command that makes it: `make_summary` of [tables]"
        raise DefinitionError(f"the night {day} has no run summary: there is no {path}; {remedy}")
    runs = tuple(_runs(read_ecsv(path), day, path))
    problems = dict[int, list[str]]()
    about = dict[int, dict[str, Value | None]]()
    wanted = {run.number for run in runs if run.type == "DATA"}
    for name in ("catalogue", "sky"):
        if name in settings.tables:
            _join(about, table_path(settings, root, name, day), wanted, problems)
    return Night(day, runs, about, problems)


def table_path(settings: Settings, root: Path, name: str, day: date) -> Path:
    """Give where a table of a night is."""
    return root / settings.tables[name].render({"date": compact(day)})


def _make(settings: Settings, root: Path, name: str, day: date) -> None:
    """Run the command that makes a table, if there is none."""
    words = settings.commands.get(f"make_{name}", ())
    if not words or name not in settings.tables or table_path(settings, root, name, day).exists():
        return
    values = {"date": compact(day), "night": day.isoformat()}
    argv = [word.render(values) for word in words]
    try:
        done = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DefinitionError(f"the {name} of {day} cannot be made: {error}") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DefinitionError(
            f"the {name} of {day} cannot be made: {argv[0]} ended with {done.returncode}: {said}"
        )


def _runs(table: Table, day: date, path: Path) -> Iterator[Run]:
    _need(table, ("run_id", "n_subruns", "run_type"), path)
    seen = dict[int, int]()
    for row, line in zip(table.rows, table.lines, strict=True):
        number, subruns, kind = row["run_id"], row["n_subruns"], row["run_type"]
        if (
            not isinstance(number, int)
            or not isinstance(subruns, int)
            or subruns < 0
            or not isinstance(kind, str)
        ):
            wanted = "a run needs a number, a number of subruns and a type"
            raise DefinitionError(f"{wanted}; correct the row", file=path, line=line)
        if number in seen:
            message = f"run {number} stands twice, also in line {seen[number]}; remove one"
            raise DefinitionError(message, file=path, line=line)
        seen[number] = line
        yield Run(day, number, kind, subruns)


def _need(table: Table, names: Sequence[str], path: Path) -> None:
    known = [column.name for column in table.columns]
    for name in names:
        if name not in known:
            raise DefinitionError(f"it has no column {name!r}: there are {', '.join(known)}", file=path)


def _join(
    about: dict[int, dict[str, Value | None]], path: Path, wanted: set[int], problems: dict[int, list[str]]
) -> None:
    """Add the columns of a table to runs; a run that has no row, or several unlike ones, is a problem and has none of it."""
    if not path.exists():
        for number in wanted:
            problems.setdefault(number, []).append(f"there is no {path}")
        return
    table = read_ecsv(path)
    _need(table, ("run_id",), path)
    rows = dict[int, list[tuple[int, Fields]]]()
    for row, line in zip(table.rows, table.lines, strict=True):
        if isinstance(number := row["run_id"], int):
            rows.setdefault(number, []).append((line, row))
    for number in sorted(wanted):
        found = rows.get(number, [])
        if len(found) != 1:
            lines = " and ".join(str(line) for line, _ in found)
            why = (
                f"is twice in {path.name}, in lines {lines}: remove one"
                if found
                else f"is not in {path.name}"
            )
            problems.setdefault(number, []).append(why)
        if found and all(row == found[0][1] for _, row in found):
            about.setdefault(number, {}).update(_named(found[0][1]))


def _named(row: Fields) -> dict[str, Value | None]:
    """Give the columns of a row by the names that rules have for them: `source_dec` is `dec`."""
    return {
        "source" if name == "source_name" else name.removeprefix("source_"): value
        for name, value in row.items()
    }
