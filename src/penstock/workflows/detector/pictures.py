"""Pictures of a detector: panels in colour, where the bad pixels are, how means and rms are distributed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.detector.bits import name_of
from penstock.workflows.detector.status import Judged
from penstock.workflows.reports.figure import entitle, write_figure
from penstock.workflows.reports.palette import COLOURS, GREYS, NO_DATA
from penstock.workflows.reports.picture import LEAST_WIDTH, Labels, write_picture
from penstock.workflows.reports.ticks import Tick, ticks_between

MOST_MARKS = 20_000  # of one kind in a map
WHITE = COLOURS + GREYS - 1
SHOWN = (1.0, 99.0)  # percentiles of the good pixels that the colours reach over
BINS = 200
STRIP = 12  # times as wide as high: drawn higher than it is
MOST_HEIGHT = 800  # of a picture whose pixels are enlarged
COLOURED = (
    "#d62728",
    "#1f77b4",
    "#111111",
    "#ff7f0e",
    "#2ca02c",
    "#9467bd",
    "#17becf",
    "#e377c2",
    "#8c564b",
    "#7f7f7f",
)
SHAPED = "xv^so+*D<>"  # with each of these colours: no two kinds are alike without colours


def panels_of(array: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Give each panel (rows × columns) with a name for it; an array of two axes is one panel, of one axis a row."""
    if array.ndim <= 2:
        yield "", array.reshape(-1, array.shape[-1])
        return
    for place in np.ndindex(array.shape[:-2]):
        yield "-".join(map(str, place)), array[place]


def draw_panel(
    values: NDArray[Any], path: Path, title: str, *, good: NDArray[Any] | None, span: tuple[float, float]
) -> None:
    """Draw a panel, row 0 above, a square a pixel; bad ones are white, unless all are, and what is no number is grey."""
    low, high = span
    scaled = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1) * (COLOURS - 1)
    entries = np.where(np.isfinite(scaled), np.rint(np.nan_to_num(scaled)), NO_DATA).astype(np.uint8)
    if good is not None and np.any(good):
        entries[good == 0] = WHITE
    rows, columns = values.shape
    side = max(1, min(math.ceil(LEAST_WIDTH / columns), math.ceil(MOST_HEIGHT / rows)))
    entries = entries.repeat(side, axis=0).repeat(side, axis=1)
    left = [Tick(1 - tick.place, tick.text) for tick in _places(rows)]
    labels = Labels(title, "ADU", left, "row", _places(columns), "column")
    write_picture(entries, labels, path, span=span)


def _places(number: int) -> list[Tick]:
    """Give ticks at places, which are whole."""
    return [tick for tick in ticks_between(0, number) if tick.text.isdigit()]


def span_of(values: NDArray[Any], good: NDArray[Any] | None) -> tuple[float, float]:
    """Give what the colours reach over: nearly all good pixels, so that panels compare."""
    some = values[good != 0] if good is not None and np.any(good) else values.reshape(-1)
    finite = some[np.isfinite(some)]
    low, high = (float(each) for each in np.percentile(finite, SHOWN)) if len(finite) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def kinds_of(status: NDArray[Any]) -> list[int]:
    """Give the statuses that bad pixels have, the most frequent first: the order of marks in all panels."""
    found, counts = np.unique(status[status != 0], return_counts=True)
    return [int(found[i]) for i in np.argsort(-counts, kind="stable")]


def draw_status(status: NDArray[Any], path: Path, title: str, *, kinds: Sequence[int]) -> None:
    """Draw where bad pixels are: a mark a pixel, large enough to be seen, of a form and a colour for each of `kinds`."""
    rows, columns = status.shape

    def paint(figure: Any, axes: Any) -> None:
        for (label, some), colour, marker in zip(_groups(kinds), COLOURED, SHAPED, strict=False):
            y, x = np.nonzero(np.isin(status, some))
            every = max(1, math.ceil(len(y) / MOST_MARKS))
            if len(y):
                look = {"c": colour, "marker": marker, "label": f"{label}: {len(y)}"}
                axes.scatter(x[::every], y[::every], s=26, lw=0.9, clip_on=False, **look)
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xlabel="column", ylabel="row")
        axes.set_aspect("equal" if columns < STRIP * rows else "auto")
        entitle(axes, title)
        if np.any(status):
            figure.legend(loc="outside right upper", fontsize=8, frameon=False)
        else:
            axes.text(0.5, 0.5, "no bad pixel", transform=axes.transAxes, ha="center", va="center")

    write_figure((9.6, max(2.6, min(9.0, 0.8 + 5.6 * rows / columns))), path, paint)


def _groups(kinds: Sequence[int]) -> list[tuple[str, list[int]]]:
    """Give each kind its name; all that are rarer than there are marks for are one."""
    room = len(SHAPED) - 1
    groups = [(f"{each} {name_of(each)}", [each]) for each in kinds[:room]]
    return groups + ([("others", [*kinds[room:]])] if len(kinds) > room else [])


def draw_histogram(judged: Judged, name: str, path: Path) -> None:
    """Draw how a quantity (`ave` or `rms`) is distributed over the pixels, with its limits."""
    values = judged.arrays()[name].reshape(-1)
    limits = judged.limits and (judged.limits.mean if name == "ave" else judged.limits.rms)

    def paint(figure: Any, axes: Any) -> None:
        edges = np.linspace(*_ends(values, limits), BINS + 1)
        inside = np.clip(values[np.isfinite(values)], edges[0], edges[-1])
        bad = judged.status is not None and (judged.status.reshape(-1) != 0)[np.isfinite(values)]
        parts = [inside] if bad is False else [inside[~bad], inside[bad]]
        axes.hist(parts, edges, stacked=True, histtype="stepfilled", color=["#4c78a8", "#d62728"][: len(parts)],
                  label=["good", "bad"][: len(parts)] if len(parts) > 1 else "all")  # fmt: skip
        for end in limits or ():
            if edges[0] <= end <= edges[-1]:
                axes.axvline(end, color="black", lw=1, ls="--")
        axes.set(yscale="log", ylim=(0.7, None), xlabel=f"{_named(name)}, ADU", ylabel="pixels")
        entitle(axes, f"{_named(name).capitalize()} of {values.size} pixels; ends hold what is beyond")
        axes.legend(fontsize=9, loc="upper right")

    write_figure((8.4, 3.2), path, paint)


def _named(name: str) -> str:
    return "mean" if name == "ave" else name


def _ends(values: NDArray[Any], limits: Sequence[float] | None) -> tuple[float, float]:
    """Give the ends of a histogram: nearly all pixels, and limits that are near them."""
    finite = values[np.isfinite(values)]
    low, high = (float(each) for each in np.percentile(finite, (1, 99))) if len(finite) else (0.0, 1.0)
    room = (high - low) or abs(high) / 10 or 1.0
    low, high = low - 2 * room, high + 2 * room
    near = [end for end in limits or () if low - 4 * room <= end <= high + 4 * room]
    return min([low, *(end - room / 2 for end in near)]), max([high, *(end + room / 2 for end in near)])
