"""The results of a sweep: a row a point, with its parameters, how it went, and the numbers that were taken out."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import DefinitionError, NothingYet
from penstock.units import Expression, unknown_name
from penstock.workflows.sweep.axis import text_of
from penstock.workflows.sweep.cells import read_rows
from penstock.workflows.sweep.columns import Column, Columns, read_columns
from penstock.workflows.sweep.functions import load_function, plain_of
from penstock.workflows.sweep.job import extract as extract_result
from penstock.workflows.sweep.points import DIGEST, FILE, NAME, PLANNED
from penstock.workflows.sweep.value import Plain

VALUES, RUNS, REST = "values.json", "runs", "rest"
NEW = "new"  # the state of a point of which the record does not know yet
POINT = (Column(NAME, "str"), Column(PLANNED, "bool"))
RUN = (
    Column("state", "str"),
    Column("seconds", "float", "s"),
    Column("memory", "int", "B"),
    Column("why", "str"),
)

Cells = Mapping[str, str | None]
"""What a row of a table has, as it was written; None is missing, which neither NaN nor an empty text is."""


@dataclass(frozen=True, slots=True)
class Results:
    """A table. `columns` are those that it shows, `known` are all that its rows have.

    `variables` names all variables, `varied` those that vary, `numbers` what was taken out; `seed` is the variable of
    repeats.
    """

    columns: tuple[Column, ...]
    variables: tuple[str, ...]
    varied: tuple[str, ...]
    numbers: tuple[str, ...]
    rows: Sequence[Cells]
    known: Mapping[str, Column]
    seed: str = ""

    def column(self, name: str) -> Column:
        """Return a column, also one that is not shown. Raises DefinitionError if there is none."""
        if name not in self.known:
            raise DefinitionError(unknown_name(name, list(self.known), "the table of results"))
        return self.known[name]

    def values(self, name: str) -> list[Plain | None]:
        """Return the values of a column; None is missing."""
        read = self.column(name).read
        return [read(row.get(name)) for row in self.rows]

    def where(self, condition: str) -> Results:
        """Return the rows for which an expression over the columns holds; it does not where one of them is missing.

        >>> results.where("temperature < 1 and state == 'done'")  # doctest: +SKIP
        """
        expression = Expression.parse(condition)
        columns = [self.column(name) for name in expression.names]
        return replace(self, rows=[row for row in self.rows if _holds(expression, columns, row)])

    def planned(self) -> Results:
        """Return the rows of the points that the sweep has today."""
        rows = [row for row in self.rows if row[PLANNED] == "true"]
        return replace(self, rows=rows, varied=_varied(self.varied, rows))

    def stale(self) -> list[Cells]:
        """Return the rows of points that are done, by inputs or an executable that have changed since."""
        return [row for row in self.rows if row.get("state") == "done" and row.get("why")]

    def first(self, limit: int) -> Results:
        """Return the first so many rows; all of them if that is 0."""
        return replace(self, rows=self.rows[:limit] if limit else self.rows)

    def to_csv(self, file: Path) -> None:
        """Write it as CSV, and what its columns are beside it; see `tablefile`."""
        from penstock.workflows.sweep.tablefile import write_csv

        write_csv(file, self)

    def to_pandas(self) -> Any:
        """Return it as a frame of pandas; see `frames`."""
        from penstock.workflows.sweep.frames import to_pandas

        return to_pandas(self)

    def to_xarray(self, dims: Sequence[str] | None = None) -> Any:
        """Return it as a dataset of xarray, a dimension for each variable that varies; see `frames`."""
        from penstock.workflows.sweep.frames import to_xarray

        return to_xarray(self, dims)

    def to_parquet(self, file: Path) -> None:
        """Write it as Parquet; see `frames`."""
        from penstock.workflows.sweep.frames import write_parquet

        write_parquet(file, self)


def _holds(expression: Expression, columns: Sequence[Column], row: Cells) -> bool:
    values = {each.name: each.read(row.get(each.name)) for each in columns}
    return None not in values.values() and bool(expression.evaluate(values))


def read_results(folder: Path) -> Results:
    """Read all points of a sweep, with what the record says of them and what their runs left.

    Raises DefinitionError if it has no points yet.
    """
    told = _recorded(folder)
    made = [folder / RUNS / name for name, cells in told.items() if cells["state"] == "done"]
    extract = _extractor(folder)
    extracted = {path.name: extract(path) for path in made if path.is_dir()}
    rules = read_columns(folder).rules
    for name, cells in extracted.items():
        if unread := [each for each in rules if each not in cells]:
            why = f"{', '.join(unread)} is found by another rule now, in a file that is not here"
            told[name] = {**told[name], "why": told[name]["why"] or why}
    return _tabulate(folder, extracted, told, columns=(*POINT, *RUN))


def gather_results(root: Path, folders: Sequence[Path]) -> Results:
    """Read the points that have left something in these folders, where no record is."""
    extracted = dict(zip((folder.name for folder in folders), map(_extractor(root), folders), strict=True))
    results = _tabulate(root, extracted, {}, columns=POINT)
    return replace(results, rows=[row for row in results.rows if row[NAME] in extracted])


def _extractor(root: Path) -> Callable[[Path], Cells]:
    """Return what gives the results of a point by its folder: those taken out where it ran, and those of functions."""
    known = read_columns(root)
    functions = {name: load_function(each, root) for name, each in known.functions.items()}

    def extract(folder: Path) -> Cells:
        places = (folder, root / REST / folder.name)
        taken_out = dict(_taken_out(known.rules, _values_of(folder), places))
        return {**taken_out, **{name: _call(name, each, folder) for name, each in functions.items()}}

    return extract


def _values_of(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        return json.loads((folder / VALUES).read_text("utf-8"))
    except FileNotFoundError:
        return {}


def _taken_out(
    rules: Mapping[str, Mapping[str, Any]], values: Mapping[str, Mapping[str, Any]], places: Sequence[Path]
) -> Iterator[tuple[str, str | None]]:
    """Yield the results of a point; one whose rule is another now is taken out of its file anew, if that is here.

    Else it is left out.
    """
    for name, rule in rules.items():
        found = values.get(name)
        if found and found["rule"] == rule:
            yield name, found["value"]
        elif here := next((place for place in places if (place / rule["file"]).exists()), None):
            yield name, extract_result({**rule, "file": str(here / rule["file"])})


def _call(name: str, function: Callable[..., Any], folder: Path) -> str | None:
    """Call a function for a point. Raises DefinitionError for what it raises."""
    try:
        value = plain_of(function(folder))
        return None if value is None else text_of(value)
    except Exception as error:
        raise DefinitionError(
            f"the function of {name} raised {type(error).__name__} at {folder.name}: {error}"
        ) from error


def _recorded(folder: Path) -> dict[str, Cells]:
    """Return what the record says of each point; nothing if nobody has run the sweep yet."""
    from penstock import record

    try:
        with record.open(folder) as opened:
            told: dict[str, Cells] = {
                task.unit: {"state": task.state, "why": task.why or task.stale}
                for task in opened.tasks("run")
            }
            for row in opened.results("run"):
                measured = {"seconds": _text(row.wall_s), "memory": _text(row.peak_bytes)}
                told[row.unit] = {**told[row.unit], **measured}
    except NothingYet:
        return {}
    return told


def _text(value: float | None) -> str | None:
    return None if value is None else repr(value)


def _tabulate(
    root: Path,
    extracted: Mapping[str, Mapping[str, str | None]],
    told: Mapping[str, Cells],
    *,
    columns: tuple[Column, ...],
) -> Results:
    known = read_columns(root)
    try:
        with (root / FILE).open(encoding="utf-8", newline="") as file:
            head, *lines = read_rows(file)
    except FileNotFoundError:
        raise DefinitionError(f"{root} has no points yet; add them with `penstock sweep extend`") from None
    points = [dict(zip(map(str, head), cells, strict=True)) for cells in lines]
    names = [name for name in map(str, head) if name not in (NAME, PLANNED, DIGEST)]
    varied = _varied(names, points)
    found = dict.fromkeys(name for values in extracted.values() for name in values)
    numbers = tuple(dict.fromkeys((*known.results, *found)))
    new = {"state": NEW}
    rows = [
        {**_without_digest(row), **told.get(str(row[NAME]), new), **extracted.get(str(row[NAME]), {})}
        for row in points
    ]
    variables = _columns(known, names)
    results = {name: known.results.get(name, Column(name)) for name in numbers}
    shown = (*columns, *(variables[name] for name in varied), *results.values())
    everything = {each.name: each for each in (*columns, *variables.values(), *results.values())}
    return Results(shown, tuple(names), varied, numbers, rows, everything, known.seed)


def _varied(names: Iterable[str], rows: Sequence[Cells]) -> tuple[str, ...]:
    return tuple(name for name in names if len({row.get(name) for row in rows}) > 1)


def _without_digest(row: dict[str, str | None]) -> dict[str, str | None]:
    del row[DIGEST]
    return row


def _columns(known: Columns, names: Sequence[str]) -> dict[str, Column]:
    return {name: known.variables.get(name, Column(name, "str")) for name in names}


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


def average(results: Results, name: str, by: Sequence[str]) -> list[Average]:
    """Average a number over all rows that agree on the variables `by`, in the order of their first.

    What is missing is left out; NaN is not.
    """
    groups: dict[tuple[str, ...], list[float]] = {}
    for row, value in zip(results.rows, results.values(name), strict=True):
        if isinstance(value, (int, float)):
            groups.setdefault(tuple(row.get(each) or "" for each in by), []).append(float(value))
    return [Average(at, statistics.fmean(each), _deviation(each), len(each)) for at, each in groups.items()]


def _deviation(values: Sequence[float]) -> float:
    known = len(values) > 1 and all(map(math.isfinite, values))
    return statistics.stdev(values) if known else math.nan


def misread(results: Results) -> Iterator[str]:
    """Yield what stands where a number should be and is none, a sentence a column."""
    for name in results.numbers:
        column = results.column(name)
        wrong = [row for row in results.rows if row.get(name) is not None and column.read(row[name]) is None]
        if wrong:
            first: Any = wrong[0]
            more = f", and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
            yield f"{name} of {first[NAME]} is {first[name]!r}, which is no {column.type}{more}"
