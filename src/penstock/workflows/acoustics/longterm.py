"""The long-term average: mean of linear power per time bin, over all recordings.

Recordings hand over sums and counts, so that the mean over any set of bins is
`Σ sums / Σ counts`: it is the same whatever the width of the bins and the number that is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.axis import Axis
from penstock.workflows.acoustics.matrix import to_level
from penstock.workflows.acoustics.pictures import Panel, draw
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.tables import sources_of
from penstock.workflows.acoustics.timeline import Span, choose_width, edges_over, is_multiple, moment, seconds
from penstock.workflows.stores.formats import open_product, plain
from penstock.workflows.stores.netcdf import SECONDS_1970, Store

SAME = (
    *("sample_rate", "nfft", "hop", "window", "scaling", "reference", "calibration", "calibration_factor"),
    *("bin_seconds", "resampled", "filter", "normalised", "legacy", "source_software"),
)
ORIGIN = ("source_software", "history", "latitude", "longitude", "depth", "instrument")
MOST_VALUES = 2_000_000_000  # bins × lines in a product
SLAB = 1 << 20  # values of a product read at once


@dataclass(slots=True)
class Row:
    """What all recordings say of one time bin: sums of power and frames, seconds recorded."""

    place: int
    total: NDArray[np.float64]
    frames: int
    seconds: float

    def join(self, other: Row) -> None:
        self.total += other.total
        self.frames, self.seconds = self.frames + other.frames, self.seconds + other.seconds


@dataclass(frozen=True, slots=True)
class Course:
    """Products in the order of time, to be summed up in time bins; `edges` are their borders, seconds since 1970."""

    edges: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    products: tuple[tuple[float, Path], ...]  # begin, path
    common: Mapping[str, Any]
    sources: frozenset[str]  # the recordings that they are of

    def rows(self) -> Iterator[Row]:
        """Give each bin that something tells of once, in the order of time; few are held at a time."""
        waiting: dict[int, Row] = {}
        later = [begin for begin, _ in self.products[1:]] + [math.inf]
        for (_, path), after in zip(self.products, later, strict=True):
            for at, row in self._read(path):
                if row.place in waiting:
                    waiting[row.place].join(row)
                else:
                    waiting[row.place] = row
                yield from self._over(waiting, min(after, at))
        yield from self._over(waiting, math.inf)

    def _over(self, waiting: dict[int, Row], upto: float) -> Iterator[Row]:
        for place in sorted(place for place in waiting if self.edges[place + 1] <= upto + 1e-6):
            yield waiting.pop(place)

    def _read(self, path: Path) -> Iterator[tuple[float, Row]]:
        with open_product(path) as file:
            starts, frames, inside = file["bin"][:], file["bin_frames"][:], file["bin_seconds"][:]
            places = np.searchsorted(self.edges, starts + 1e-6, side="right") - 1
            step = max(1, SLAB // len(self.frequencies))
            for first in range(0, len(starts), step):
                some = slice(first, first + step)
                totals = file["bin_total"][some].astype(np.float64)
                totals[frames[some] == 0] = 0
                borders = np.flatnonzero(np.diff(places[some], prepend=-1))
                for a, b in zip(borders, [*borders[1:], len(totals)], strict=True):
                    mine = slice(first + a, first + b)
                    count = int(frames[mine].sum())
                    row = Row(
                        int(places[first + a]), totals[a:b].sum(axis=0), count, float(inside[mine].sum())
                    )
                    yield float(starts[first + b - 1]), row


@dataclass(frozen=True, slots=True)
class Average:
    """Sums over time bins; a row a bin. `edges` are their borders, seconds since 1970."""

    edges: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    totals: NDArray[np.float64]
    frames: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frames)

    def mean(self) -> NDArray[np.float64]:
        """Give the mean power of each bin; NaN where nothing was recorded."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.totals / self.frames[:, None]

    def whole(self) -> NDArray[np.float64]:
        """Give the mean power over everything."""
        return self.totals.sum(axis=0) / max(1, self.frames.sum())

    def coverage(self) -> NDArray[np.float64]:
        """Give the recorded share of each bin, 0…1."""
        return np.minimum(self.seconds / np.diff(self.edges), 1.0)


