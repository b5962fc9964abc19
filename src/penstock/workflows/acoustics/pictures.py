"""Pictures of sound: frequency upwards, time to the right, level in colour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.axis import Axis
from penstock.workflows.acoustics.timeline import Span, seconds
from penstock.workflows.reports.palette import LEFT_OUT, NO_DATA, indexed, robust_range
from penstock.workflows.reports.picture import Labels, write_picture
from penstock.workflows.reports.ticks import Tick, say_days, ticks_of, time_ticks


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: `levels` in dB, lowest frequency in the first row, time along columns; NaN is no data."""

    levels: NDArray[Any]
    top: float  # Hz
    begin: datetime
    end: datetime
    title: str
    unit: str
    axis: Axis | None = None  # linear if there is none
    left_out: Sequence[Span] = ()  # recorded, and left out: not the grey of what was never recorded

    def labels(self) -> Labels:
        """Say what is written around it."""
        return Labels(
            title=self.title,
            unit=self.unit,
            left=list(frequency_ticks(self.top, self.axis)),
            left_name=frequency_unit(self.top)[0],
            below=list(time_ticks(self.begin, self.end)),
            below_name=say_days(self.begin, self.end),
        )


def draw(
    panel: Panel, path: Path, *, colours: str = "viridis", db_range: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Write the picture as PNG; give the range of dB that its colours span."""
    span = db_range or robust_range(panel.levels)
    image = indexed(panel.levels, *span)
    _mark_left_out(image, panel)
    write_picture(image, panel.labels(), path, span=span, colours=colours)
    return span


def _mark_left_out(image: NDArray[np.uint8], panel: Panel) -> None:
    """Give columns without data another grey where a recording was left out."""
    begin, length = seconds(panel.begin), (panel.end - panel.begin).total_seconds()
    width = image.shape[1]
    for span in panel.left_out:
        first, last = ((each - begin) / length * width for each in (span.begin, span.end))
        some = image[:, max(0, math.floor(first + 0.5)) : max(0, math.ceil(last - 0.5))]
        some[some == NO_DATA] = LEFT_OUT


def frequency_unit(top: float) -> tuple[str, float]:
    """Choose the unit in which all pictures of sound up to `top` Hz tell frequency."""
    return ("kHz", 1000.0) if top >= 2000 else ("Hz", 1.0)


def frequency_ticks(top: float, axis: Axis | None = None) -> Iterator[Tick]:
    """Give ticks at round frequencies."""
    return ticks_of(axis or Axis.of("linear", 0, top), frequency_unit(top)[1])
