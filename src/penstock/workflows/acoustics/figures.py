"""Figures at the scale of a dataset, by matplotlib: one of each a campaign."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.longterm import show_width
from penstock.workflows.acoustics.matrix import to_level
from penstock.workflows.acoustics.overview import Series, Soundscape
from penstock.workflows.acoustics.pictures import frequency_unit
from penstock.workflows.acoustics.probability import PERCENTILES, Counts
from penstock.workflows.acoustics.timeline import Span, moment
from penstock.workflows.reports.figure import (
    LEFT_OUT,
    NO_DATA,
    colour_map,
    entitle,
    label_lines,
    make_logarithmic,
    make_timed,
    write_figure,
)

SHOWN = 4000  # points of a curve; more are joined, by their mean power
LABELS = 46  # that stand above one another beside a figure
LEAST_SPAN = 1.0  # dB between the ends of an axis of level
COLUMNS = 600  # of a density; more lines are joined, about evenly on a logarithmic axis


def draw_epd(made: Soundscape, path: Path, colours: str = "viridis") -> None:
    """Draw the spectral probability density: how often each level occurs, percentiles, level of the mean power."""
    groups = groups_of(len(made.frequencies) - 1)  # the last line is half as wide
    name, unit = frequency_unit(float(made.frequencies[-1]))
    edges = (np.append(made.frequencies, made.frequencies[-1] + made.frequencies[1])[groups]
             - made.frequencies[1] / 2) / unit  # fmt: skip
    centres = np.sqrt(edges[:-1] * edges[1:])

    def paint(figure: Any, axes: Any) -> None:
        if made.counts is not None:
            _paint_density(figure, axes, made.counts.joined(groups), (edges, centres), colours)
        mean = 10 ** (made.mean / 10)
        joined = [float(mean[a:b].mean()) for a, b in pairwise(groups)]
        label = "level of the mean power"
        axes.plot(centres, to_level(np.array(joined), 1.0), color="#d62728", lw=1.8, label=label)
        make_logarithmic(axes, (edges[0], edges[-1]))
        axes.set(xlabel=f"frequency, {name}", ylabel=f"spectral level, dB re {made.reference}")
        entitle(axes, f"How often each spectral level occurs: {made.about}")
        axes.legend(loc="lower left", fontsize=9)

    write_figure((10, 5.5), path, paint)


def groups_of(lines: int, most: int = COLUMNS) -> NDArray[np.int64]:
    """Give the first line of each column and the end, lines without that of 0 Hz joined on a logarithmic axis."""
    edges = (
        np.unique(np.round(np.geomspace(1, lines, most + 1)).astype(np.int64))
        if lines > 2
        else np.array([1, 2])
    )
    return np.minimum(edges, lines)


def _paint_density(figure: Any, axes: Any, counts: Counts, places: tuple[Any, Any], colours: str) -> None:
    edges, centres = places
    density = np.ma.masked_equal(counts.density().T, 0)
    shown = density.compressed()
    loud = float(np.percentile(shown, 99.5)) if len(shown) else 1.0  # a steady tone is off the scale
    levels = counts.levels()
    borders = np.append(levels - counts.width / 2, levels[-1] + counts.width / 2)
    shade = axes.pcolormesh(edges, borders, density, cmap=colour_map(colours), vmin=0, vmax=loud)
    figure.colorbar(shade, ax=axes, label="probability density, 1/dB", extend="max", pad=0.09)
    low, high = axes.set_ylim(lowest_of(counts) - 2, levels[-1] + 2)
    for share, level in zip(PERCENTILES, counts.percentiles(), strict=True):
        axes.plot(centres, level, color="black", lw=1.6 if share == 50 else 0.7)
    names = [f"{share} %" for share in PERCENTILES]
    label_lines(axes, names, counts.percentiles()[:, -1], (high - low) / LABELS)


def lowest_of(counts: Counts, rare: float = 1e-6) -> float:
    """Give the level below which one in a million lies: digital silence is far below."""
    share = counts.counts.sum(axis=0).cumsum() / max(1, counts.counts.sum())
    return float(counts.levels()[min(int(np.searchsorted(share, rare)), len(share) - 1)])


def draw_levels(
    series: Series, path: Path, reference: str, *, band: str = "", left_out: Sequence[Span] = ()
) -> None:
    """Draw the broadband level in time; the line breaks where nothing was recorded, what was left out is shaded."""

    def paint(figure: Any, axes: Any) -> None:
        shown = thinned(series)
        begins, levels = broken(shown)
        times = [moment(float(each)) for each in begins]
        axes.plot(times, levels, lw=1, marker=".", ms=2)
        for i, span in enumerate(left_out):
            label = None if i else "recorded, and left out"
            axes.axvspan(moment(span.begin), moment(span.end), color=LEFT_OUT, lw=0, label=label)
        axes.set(ylabel=f"level, dB re {reference}", ylim=span_of(levels))
        make_timed(axes)
        named = f", {band}" if band else ""
        entitle(axes, f"Broadband level{named}; a point is the mean of {show_width(shown.width)}")
        axes.grid(color="0.9")
        if left_out:
            axes.legend(loc="upper right", fontsize=9)

    write_figure((11, 3.6), path, paint)


def span_of(levels: NDArray[Any]) -> tuple[float, float]:
    """Give the ends of an axis that shows all levels, with room around them; a constant level looks constant."""
    heard = levels[np.isfinite(levels)]
    low, high = (float(heard.min()), float(heard.max())) if len(heard) else (0.0, 0.0)
    room = max(0.05 * (high - low), (LEAST_SPAN - (high - low)) / 2)
    return low - room, high + room


def thinned(series: Series, most: int = SHOWN) -> Series:
    """Join neighbouring bins into at most `most`, by the mean of their power."""
    size = -(-len(series) // most)
    if size == 1:
        return series
    width = size * series.width
    place = np.floor(series.begins / width).astype(np.int64)
    numbers, which = np.unique(place, return_inverse=True)
    heard = np.where(series.frames > 0, series.power() * series.frames, 0)
    count = np.bincount(which, series.frames)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = 10 * np.log10(np.bincount(which, heard) / count)
    return Series(numbers * width, count.astype(np.int64), level, width)


def broken(series: Series) -> tuple[NDArray[Any], NDArray[Any]]:
    """Put a value that is no number where bins are missing, so that no line is drawn across."""
    gaps = np.flatnonzero(np.diff(series.begins) > 1.5 * series.width) + 1
    begins = np.insert(series.begins, gaps, series.begins[gaps - 1] + series.width)
    return begins, np.insert(series.levels, gaps, np.nan)


def draw_recurrence(
    made: Soundscape, path: Path, reference: str, colours: str = "viridis", *, band: str = ""
) -> None:
    """Draw the level of each hour of each day; days go down, grey is no data."""

    def paint(figure: Any, axes: Any) -> None:
        days = len(made.days)
        axes.set_facecolor(NO_DATA)
        shown = np.ma.masked_invalid(made.hours)
        low, high = span_of(made.hours)
        ends, place = {"vmin": low, "vmax": high}, {"aspect": "auto", "extent": (0, 24, days, 0)}
        shade = axes.imshow(shown, cmap=colour_map(colours), interpolation="nearest", **ends, **place)
        figure.colorbar(shade, ax=axes, label=f"level, dB re {reference}")
        every = max(1, days // 20)
        axes.set_yticks(np.arange(0, days, every) + 0.5, made.days[::every])
        axes.set_xticks(range(0, 25, 3))
        axes.set(xlabel="hour of the day, UTC")
        entitle(axes, f"Broadband level of each hour of each day{f', {band}' if band else ''}")

    write_figure((9, min(12, 2.5 + 0.22 * len(made.days))), path, paint)
