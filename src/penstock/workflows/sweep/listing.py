"""Lists for people and programs: the points of a sweep, and the sweeps of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import DefinitionError, NothingYet
from penstock.workflows.sweep.points import FILE as POINTS
from penstock.workflows.sweep.points import NAME, PLANNED
from penstock.workflows.sweep.prompt import in_columns
from penstock.workflows.sweep.results import Results
from penstock.workflows.sweep.submitting import read_submissions
from penstock.workflows.sweep.sweep import FILE
from penstock.workflows.sweep.value import Plain

ABSENT = "-"  # what is missing


class Listed(NamedTuple):
    """A sweep in a list: its folder, how many points it has, how many are done and failed, when it was submitted."""

    sweep: str
    points: int
    done: int
    failed: int
    submitted: int
    last: str | None


def point_lines(results: Results) -> list[str]:
    """Return the lines of a table of points: the state, what varies, what came of it, and the name."""
    names = ["state", *results.varied, *results.numbers, NAME]
    head = [results.column(name).title for name in names]
    return in_columns([head, *([show_cell(row.get(name)) for name in names] for row in results.rows)])


def show_cell(text: str | None) -> str:
    """Write a cell for a terminal, to which nothing goes that a program wrote to control it."""
    if text is None:
        return ABSENT
    return text if text.isprintable() else repr(text)[1:-1]


def results_to_json(results: Results) -> dict[str, Any]:
    """Return a table as plain data; what is no finite number is text."""
    columns = [column._asdict() for column in results.columns]
    values = {column.name: [_plain(v) for v in results.values(column.name)] for column in results.columns}
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return {"columns": columns, "points": rows}


def _plain(value: Plain | None) -> Plain | None:
    odd = isinstance(value, float) and (value != value or value in (float("inf"), float("-inf")))
    return str(value) if odd else value


def find_sweeps(folder: Path) -> list[Path]:
    """Return the folders of the sweeps right in a folder, or the folder itself if it is one."""
    return [folder] if (folder / FILE).exists() else sorted(path.parent for path in folder.glob(f"*/{FILE}"))


def list_sweeps(folder: Path) -> list[Listed]:
    """Return the sweeps of a folder, those that were submitted last first."""
    found = [list_sweep(path) for path in find_sweeps(folder)]
    return sorted(found, key=lambda each: (each.last or "", each.sweep), reverse=True)


def list_sweep(folder: Path) -> Listed:
    """Count the points of a sweep that it plans today, by what the record says of them."""
    submissions = read_submissions(folder)
    last = submissions[-1].at if submissions else None
    states = _states(folder)
    planned = _planned(folder)
    done, failed = (sum(states.get(name) == state for name in planned) for state in ("done", "failed"))
    return Listed(folder.resolve().name, len(planned), done, failed, len(submissions), last)


def _planned(folder: Path) -> list[str]:
    try:
        lines = (folder / POINTS).read_text("utf-8").splitlines()[1:]
    except FileNotFoundError:
        return []
    cells = (line.split(",", 2) for line in lines)  # names have no commas
    return [row[0] for row in cells if row[1:2] == ["true"]]


def _states(folder: Path) -> Mapping[str, str]:
    from penstock import record

    try:
        with record.open(folder) as opened:
            return {task.unit: task.state for task in opened.tasks("run")}
    except (NothingYet, DefinitionError):
        return {}


def sweep_lines(sweeps: Sequence[Listed]) -> list[str]:
    """Return the lines of a table of sweeps."""
    head = ["sweep", "points", "done", "failed", "submitted", "last"]
    rows = [
        [
            each.sweep,
            *(f"{n:,}" for n in (each.points, each.done, each.failed, each.submitted)),
            each.last or "never",
        ]
        for each in sweeps
    ]
    return in_columns([head, *rows], right=[1, 2, 3, 4])


def filter_points(results: Results, *, where: str | None, states: Sequence[str], dropped: bool) -> Results:
    """Return the points that are asked for. Raises DefinitionError for a wrong condition."""
    kept = results.where(where) if where else results
    rows = [
        row
        for row in kept.rows
        if (not states or row["state"] in states) and (dropped or row[PLANNED] == "true")
    ]
    return replace(kept, rows=rows)