def average(paths: Sequence[Path], width: float | str | None = None) -> tuple[Average, dict[str, Any]]:
    """Add up the sums of all products; give them with the attributes that the products share.

    `width` is in seconds, or "day", "month" or "whole". All bins are held in memory.
    """
    course = plan(paths, width)
    return collect(course), dict(course.common)


def collect(course: Course) -> Average:
    """Hold all bins in memory."""
    count = len(course.edges) - 1
    totals = np.zeros((count, len(course.frequencies)))
    made = Average(course.edges, course.frequencies, totals, np.zeros(count, np.int64), np.zeros(count))
    for row in course.rows():
        made.totals[row.place], made.frames[row.place], made.seconds[row.place] = (
            row.total,
            row.frames,
            row.seconds,
        )
    return made


def plan(paths: Sequence[Path], width: float | str | None = None) -> Course:
    """Lay out the time bins of an average over products that agree; `width` as in `average`."""
    common, limits, sources = _agree(paths)
    span, base = (
        Span(min(begin for begin, _ in limits), max(end for _, end in limits)),
        float(common["bin_seconds"]),
    )
    width = width or choose_width(span, base)
    fixed = 86400.0 if width in ("day", "month") else base if isinstance(width, str) else width
    if not is_multiple(fixed, base):
        raise ValueError(f"ltas_bin is {fixed:g} s; it must be a multiple of bin, which is {base:g} s")
    edges, frequencies = np.array(edges_over(span, width, base)), _frequencies(paths[0])
    if (len(edges) - 1) * len(frequencies) > MOST_VALUES:
        raise ValueError(
            f"ltas_bin = {fixed:g} s gives {len(edges) - 1} bins; choose a longer one, as {fixed * 10:g}"
        )
    ordered = sorted(zip((begin for begin, _ in limits), paths, strict=True))
    return Course(edges, frequencies, tuple(ordered), common, sources)


def _frequencies(path: Path) -> NDArray[np.float64]:
    with open_product(path) as file:
        return file["frequency"][:]


def _agree(
    paths: Sequence[Path],
) -> tuple[dict[str, Any], list[tuple[float, float]], frozenset[str]]:
    """Give attributes of the first product, begin and end of each, all recordings, having checked that all agree."""
    common: dict[str, Any] = {}
    limits, sources = list[tuple[float, float]](), set[str]()
    for path in paths:
        with open_product(path) as file:
            common = common or {name: plain(value) for name, value in file.attrs.items()}
            for name in SAME:
                _refuse_other(name, plain(file.attrs[name]), common[name], (path, paths[0]))
            limits.append(_limits(file))
            sources |= sources_of(file.attrs)
    return common, limits, frozenset(sources)


def _refuse_other(name: str, value: Any, expected: Any, paths: tuple[Path, Path]) -> None:
    if value != expected:
        raise ValueError(
            f"{paths[0].name} has {name} = {value} and {paths[1].name} has {expected}; "
            "they cannot be averaged: redo the spectrograms with one setting and one version of penstock"
        )


def _limits(file: Any) -> tuple[float, float]:
    begin = seconds(datetime.fromisoformat(plain(file.attrs["begin"])))
    return begin, begin + float(file.attrs["duration_seconds"])


