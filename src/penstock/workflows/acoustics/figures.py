"""Figures at the scale of a dataset, by matplotlib: one of each a campaign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.overview import Series, Soundscape
from penstock.workflows.acoustics.probability import PERCENTILES, Counts
from penstock.workflows.acoustics.timeline import moment

NO_DATA = "0.85"
NAMED = (1, 10, 50, 90, 99)  # percentiles that are labelled
SHOWN = 4000  # points of a curve; more are joined, by their mean power


def _figure(size: tuple[float, float], path: Path, paint: Callable[[Any, Any], None]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained", dpi=110)
    axes = figure.add_subplot()
    paint(figure, axes)
    figure.savefig(path, format="png")


def draw_epd(made: Soundscape, path: Path, colours: str = "viridis") -> None:
    """Draw the empirical probability density: how often each level occurs, percentiles, RMS level."""

    def paint(figure: Any, axes: Any) -> None:
        lines = slice(1, None)  # 0 Hz has no place on a logarithmic axis
        frequency = made.frequencies[lines]
        if made.counts is not None:
            density = np.ma.masked_equal(made.counts.density()[lines].T, 0)
            shown = density.compressed()
            loud = float(np.percentile(shown, 99.5)) if len(shown) else 1.0  # a steady tone is off the scale
            shade = axes.pcolormesh(
                frequency,
                made.counts.levels(),
                density,
                cmap=colour_map(colours),
                shading="nearest",
                vmax=loud,
            )
            figure.colorbar(shade, ax=axes, label="probability density, 1/dB")
            axes.set_ylim(*_usual_levels(made.counts))
            for share, level in zip(PERCENTILES, made.counts.percentiles()[:, lines], strict=True):
                axes.plot(frequency, level, color="white", lw=1.6 if share == 50 else 0.7)
                if share in NAMED:
                    axes.annotate(
                        f"{share} %", (frequency[3], level[3]), fontsize=8, color="white", va="bottom"
                    )
        axes.plot(frequency, made.mean[lines], color="#d62728", lw=1.8, label="RMS level")
        axes.set(xscale="log", xlabel="frequency, Hz", ylabel=f"level, dB re {made.reference}")
        axes.set_xlim(frequency[0], frequency[-1] * 1.25)
        axes.set_title("How often each level occurs", loc="left")
        axes.legend(loc="upper right")

    _figure((10, 5.5), path, paint)


def _usual_levels(counts: Counts, rare: float = 1e-4) -> tuple[float, float]:
    """Span the levels but the rarest at each side, with some room."""
    share = counts.counts.sum(axis=0).cumsum() / max(1, counts.counts.sum())
    levels = counts.levels()
    first, last = np.minimum(np.searchsorted(share, (rare, 1 - rare)), len(levels) - 1)
    return float(levels[first]) - 5, float(levels[last]) + 10


def draw_levels(series: Series, path: Path, reference: str) -> None:
    """Draw the broadband level in time; the line breaks where nothing was recorded."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    def paint(figure: Any, axes: Any) -> None:
        begins, levels = broken(thinned(series))
        axes.plot([moment(float(each)) for each in begins], levels, lw=1, marker=".", ms=2)
        axes.set(ylabel=f"level, dB re {reference}", xlabel="UTC")
        locator = AutoDateLocator()
        axes.xaxis.set(major_locator=locator, major_formatter=ConciseDateFormatter(locator))
        axes.set_title("Broadband level", loc="left")
        axes.grid(color="0.9")

    _figure((11, 3.6), path, paint)


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


def draw_recurrence(made: Soundscape, path: Path, reference: str, colours: str = "viridis") -> None:
    """Draw the level of each hour of each day; days go down, grey is no data."""

    def paint(figure: Any, axes: Any) -> None:
        days = len(made.days)
        axes.set_facecolor(NO_DATA)
        shown = np.ma.masked_invalid(made.hours)
        shade = axes.imshow(
            shown, aspect="auto", cmap=colour_map(colours), extent=(0, 24, days, 0), interpolation="nearest"
        )
        figure.colorbar(shade, ax=axes, label=f"level, dB re {reference}")
        every = max(1, days // 20)
        axes.set_yticks(np.arange(0, days, every) + 0.5, made.days[::every])
        axes.set_xticks(range(0, 25, 3))
        axes.set(xlabel="hour of the day, UTC")
        axes.set_title("When it is loud", loc="left")

    _figure((9, min(12, 2.5 + 0.22 * len(made.days))), path, paint)


def colour_map(name: str) -> str:
    return "Greys" if name == "grey" else name
