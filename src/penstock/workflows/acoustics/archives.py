"""Daily files of hybrid millidecades at one minute, as soundscape archives take them.

Variables, dimensions and attributes are those of MBARI's pbp 1.9, whose files the archive of NOAA's NCEI
(SoundCoop) holds: `psd(time, frequency)` in dB re 1 µPa²/Hz and `effort(time)` in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.timeline import moment
from penstock.workflows.stores.formats import open_product, plain
from penstock.workflows.stores.netcdf import Store

DAY, MINUTE, MINUTES = 86400, 60.0, 1440
TIME = {
    "standard_name": "time",
    "long_name": "UTC time beginning each 1-minute temporal bin",
    "units": "seconds since 1970-01-01T00:00:00Z",
    "coverage_content_type": "coordinate",
}
FREQUENCY = {
    "standard_name": "sound_frequency",
    "long_name": "Center frequency of hybrid millidecade spectral bands",
    "units": "Hz",
    "coverage_content_type": "coordinate",
}
EFFORT = {
    "long_name": "duration of input data available for each 1-minute bin",
    "units": "seconds",
    "coverage_content_type": "qualityInformation",
}
SENSITIVITY = {
    "long_name": "Hydrophone sensitivity (dB re 1 volt / µPa)",
    "units": "dB",
    "coverage_content_type": "physicalMeasurement",
}
PSD = {
    "standard_name": "sound_intensity_in_water",
    "units": "dB",
    "coverage_content_type": "physicalMeasurement",
    "comment": "Computation of single-sided mean-square sound pressure spectral density followed ISO 18405 3.1.3.13.",
}
GLOBAL = {
    "Conventions": "COARDS, CF-1.6, ACDD-1.3",
    "keywords": "oceans, ocean acoustics, ambient noise, intensity, marine environment monitoring, marine habitat, "
    "sound_intensity_level_in_water, soundscapes",
    "keywords_vocabulary": "GCMD Science Keywords",
    "standard_name_vocabulary": "CF Standard Name Table v80",
    "cdm_data_type": "TimeSeries",
    "time_coverage_duration": "P1D",
    "time_coverage_resolution": "PT1M",
    "references": "Hybrid millidecades: Martin et al. (2021), https://doi.org/10.1121/10.0003324, with its erratum, "
    "https://doi.org/10.1121/10.0005818; spectral density: ISO 18405:2017 3.1.3.13",
}


@dataclass(frozen=True, slots=True)
class Minutes:
    """Rows of one product: seconds since 1970, seconds recorded, frames, power density in each band."""

    begins: NDArray[np.float64]
    effort: NDArray[np.float64]
    frames: NDArray[np.int64]
    density: NDArray[np.float64]


class Day:
    """The sums of one day (UTC)."""

    def __init__(self, number: int, bands: int) -> None:
        self.number = number
        self.power, self.frames = np.zeros((MINUTES, bands)), np.zeros(MINUTES)
        self.effort = np.zeros(MINUTES)

    def add(self, made: Minutes) -> None:
        places = np.round((made.begins - self.number * DAY) / MINUTE).astype(np.int64)
        for i in np.flatnonzero((places >= 0) & (places < MINUTES)):
            self.effort[places[i]] += made.effort[i]
            if made.frames[i] and np.isfinite(made.density[i]).any():
                self.power[places[i]] += made.density[i] * made.frames[i]
                self.frames[places[i]] += made.frames[i]

    def psd(self) -> NDArray[np.float32]:
        """Give the level of the mean power density of each minute; NaN where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (10 * np.log10(self.power / self.frames[:, None])).astype(np.float32)


