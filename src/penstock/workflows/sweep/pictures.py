"""Pictures of a sweep's averages: lines with error bars, and heat maps over two variables."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from penstock.workflows.sweep.columns import Column
from penstock.workflows.sweep.results import Average, Results, average
from penstock.workflows.sweep.value import Plain

SIZE = (8.0, 4.5)  # inches
MOST_LINES = 8  # that an eye tells apart
MOST_WORDS, MOST_NUMBERS = 30, 8  # named along an axis
NO_DATA = "0.85"

Paint = Callable[[Any, Any], None]


class Picture(NamedTuple):
    """A picture: what it shows, and how it is drawn."""

    name: str
    caption: str
    paint: Paint


class Surface(NamedTuple):
    """Averages of a number over variables: `places` has the values of these for each average."""

    number: Column
    axes: tuple[Column, ...]
    averages: Sequence[Average]
    places: Sequence[tuple[Plain, ...]]


def surface_of(results: Results, name: str, by: Sequence[str]) -> Surface:
    """Average a number over what varies, but for what is in `by`."""
    axes = tuple(results.column(each) for each in by)
    averages = average(results, name, by)
    places = [
        tuple(
            text if (value := axis.read(text)) is None else value
            for axis, text in zip(axes, each.at, strict=True)
        )
        for each in averages
    ]
    return Surface(results.column(name), axes, averages, places)


def pictures_of(surface: Surface) -> Iterator[Picture]:
    """Yield the pictures of averages: over one variable a line, over two lines and a map, over more none."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", surface.number.name)
    if not surface.averages or len(surface.axes) not in (1, 2):
        return
    along = along_of(surface)
    others = [axis for axis in range(len(surface.axes)) if axis != along]
    if len(distinct(surface, others[0] if others else None)) <= MOST_LINES:
        yield Picture(name, "means, with their standard errors", _lines(surface, along, *others))
    if others:
        yield Picture(f"{name}-map", "means; grey where there is none", _map(surface))


def along_of(surface: Surface) -> int:
    """Return which axis is horizontal: the first with numbers."""
    return next((n for n, axis in enumerate(surface.axes) if axis.is_number), 0)


def distinct(surface: Surface, axis: int | None) -> list[Plain]:
    """Return the values along an axis, numbers in their order; of no axis one."""
    if axis is None:
        return [""]
    known = list(dict.fromkeys(place[axis] for place in surface.places))
    return sorted(known) if surface.axes[axis].is_number else known


def _lines(surface: Surface, along: int, other: int | None = None) -> Paint:
    across = surface.axes[along]

    def paint(_figure: Any, axes: Any) -> None:
        words = distinct(surface, along)
        for value in distinct(surface, other):
            rows = [
                (place[along], each)
                for place, each in zip(surface.places, surface.averages, strict=True)
                if other is None or place[other] == value
            ]
            rows.sort(key=lambda row: words.index(row[0]))
            where = [at if across.is_number else words.index(at) for at, _ in rows]
            axes.errorbar(
                where,
                [each.mean for _, each in rows],
                yerr=[each.error for _, each in rows],
                marker="o",
                markersize=4,
                capsize=3,
                linewidth=1.2,
                linestyle="-" if across.is_number else "none",
                label=show(value),
            )
        axes.set(xlabel=plain(across.title), ylabel=plain(surface.number.title))
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        _scale(axes.xaxis, across, words)
        if other is not None:
            axes.legend(title=plain(surface.axes[other].title), fontsize=8, title_fontsize=8)

    return paint


def _map(surface: Surface) -> Paint:
    means = dict(zip(surface.places, (each.mean for each in surface.averages), strict=True))
    columns, rows = distinct(surface, 0), distinct(surface, 1)
    grid = [[means.get((column, row), math.nan) for column in columns] for row in rows]

    def paint(figure: Any, axes: Any) -> None:
        edges = [edges_of(axis, words) for axis, words in zip(surface.axes, (columns, rows), strict=True)]
        mesh = axes.pcolormesh(*edges, grid)
        axes.set_facecolor(NO_DATA)
        axes.set(xlabel=plain(surface.axes[0].title), ylabel=plain(surface.axes[1].title))
        _scale(axes.xaxis, surface.axes[0], columns)
        _scale(axes.yaxis, surface.axes[1], rows)
        figure.colorbar(mesh, label=plain(surface.number.title))

    return paint


def edges_of(axis: Column, values: Sequence[Plain]) -> list[float]:
    """Return where the cells of values begin and end: between them, in the middle on their scale.

    >>> edges_of(Column("T"), [1, 2, 4])
    [0.5, 1.5, 3.0, 5.0]
    """
    if not axis.is_number or len(values) < 2:
        middle = (
            [float(value) for value in values] if axis.is_number else list(map(float, range(len(values))))
        )
        return [*(place - 0.5 for place in middle), middle[-1] + 0.5]
    known = [float(value) for value in values]
    logarithmic = is_logarithmic(known)
    at = [math.log(value) for value in known] if logarithmic else known
    inner = [(one + two) / 2 for one, two in pairwise(at)]
    edges = [at[0] - (inner[0] - at[0]), *inner, at[-1] + (at[-1] - inner[-1])]
    return [math.exp(edge) for edge in edges] if logarithmic else edges


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether ordered numbers have about equal ratios rather than equal distances.

    >>> is_logarithmic([1, 10, 100]), is_logarithmic([1, 2, 3]), is_logarithmic([0, 1, 10])
    (True, False, False)
    """
    if len(values) < 3 or values[0] <= 0:
        return False
    ratios = [two / one for one, two in pairwise(values)]
    steps = [two - one for one, two in pairwise(values)]
    return max(ratios) / min(ratios) < max(steps) / min(steps) and values[-1] / values[0] >= 8


def _scale(axis: Any, column: Column, values: Sequence[Plain]) -> None:
    """Make an axis logarithmic if its values are, and name values that are words."""
    if not column.is_number:
        every = -(-len(values) // MOST_WORDS)
        axis.set_ticks(range(0, len(values), every), list(map(show, values))[::every])
        return
    places = [float(value) for value in values]
    if is_logarithmic(places):
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_minor_formatter("")
    if len(places) <= MOST_NUMBERS:
        axis.set_ticks(places, list(map(show, values)))
    elif column.type == "int" and not is_logarithmic(places):
        axis.get_major_locator().set_params(integer=True)


def show(value: Plain) -> str:
    """Write a value at an axis."""
    return f"{value:g}" if isinstance(value, float) else plain(str(value))


def plain(text: str) -> str:
    """Return a text that matplotlib writes as it is: a dollar would begin a formula."""
    return text.replace("$", r"\$")


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> Mapping[str, Path]:
    """Write pictures as PNG; return their files by name."""
    from penstock.workflows.reports.figure import write_figure

    files = {picture.name: folder / f"{picture.name}.png" for picture in pictures}
    for picture in pictures:
        write_figure(SIZE, files[picture.name], picture.paint)
    return files
