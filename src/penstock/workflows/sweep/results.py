"""The results of a sweep: a row a point, and the averages over its repeats."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from penstock.workflows.sweep.points import FILE, HEAD, NAME

VALUES = "values.json"

Cells = Mapping[str, str]
"""What a row of a table has, as text; an empty one is missing."""


class Results(NamedTuple):
    """A table: the variables that vary, the numbers that were extracted, and a row a point."""

    varied: Sequence[str]
    numbers: Sequence[str]
    rows: Sequence[Cells]


class Average(NamedTuple):
    """The average of a number over repeats, its standard deviation, and how many there were (`n`)."""

    at: tuple[str, ...]
    mean: float
    deviation: float
    n: int

    @property
    def error(self) -> float:
        """The standard error of the mean; NaN of a single one."""
        return self.deviation / math.sqrt(self.n)


def read_results(root: Path, folders: Iterable[Path]) -> Results:
    """Read what was extracted at each point, in the order of the points."""
    extracted = {folder.name: _extracted(folder) for folder in folders}
    with (root / FILE).open(encoding="utf-8", newline="") as file:
        points = [row for row in csv.DictReader(file) if row[NAME] in extracted]
    names = [name for name in (points[0] if points else ()) if name not in HEAD]
    varied = [name for name in names if len({row[name] for row in points}) > 1]
    numbers = list(dict.fromkeys(name for row in points for name in extracted[row[NAME]]))
    rows = [
        {NAME: row[NAME]}
        | {name: row[name] for name in varied}
        | {n: extracted[row[NAME]].get(n) or "" for n in numbers}
        for row in points
    ]
    return Results(varied, numbers, rows)


def _extracted(folder: Path) -> dict[str, str | None]:
    return json.loads((folder / VALUES).read_text("utf-8"))


def write_results(file: Path, results: Results) -> None:
    """Write the table as CSV: numbers as they stood in their files, what is missing empty."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, [NAME, *results.varied, *results.numbers], lineterminator="\n")
        writer.writeheader()
        writer.writerows(results.rows)


def average(results: Results, name: str, by: Sequence[str]) -> list[Average]:
    """Average a number over all rows that agree on the variables `by`, in the order of their first; a missing one is left out."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in results.rows:
        if (value := _float(row[name])) is not None:
            groups.setdefault(tuple(row[each] for each in by), []).append(value)
    return [
        Average(at, statistics.fmean(each), statistics.stdev(each) if len(each) > 1 else math.nan, len(each))
        for at, each in groups.items()
    ]


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
