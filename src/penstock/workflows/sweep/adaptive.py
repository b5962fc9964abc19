"""A sweep that chooses its next points from results: they are appended to its table, and none is ever changed.

`more = "search:more"` in `[sweep]` names a function of a file of the sweep's folder, or of an installed module. It is
given the points that there are, a mapping each: the values of all variables, `point`, `state`, and what was taken out
(None where it is missing). It returns the points to run next, a mapping of variables to values each; none ends it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from penstock.errors import DefinitionError
from penstock.workflows.sweep.axis import text_of
from penstock.workflows.sweep.cells import line
from penstock.workflows.sweep.columns import FILE as COLUMNS
from penstock.workflows.sweep.design import Design, Row, read_rows
from penstock.workflows.sweep.functions import load_function, plain_of
from penstock.workflows.sweep.points import FILE as POINTS
from penstock.workflows.sweep.results import read_results
from penstock.workflows.sweep.sweep import FILE, Sweep, read_sweep
from penstock.workflows.sweep.value import Plain

Known = Sequence[Mapping[str, Plain | None]]
More = Callable[[Known], Iterable[Mapping[str, Any]]]


def grow(folder: Path) -> int:
    """Ask for more points and append those that are new to the table of a sweep; return how many. Raises DefinitionError."""
    sweep = read_sweep(folder / FILE)
    if sweep.more is None or sweep.table is None:
        raise sweep.error(
            "sweep", "more", 'only a sweep with mode = "table" and more = "FILE:FUNCTION" asks for points'
        )
    wanted = ask_for_more(sweep, cast("More", load_function(sweep.more, folder)), known_points(folder))
    known = read_rows(sweep) if sweep.table.exists() else Design((), [])
    if not wanted:
        return 0
    names = known.names or tuple(wanted[0])
    there = {_identity(row) for row in known.rows}
    new = dict[tuple[str, ...], Row]()
    for row in _rows(sweep, names, wanted):
        if _identity(row) not in there:
            new.setdefault(_identity(row), row)
    append_rows(sweep.table, names, list(new.values()))
    return len(new)


def known_points(folder: Path) -> Known:
    """Return the points that a sweep plans, as its function sees them."""
    if not (folder / POINTS).exists() or not (folder / COLUMNS).exists():
        return []
    results = read_results(folder).planned()
    values = {name: results.values(name) for name in results.known}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def ask_for_more(sweep: Sweep, more: More, known: Known) -> list[Mapping[str, Any]]:
    """Call a sweep's function. Raises DefinitionError for what it raises."""
    try:
        return list(more(known) or ())
    except Exception as error:
        raise DefinitionError(
            f"{sweep.more} raised {type(error).__name__}: {error}", file=sweep.file
        ) from error


def _rows(sweep: Sweep, names: Sequence[str], wanted: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Read the points that a function gave, each of which has the columns of the table."""
    for number, point in enumerate(wanted, 1):
        if set(point) != set(names):
            raise DefinitionError(
                f"point {number} of {sweep.more} has {', '.join(point)}, and the table {', '.join(names)}",
                file=sweep.file,
            )
        try:
            yield tuple([sweep.variable(name).read(text_of(plain_of(point[name]))) for name in names])
        except (KeyError, ValueError) as error:
            raise DefinitionError(f"point {number} of {sweep.more}: {error}", file=sweep.file) from None


def _identity(row: Row) -> tuple[str, ...]:
    return tuple(value.identity for value in row)


def append_rows(table: Path, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Append rows to a table, of which a new one begins with the names."""
    texts = [[value.text for value in row] for row in rows]
    with table.open("a", encoding="utf-8", newline="") as file:
        head = [] if file.tell() else [list(names)]
        file.write("".join(map(line, (*head, *texts))))
        file.flush()
        os.fsync(file.fileno())