def write(made: Course, path: Path, *, watch: Callable[[Row], None]) -> float:
    """Write the average as NetCDF, a bin at a time: levels in dB, NaN for gaps, with coverage and counts.

    `watch` is shown each bin; the mean coverage is given. The attribute `bin_seconds` is the width of the
    first bin; months differ.
    """
    common, count = made.common, len(made.edges) - 1
    reference = float(common["reference_value"])
    begins = {"units": SECONDS_1970, "standard_name": "time", "long_name": "begin of the bin, UTC"}
    whole, frames, inside = np.zeros(len(made.frequencies)), np.zeros(count, np.int64), np.zeros(count)
    with Store(path) as store:
        store.dimension("time", made.edges[:-1], calendar="standard", **begins)
        store.dimension("frequency", made.frequencies, units="Hz", standard_name="sound_frequency")
        decibel, mean = (
            {"units": "dB", "reference": common["reference"]},
            "level of the mean power in the bin",
        )
        level = store.rows("level", ("time", "frequency"), np.float32, long_name=mean, **decibel)
        for row in made.rows():
            watch(row)
            whole, frames[row.place], inside[row.place] = whole + row.total, row.frames, row.seconds
            if row.frames:
                level[row.place] = to_level(row.total / row.frames, reference)
        psd = to_level(whole / max(1, frames.sum()), reference)
        store.variable(
            "psd_level", ("frequency",), psd, long_name="level of the mean power over all frames", **decibel
        )
        coverage = np.minimum(inside / np.diff(made.edges), 1.0)
        store.variable("coverage", ("time",), coverage, units="1", long_name="recorded share of the bin")
        store.variable("frames", ("time",), frames, units="1", long_name="frames in the bin")
        kept = {name: common[name] for name in (*SAME, "Conventions", "noise_bandwidth_hz", "overlap")}
        about = {"bin_seconds": float(np.diff(made.edges)[0]), "recordings": len(made.products)}
        origin = {name: common[name] for name in ORIGIN if name in common}
        store.describe(kept | origin | about | {"title": title_of(common, "long-term average")})
    return float(coverage.mean())


class Drawing:
    """The picture of an average; a column joins several bins, each by the number of its frames."""

    def __init__(self, made: Course, settings: Settings) -> None:
        self.edges, self.common, self.settings = made.edges, made.common, settings
        self.top, self.spacing = float(made.common["sample_rate"]) / 2, float(made.frequencies[1])
        self.axis = Axis.of(settings.frequency_scale, self.spacing, self.top)
        lines, height = len(made.frequencies), settings.picture_height
        self.height = height if settings.frequency_scale != "linear" or lines > 1.5 * height else lines
        self.size = -(-(len(self.edges) - 1) // settings.picture_width)  # bins of a column
        columns = -(-(len(self.edges) - 1) // self.size)
        self.totals, self.frames = np.zeros((columns, self.height)), np.zeros(columns)

    def add(self, row: Row) -> None:
        power = (
            row.total
            if len(row.total) == self.height
            else self.axis.rows(row.total, self.height, self.spacing)
        )
        self.totals[row.place // self.size] += power
        self.frames[row.place // self.size] += row.frames

    def mean(self) -> NDArray[np.float64]:
        """Give the mean power of each column; NaN where nothing was recorded."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.totals / self.frames[:, None]

    def write(self, path: Path, name: str, left_out: Sequence[Span] = ()) -> None:
        level = to_level(self.mean(), float(self.common["reference_value"]))
        end, width = self._end(), float(np.diff(self.edges)[0]) * self.size
        panel = Panel(
            levels=level[columns_of(self.edges[:: self.size], end, self.settings.picture_width)].T,
            top=self.top,
            axis=self.axis,
            begin=moment(float(self.edges[0])),
            end=moment(end),
            title=f"Long-term spectral average of {name}: a column is the mean power of {show_width(width)}",
            unit=f"dB re {self.common['reference']}",
            left_out=left_out,
        )
        draw(panel, path, colours=self.settings.colours, db_range=self.settings.db_range)

    def _end(self) -> float:
        """Give the end of the last column, which may reach past that of the last bin."""
        widths = np.diff(self.edges)
        even = np.allclose(widths, widths[0])
        return float(self.edges[0] + len(self.frames) * self.size * widths[0] if even else self.edges[-1])


def title_of(common: Mapping[str, Any], what: str) -> str:
    """Title a product over all recordings as those of each are titled."""
    campaign, _, rest = str(common.get("title", "")).rpartition(": ")
    return f"{campaign}: {what}" if campaign and rest else what[0].upper() + what[1:]


def show_width(seconds: float) -> str:
    """Write a width of time in the largest unit that it is a whole number of.

    >>> show_width(7200.0)
    '2 h'
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def columns_of(starts: NDArray[np.float64], end: float, count: int) -> NDArray[np.int64]:
    """Say which bin each column of a picture shows, columns being equal stretches of time."""
    starts = starts[starts < end]
    widths = np.diff(starts, append=end)
    if np.allclose(widths, widths[0]):
        return np.arange(len(starts))
    centres = starts[0] + (np.arange(count) + 0.5) / count * (end - starts[0])
    return np.searchsorted(starts, centres, side="right") - 1