def write_days(products: Sequence[Path], folder: Path, settings: Settings, name: str) -> int:
    """Write a file a day; give how many. Days are read one after the other."""
    spans = {path: _span(path) for path in products}
    common = _common(products[0])
    if float(common["bin_seconds"]) != MINUTE:
        raise ValueError(f"daily files are of minutes and bin is {common['bin_seconds']:g} s; set bin = 60")
    days = sorted({day for first, last in spans.values() for day in range(first, last + 1)})
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for number in days:
        some = [path for path, (first, last) in spans.items() if first <= number <= last]
        with open_product(some[0]) as file:
            centres = file["millidecade"][:]
        day = Day(number, len(centres))
        for path in sorted(some):
            for made in _minutes(path):
                day.add(made)
        if day.effort.any():
            about = describe(common, settings, name, number) | {"date_created": _newest(some)}
            write_day(folder / f"{name}_{moment(number * DAY):%Y%m%d}.nc", day, centres, about, settings)
            count += 1
    return count


def _span(path: Path) -> tuple[int, int]:
    with open_product(path) as file:
        starts = file["bin"][:]
    return int(starts[0] // DAY), int(starts[-1] // DAY)


def _common(path: Path) -> dict[str, Any]:
    with open_product(path) as file:
        if "millidecade_level" not in file:
            raise ValueError('daily files need the bands "millidecade"; add them to `bands`')
        return {name: plain(value) for name, value in file.attrs.items()}


def _minutes(path: Path, rows: int = 256) -> Iterator[Minutes]:
    with open_product(path) as file:
        width = file["millidecade_high"][:] - file["millidecade_low"][:]
        for i in range(0, file["bin"].shape[0], rows):
            some = slice(i, i + rows)
            level = file["millidecade_level"][some].astype(np.float64)
            told = (file[each][some] for each in ("bin", "bin_seconds", "bin_frames"))
            yield Minutes(*told, density=10 ** (level / 10) / width)


def _newest(paths: Sequence[Path]) -> str:
    """Give the day on which the newest product was made: files made again of the same are the same."""
    return f"{moment(max(path.stat().st_mtime for path in paths)):%Y-%m-%d}"


def write_day(
    path: Path, day: Day, centres: NDArray[Any], about: Mapping[str, Any], settings: Settings
) -> None:
    """Write one day as pbp does."""
    begins = day.number * DAY + 60 * np.arange(MINUTES)
    known = "dB re 1 µPa^2/Hz" if "µPa" in str(about["reference"]) else f"dB re {about['reference']}"
    with Store(path) as store:
        store.dimension("time", begins, dtype=np.int64, **TIME)
        store.dimension("frequency", centres, dtype=np.float32, **FREQUENCY)
        long_name = f"Single-sided mean-square sound pressure spectral density ({known})"
        more = PSD | {"long_name": long_name, "_FillValue": np.float32(np.nan)}
        store.deflated("psd", ("time", "frequency"), day.psd(), **more)
        store.variable("effort", ("time",), day.effort.astype(np.float32), **EFFORT)
        if settings.sensitivity is not None:
            store.dimension("1", np.zeros(1), dtype=np.float32)
            store.variable("sensitivity", ("1",), np.float32([settings.sensitivity]), **SENSITIVITY)
        store.describe({key: value for key, value in about.items() if key != "reference"})


def describe(common: Mapping[str, Any], settings: Settings, name: str, day: int) -> dict[str, Any]:
    """Give the global attributes of a day; `params.archive` adds to them and wins."""
    date, title = f"{moment(day * DAY):%Y-%m-%d}", settings.title or name
    whole = "Hybrid millidecade band sound pressure levels computed at 1 minute resolution"
    place = [common.get(each) for each in ("latitude", "longitude")]
    about = GLOBAL | {
        "title": f"{whole}: {title}",
        "summary": f"{whole} from passive acoustic recordings, {title}; {common['calibration']}.",
        "history": common["history"],
        "source": f"{common['source_software']}: spectra of frames of one second (Hann, 50 % overlap), averaged in "
        "minutes and joined into hybrid millidecades",
        "instrument": common.get("instrument"),
        "geospatial_bounds": f"POINT ({place[0]:g} {place[1]:g})" if None not in place else None,
        "time_coverage_start": f"{date} 00:00:00Z",
        "time_coverage_end": f"{date} 23:59:00Z",
        "reference": common["reference"],
    }
    return {key: value for key, value in (about | (settings.archive or {})).items() if value is not None}
