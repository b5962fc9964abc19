"""Two sweeps, or two runs of one, compared point by point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from penstock.errors import DefinitionError
from penstock.workflows.sweep.columns import Column
from penstock.workflows.sweep.points import NAME
from penstock.workflows.sweep.prompt import in_columns
from penstock.workflows.sweep.results import Cells, Results
from penstock.workflows.sweep.value import Plain, identity_of, number

Key = tuple[str, ...]


class Difference(NamedTuple):
    """How a result compares: at how many points it is the same, differs, or is there on one side only.

    `largest` is the largest difference of numbers, second minus first, and `at` the point that has it.
    """

    result: str
    same: int
    differ: int
    only_first: int
    only_second: int
    largest: float | None
    at: str | None


class Comparison(NamedTuple):
    """Two sweeps: how many points are in both and in one only, and how each result compares."""

    on: tuple[str, ...]
    both: int
    only_first: int
    only_second: int
    differences: Sequence[Difference]


def compare(first: Results, second: Results, *, on: Sequence[str] = (), tolerance: float = 0) -> Comparison:
    """Compare the points that have the same values of the variables `on`, which are all that both have.

    Numbers are the same within a relative `tolerance`. Raises DefinitionError if that does not tell points apart.
    """
    names = tuple(on) or tuple(name for name in first.variables if name in second.variables)
    one, two = (_by_key(results, names) for results in (first, second))
    both = [key for key in one if key in two]
    shared = [name for name in first.numbers if name in second.numbers]
    differences = [
        _difference(first.column(name), [(one[key], two[key]) for key in both], tolerance) for name in shared
    ]
    return Comparison(names, len(both), len(one) - len(both), len(two) - len(both), differences)


def _by_key(results: Results, names: Sequence[str]) -> Mapping[Key, Cells]:
    columns = [results.column(name) for name in names]
    found = dict[Key, Cells]()
    for row in results.rows:
        key = tuple(_identity(column, row.get(column.name)) for column in columns)
        if key in found:
            raise DefinitionError(
                f"{found[key][NAME]} and {row[NAME]} have the same {', '.join(names)}; name more with --on"
            )
        found[key] = row
    return found


def _identity(column: Column, text: str | None) -> str:
    return identity_of(number(text)) if column.is_number and text else text or ""


def _difference(column: Column, pairs: Sequence[tuple[Cells, Cells]], tolerance: float) -> Difference:
    same = differ = only_first = only_second = 0
    largest, at = None, None
    for one, two in pairs:
        a, b = column.read(one.get(column.name)), column.read(two.get(column.name))
        if a is None or b is None:
            only_first, only_second = only_first + (a is not None), only_second + (b is not None)
        elif _alike(a, b, tolerance):
            same += 1
        else:
            differ += 1
            apart = float(b) - float(a) if column.is_number else None
            if apart is not None and (largest is None or abs(apart) > abs(largest)):
                largest, at = apart, one[NAME]
            at = at or one[NAME]
    return Difference(column.name, same, differ, only_first, only_second, largest, at)


def _alike(one: Plain, two: Plain, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=tolerance, abs_tol=0) or (math.isnan(one) and math.isnan(two))
    return one == two


def comparison_lines(compared: Comparison, first: str, second: str) -> list[str]:
    """Return what a person reads of a comparison."""
    lines = [f"{compared.both:,} points in both, by {', '.join(compared.on)}"]
    for count, where in ((compared.only_first, first), (compared.only_second, second)):
        if count:
            lines.append(f"{count:,} in {where} only")
    head = ["result", "same", "differ", f"only {first}", f"only {second}", "largest difference", "at"]
    rows = [
        [
            each.result,
            *(f"{n:,}" for n in (each.same, each.differ, each.only_first, each.only_second)),
            "" if each.largest is None else f"{each.largest:.6g}",
            each.at or "",
        ]
        for each in compared.differences
    ]
    return [*lines, *(in_columns([head, *rows], right=[1, 2, 3, 4, 5]) if rows else ["no result is in both"])]
