"""The long-term average: mean of linear power per time bin, over all recordings.

Recordings hand over sums and counts, so that the mean over any set of bins is
`Σ sums / Σ counts`: it is the same whatever the width of the bins and the number that is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.matrix import SECONDS_1970, Store, to_level
from penstock.workflows.acoustics.pictures import Panel, draw
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.timeline import Bins, Span, choose_width, is_multiple, moment

SAME = (
    *("sample_rate", "nfft", "hop", "window", "scaling", "reference", "calibration", "calibration_factor"),
    *("bin_seconds", "resampled", "filter", "normalised", "legacy"),
)
MOST_VALUES = 100_000_000  # bins × lines held in memory


@dataclass(frozen=True, slots=True)
class Average:
    """Sums over time bins; a row a bin."""

    bins: Bins
    frequencies: NDArray[np.float64]
    totals: NDArray[np.float64]
    frames: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def mean(self) -> NDArray[np.float64]:
        """Give the mean power of each bin; NaN where nothing was recorded."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.totals / self.frames[:, None]

    def whole(self) -> NDArray[np.float64]:
        """Give the mean power over everything."""
        return self.totals.sum(axis=0) / max(1, self.frames.sum())

    def coverage(self) -> NDArray[np.float64]:
        """Give the recorded share of each bin, 0…1."""
        return np.minimum(self.seconds / self.bins.width, 1.0)

    def grouped(self, count: int) -> Average:
        """Join neighbouring bins into at most `count` equal ones (the last may be cut short)."""
        size = -(-self.bins.count // count)
        starts = np.arange(0, self.bins.count, size)
        bins = Bins(self.bins.width * size, 0, len(starts))
        parts = (np.add.reduceat(each, starts, axis=0) for each in (self.totals, self.frames, self.seconds))
        return Average(bins, self.frequencies, *parts)


def average(paths: Sequence[Path], width: float | None = None) -> tuple[Average, dict[str, Any]]:
    """Add up the sums of all products; give them with the attributes that the products share."""
    common, span = _agree(paths)
    base = float(common["bin_seconds"])
    width = width or choose_width(span, base)
    if not is_multiple(width, base):
        raise ValueError(f"ltas_bin is {width:g} s; it must be a multiple of bin, which is {base:g} s")
    bins = Bins.over(span, width)
    frequencies = _frequencies(paths[0])
    if bins.count * len(frequencies) > MOST_VALUES:
        raise ValueError(
            f"ltas_bin = {width:g} s gives {bins.count} bins; choose a longer one, as {width * 10:g}"
        )
    made = Average(
        bins,
        frequencies,
        np.zeros((bins.count, len(frequencies))),
        np.zeros(bins.count, np.int64),
        np.zeros(bins.count),
    )
    for path in paths:
        _add(made, path)
    return made, common


def _add(made: Average, path: Path) -> None:
    with h5py.File(path) as file:
        starts, frames = file["bin"][:], file["bin_frames"][:]
        places = np.floor(starts / made.bins.width + 1e-9).astype(np.int64) - made.bins.first
        np.add.at(made.seconds, places, file["bin_seconds"][:])
        kept = frames > 0
        np.add.at(made.frames, places[kept], frames[kept])
        np.add.at(made.totals, places[kept], file["bin_total"][:][kept])


def _frequencies(path: Path) -> NDArray[np.float64]:
    with h5py.File(path) as file:
        return file["frequency"][:]


def _agree(paths: Sequence[Path]) -> tuple[dict[str, Any], Span]:
    """Give the attributes of the first product and the time that all span, having checked that all agree."""
    common: dict[str, Any] = {}
    limits: list[tuple[float, float]] = []
    for path in paths:
        with h5py.File(path) as file:
            common = common or {name: _text(value) for name, value in file.attrs.items()}
            for name in SAME:
                _refuse_other(name, _text(file.attrs[name]), common[name], (path, paths[0]))
            limits.append(_limits(file))
    begins, ends = zip(*limits, strict=True)
    return common, Span(min(begins), max(ends))


def _refuse_other(name: str, value: Any, expected: Any, paths: tuple[Path, Path]) -> None:
    if value != expected:
        raise ValueError(
            f"{paths[0].name} has {name} = {value} and {paths[1].name} has {expected}; "
            "they cannot be averaged: make the spectrograms again with one setting"
        )


def _limits(file: h5py.File) -> tuple[float, float]:
    starts, inside = file["bin"][:], file["bin_seconds"][:]
    width = float(file.attrs["bin_seconds"])
    return float(starts[0]), float(starts[-1]) + min(width, float(inside[-1]))


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value.item() if hasattr(value, "item") else value


def write(made: Average, common: dict[str, Any], path: Path, sources: int) -> None:
    """Write the average as NetCDF: levels in dB, NaN for gaps, with coverage and counts."""
    reference = float(common["reference_value"])
    begins = {"units": SECONDS_1970, "standard_name": "time", "long_name": "begin of the bin, UTC"}
    with Store(path) as store:
        store.dimension("time", np.array(made.bins.starts()), calendar="standard", **begins)
        store.dimension("frequency", made.frequencies, units="Hz", standard_name="sound_frequency")
        decibel = {"units": "dB", "reference": common["reference"]}
        mean = "level of the mean power in the bin"
        store.variable(
            "level", ("time", "frequency"), to_level(made.mean(), reference), long_name=mean, **decibel
        )
        whole = "level of the mean power over all frames"
        store.variable(
            "psd_level", ("frequency",), to_level(made.whole(), reference), long_name=whole, **decibel
        )
        store.variable(
            "coverage", ("time",), made.coverage(), units="1", long_name="recorded share of the bin"
        )
        store.variable("frames", ("time",), made.frames, units="1", long_name="frames in the bin")
        kept = {name: common[name] for name in (*SAME, "Conventions", "noise_bandwidth_hz", "overlap")}
        store.describe(kept | {"bin_seconds": made.bins.width, "recordings": sources})


def picture(made: Average, common: dict[str, Any], path: Path, settings: Settings, title: str) -> None:
    """Draw the average; several bins may share a column, each by the number of its frames."""
    begin = made.bins.first * made.bins.width
    drawn = made.grouped(settings.picture_width)
    panel = Panel(
        levels=to_level(drawn.mean(), float(common["reference_value"])).T,
        top=float(common["sample_rate"]) / 2,
        begin=moment(begin),
        end=moment(begin + drawn.bins.count * drawn.bins.width),
        title=title,
        unit=f"dB re {common['reference']}",
    )
    draw(panel, path, colours=settings.colours, db_range=settings.db_range)
