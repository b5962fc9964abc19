"""Figures by matplotlib, as PNG or PDF files: what each of them needs besides its own curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_DATA, LEFT_OUT = "0.85", "#e8c4c4"  # there was nothing; there was something, and it was left out
DPI = 110


def write_figure(size: tuple[float, float], path: Path, paint: Callable[[Any, Any], None]) -> None:
    """Write what `paint(figure, axes)` draws, as PNG, or as PDF if its name ends so; `size` is in inches.

    No window, no state that is shared, no time of making: what is drawn again has the same bytes.
    """
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=size, layout="constrained", dpi=DPI)
    paint(figure, figure.add_subplot())
    is_pdf = path.suffix == ".pdf"
    figure.savefig(
        path, format="pdf" if is_pdf else "png", metadata={"CreationDate": None} if is_pdf else None
    )


def entitle(axes: Any, title: str) -> None:
    """Put a title above the left end."""
    axes.set_title(title, loc="left", fontsize=11)


def make_logarithmic(axes: Any, limits: tuple[float, float]) -> None:
    """Make the horizontal axis logarithmic, its numbers plain."""
    from matplotlib.ticker import StrMethodFormatter

    axes.set(xscale="log")
    axes.set_xlim(*limits)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def make_timed(axes: Any) -> None:
    """Make the horizontal axis one of time, UTC."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()
    axes.xaxis.set(major_locator=locator, major_formatter=ConciseDateFormatter(locator))
    axes.set(xlabel="UTC")


def label_lines(axes: Any, texts: Sequence[str], heights: NDArray[Any], least: float) -> None:
    """Write beside the right ends of lines what they are, moved apart to `least` where they would meet."""
    at = -np.inf
    for text, height in zip(texts, heights, strict=True):
        if np.isfinite(height):
            at = max(float(height), at + least)
            place, coordinates = (1.005, at), ("axes fraction", "data")
            axes.annotate(text, place, xycoords=coordinates, fontsize=7.5, va="center", annotation_clip=False)


def colour_map(name: str) -> str:
    """Give matplotlib's name of the colours that a campaign chose."""
    return "Greys" if name == "grey" else name
