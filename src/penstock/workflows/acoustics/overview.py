"""What all recordings say together: levels in time, how often each occurs, at which hours it is loud."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.bandlevels import read_band_levels
from penstock.workflows.acoustics.longterm import ORIGIN, collect, plan, title_of
from penstock.workflows.acoustics.matrix import to_level
from penstock.workflows.acoustics.pictures import frequency_unit
from penstock.workflows.acoustics.probability import PERCENTILES, Counts, read_counts
from penstock.workflows.acoustics.timeline import moment
from penstock.workflows.stores.formats import open_product
from penstock.workflows.stores.netcdf import SECONDS_1970, Store

DAY, HOUR = 86400, 3600


@dataclass(frozen=True, slots=True)
class Series:
    """Broadband level of each time bin of each recording, sorted by time; dB, NaN without frames."""

    begins: NDArray[np.float64]
    frames: NDArray[np.int64]
    levels: NDArray[np.float64]
    width: float

    def power(self) -> NDArray[np.float64]:
        return 10 ** (self.levels / 10)

    def __len__(self) -> int:
        return len(self.begins)


def read_series(paths: Sequence[Path]) -> Series:
    """Read the levels of all products; a bin that two of them share is their mean power."""
    parts = [_read_levels(path) for path in paths]
    begins, frames, levels = (np.concatenate([part[i] for part in parts]) for i in range(3))
    unique, place = np.unique(begins, return_inverse=True)
    power = np.where(frames > 0, 10 ** (levels / 10) * frames, 0.0)
    total, count = np.bincount(place, power), np.bincount(place, frames).astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Series(unique, count, 10 * np.log10(total / count), parts[0][3])


def _read_levels(path: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], float]:
    with open_product(path) as file:
        level = np.nan_to_num(file["bin_level"][:].astype(np.float64), nan=0.0)
        return file["bin"][:], file["bin_frames"][:], level, float(file.attrs["bin_seconds"])


def recurrence(series: Series) -> tuple[list[str], NDArray[np.float64]]:
    """Give the days (UTC), and for each its level in each hour: mean of linear power, NaN without sound."""
    first = math.floor(series.begins[0] / DAY)
    days = math.floor(series.begins[-1] / DAY) - first + 1
    place = np.floor(series.begins / HOUR).astype(np.int64) - first * 24
    heard = series.frames > 0
    total = np.bincount(place[heard], (series.power() * series.frames)[heard], days * 24)
    count = np.bincount(place[heard], series.frames[heard], days * 24)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = 10 * np.log10(total / count)
    names = [f"{moment(first * DAY) + timedelta(days=i):%Y-%m-%d}" for i in range(days)]
    return names, level.reshape(days, 24)


def read_total_counts(paths: Sequence[Path]) -> Counts | None:
    """Add up how often each level occurs in total products; None if they were not counted."""
    found: Counts | None = None
    for path in paths:
        with open_product(path) as file:
            counts = read_counts(file)
        if counts is None:
            return None
        found = counts if found is None else found + counts
    return found


def write_levels(path: Path, products: Sequence[Path]) -> int:
    """Write a CSV with a row a time bin of each recording: levels over all, and in each band."""
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        for number, product in enumerate(sorted(products)):
            for line in _level_rows(product, heading=number == 0):
                table.writerow(line)
                rows += 1
    return rows - 1


def _level_rows(product: Path, *, heading: bool) -> Iterator[Sequence[Any]]:
    with open_product(product) as file:
        kinds = read_band_levels(file)
        if heading:
            yield ["begin", "seconds", "level_db", *_band_names(file, kinds)]
        columns = [file["bin_seconds"][:][:, None], file["bin_level"][:][:, None]]
        columns += [file[f"{kind}_level"][:] for kind in kinds]
        for begin, row in zip(file["bin"][:], np.hstack(columns), strict=True):
            shown = ("" if math.isnan(value) else f"{value:.3f}" for value in row)
            yield [moment(float(begin)).isoformat().replace("+00:00", "Z"), *shown]


def _band_names(file: Any, kinds: Sequence[str]) -> Iterator[str]:
    for kind in kinds:
        for low, high in zip(file[f"{kind}_low"][:], file[f"{kind}_high"][:], strict=True):
            yield f"{kind}_{low:.6g}_{high:.6g}_hz"


@dataclass(frozen=True, slots=True)
class Soundscape:
    """All that is drawn and stored at the scale of a dataset."""

    series: Series
    days: list[str]
    hours: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    mean: NDArray[np.float64]  # level of the mean power of each line, dB
    counts: Counts | None
    reference: str
    about: str = ""  # how many recordings, from when to when
    band: str = ""  # of broadband levels
    origin: Mapping[str, Any] = field(default_factory=dict)
    sources: Collection[str] = ()


def read_soundscape(paths: Sequence[Path]) -> tuple[Soundscape, str]:
    """Read what all products say together; give it with the reference of broadband levels."""
    course = plan(paths, "whole")
    made, common = collect(course), course.common
    origin = {name: common[name] for name in ORIGIN if name in common}
    origin["title"] = title_of(common, "levels and probability densities")
    series = read_series(paths)
    days, hours = recurrence(series)
    mean = to_level(made.whole(), float(common["reference_value"]))
    counts, reference = read_total_counts(paths), str(common["reference"])
    first, last = (f"{moment(float(each)):%Y-%m-%d}" for each in (series.begins[0], series.begins[-1]))
    when = first if first == last else f"{first} to {last}"
    about = f"{len(paths)} recording{'s' * (len(paths) > 1)}, {when}"
    told = {"about": about, "band": band_of(common), "origin": origin, "sources": course.sources}
    found = Soundscape(series, days, hours, made.frequencies, mean, counts, reference, **told)
    return found, reference.removesuffix("/Hz")


def band_of(about: Mapping[str, Any]) -> str:
    """Say which frequencies a broadband level is of."""
    name, unit = frequency_unit(float(about["sample_rate"]) / 2)
    whole = f"0 to {float(about['sample_rate']) / 2 / unit:g} {name}"
    return whole if about["filter"] == "none" else f"{whole} after {about['filter']}"


def write_soundscape(made: Soundscape, path: Path) -> None:
    """Write the tables as NetCDF."""
    decibel = {"units": "dB", "reference": made.reference}
    with Store(path) as store:
        begins = np.array([moment_of_day(day) for day in made.days])
        store.dimension("day", begins, calendar="standard", units=SECONDS_1970, standard_name="time")
        store.dimension("hour", np.arange(24.0), units="hour", long_name="hour of the day, UTC")
        store.dimension("frequency", made.frequencies, units="Hz", standard_name="sound_frequency")
        about = "broadband level of the mean power in the hour"
        store.variable("recurrence", ("day", "hour"), made.hours, units="dB", long_name=about)
        store.variable(
            "mean_level", ("frequency",), made.mean, long_name="level of the mean power", **decibel
        )
        if made.counts is not None:
            store.dimension("percentile", np.array(PERCENTILES, float), units="percent")
            store.dimension("level_bin", made.counts.levels(), units="dB")
            below, both = made.counts.percentiles(), ("percentile", "frequency")
            store.variable("level_percentile", both, below, long_name="percentiles of the frames", **decibel)
            density = store.rows("probability_density", ("frequency", "level_bin"), np.float32, units="dB-1")
            for first, part in made.counts.parts():
                density[first : first + len(part.counts)] = part.density()
        store.describe(
            {"Conventions": "CF-1.11", "reference": made.reference, "band": made.band, **made.origin}
        )


def moment_of_day(day: str) -> float:
    return float(np.datetime64(day, "s").astype(np.int64))
