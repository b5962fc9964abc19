"""What a person may choose, read from a stage's parameters."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.timeline import CALENDAR

SHARED = ("audio", "times")  # read by the report and the command line, not by the signal processing


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of one campaign; times in seconds, levels in dB.

    >>> Settings.read({"sample_rate": 48000, "nfft": 2048}).hop
    1024
    """

    sample_rate: int | None = None
    channels: int | None = None
    channel: int = 1
    nfft: int = 1024
    overlap: float = 0.5
    window: str | tuple[Any, ...] = "hann"
    scaling: str = "density"
    bin: float = 10.0
    ltas_bin: float | str | None = None
    step_db: float = 1.0
    sensitivity: float | None = None
    gain: float = 0.0
    peak_voltage: float = 1.0
    end_to_end: float | None = None
    curve: str | None = None
    curve_kind: str = "sensitivity"
    resample: int | None = None
    resample_quality: str = "HQ"
    band_pass: tuple[float, float] | None = None
    band_order: int = 4
    normalise: str = "none"
    normalise_over: str = "file"
    period: float = 3600.0
    legacy: str | None = None
    bands: tuple[str, ...] = ("decidecade",)
    spl_bands: tuple[tuple[float, float], ...] = ()
    spd: bool = True
    segment: float = 60.0
    segment_overlap: float = 0.0
    segment_mode: str = "first"
    segment_begin: str | None = None
    segment_end: str | None = None
    least_coverage: float = 0.0
    gap_tolerance: float = 1.0
    duration_tolerance: float = 0.05
    picture_width: int = 1200
    picture_height: int = 512
    colours: str = "viridis"
    db_range: tuple[float, float] | None = None
    frequency_scale: str | tuple[tuple[float, float], ...] = "linear"
    tile_levels: int = 0
    tile_factor: int = 2
    tile_width: int = 1800
    tile_height: int = 512
    tile_join: str = "mean"
    force: bool = False
    keep_tones: bool = False
    title: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    depth: float | None = None
    archive: dict[str, Any] | None = None  # global attributes of daily files

    @property
    def hop(self) -> int:
        if self.legacy:
            return max(1, self.nfft - int(self.nfft * round(100 * self.overlap, 6) / 100))
        return max(1, self.nfft - round(self.nfft * self.overlap))

    @property
    def conditions(self) -> bool:
        """Say whether samples are changed by what comes before them: one that is NaN spoils the rest."""
        return self.resample is not None or self.band_pass is not None

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Settings:
        names = {field.name for field in dataclasses.fields(cls)}
        for name in params:
            _refuse_misspelt(name, names)
        chosen = {name: _frozen(value) for name, value in params.items() if name in names}
        settings = cls(**chosen)
        _check(settings)
        return settings


def read_settings(params: Mapping[str, Any]) -> Settings:
    """Read what a person typed: a mistake is a DefinitionError."""
    from penstock.workflows.acoustics.spectra import make_window

    try:
        settings = Settings.read(params)
        make_window(settings.window, settings.nfft)
    except (TypeError, ValueError) as error:
        raise DefinitionError(str(error)) from error
    return settings


def _refuse_misspelt(name: str, names: set[str]) -> None:
    if name in names or name in SHARED:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    if near:
        raise ValueError(
            f"the parameter {name!r} is not a parameter of the acoustics stages; did you mean {near[0]!r}?"
        )


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _check(settings: Settings) -> None:
    for holds, sentence in (*_rules(settings), *_signal_rules(settings)):
        if not holds:
            raise ValueError(f"the parameter {sentence}")
    for name, known in CHOICES.items():
        if getattr(settings, name) not in (*known, *((None,) if name in MAY_BE_NONE else ())):
            raise ValueError(
                f"the parameter {name} is {getattr(settings, name)!r}; it must be one of {', '.join(known)}"
            )


Rule = tuple[bool, str]


def _rules(settings: Settings) -> Iterator[Rule]:
    yield settings.nfft >= 2, f"nfft is {settings.nfft}; it must be at least 2 samples"
    yield 0 <= settings.overlap < 1, f"overlap is {settings.overlap}; it must be from 0 to below 1"
    width = settings.ltas_bin
    yield (
        width is None or (width in CALENDAR if isinstance(width, str) else width > 0),
        f"ltas_bin is {width!r}; it must be seconds, or one of {', '.join(CALENDAR)}",
    )
    yield settings.channel >= 1, f"channel is {settings.channel}; the first channel is 1"
    for name, unit in POSITIVE.items():
        value = getattr(settings, name)
        yield value is None or value > 0, f"{name} is {value}; it must be a positive number of {unit}"
    given = [name for name in CALIBRATIONS if getattr(settings, name) is not None]
    yield (
        len(given) < 2,
        f"{' and '.join(given)} are both given; keep the one that your calibration sheet states",
    )
    relative = settings.normalise in ("peak", "zscore")
    yield (
        not (relative and given),
        f"normalise = {settings.normalise!r} undoes the calibration by {', '.join(given)}; remove one",
    )


def _signal_rules(settings: Settings) -> Iterator[Rule]:
    for band in settings.bands:
        yield band in BANDS, f"bands has {band!r}; known are {', '.join(BANDS)}"
    scale = settings.frequency_scale
    yield (
        not isinstance(scale, str) or scale in ("linear", "log"),
        f"frequency_scale is {scale!r}; it must be linear, log or points [[height, Hz], …]",
    )
    for name, least in (("tile_levels", 0), ("tile_factor", 2), ("tile_width", 1), ("tile_height", 1)):
        value = getattr(settings, name)
        yield value >= least, f"{name} is {value}; it must be at least {least}"
    share, least = settings.segment_overlap, settings.least_coverage
    yield 0 <= share < 1, f"segment_overlap is {share:g}; it must be from 0 to below 1"
    yield 0 <= least <= 1, f"least_coverage is {least:g}; it must be from 0 to 1"
    yield settings.band_order >= 1, f"band_order is {settings.band_order}; it must be at least 1"
    if settings.band_pass is not None:
        low, high = settings.band_pass
        rate = settings.resample or settings.sample_rate
        yield 0 < low < high, f"band_pass is {low:g} to {high:g} Hz; the first must be above 0 and the lower"
        yield (
            rate is None or high < rate / 2,
            f"band_pass ends at {high:g} Hz; it must end below half the sample rate, {(rate or 0) / 2:g} Hz",
        )
    yield (
        settings.legacy is None or settings.scaling == "density",
        "legacy has no other scaling than density; remove `scaling`",
    )


SCALINGS = {
    "density": "power per hertz: compare noise between different nfft",
    "spectrum": "power per bin: read the level of a tone",
}

RESAMPLERS = {
    "HQ": "soxr's high quality, 20 bits: aliases are more than 100 dB down",
    "VHQ": "soxr's very high quality, 28 bits",
}
NORMALS = {
    "none": "samples as they are",
    "dc": "less their mean",
    "peak": "divided by the largest absolute value",
    "zscore": "less their mean, divided by their standard deviation",
}
OVER = {"file": "each file by itself", "period": "all files of a period", "whole": "all files"}
BANDS = {
    "decidecade": "10^((i ± 0.5)/10) Hz",
    "third_octave": "the same bands, by their nominal frequencies",
    "millidecade": "1 Hz up to 434 Hz, then from 10^(i/1000) to 10^((i + 1)/1000) Hz",
}
CURVES = {
    "sensitivity": "dB re 1 V/µPa, used with gain and peak_voltage",
    "end_to_end": "dB re 1 µPa of a signal whose rms is full scale",
}
LEGACIES = {"osmose-0.2": "the numbers of the OSmOSE scripts before OSEkit"}
MODES = {
    "file": "one segment a file",
    "first": "segments of one duration from the first instant on, across files",
    "inside": "segments of one duration inside each file",
}
JOINS = {"mean": "mean power of the frames", "max": "the highest power of the frames"}
CHOICES = {
    "tile_join": JOINS,
    "segment_mode": MODES,
    "scaling": SCALINGS,
    "resample_quality": RESAMPLERS,
    "normalise": NORMALS,
    "normalise_over": OVER,
    "curve_kind": CURVES,
    "legacy": LEGACIES,
}
MAY_BE_NONE = ("legacy",)
CALIBRATIONS = ("sensitivity", "end_to_end", "curve")
POSITIVE = {"bin": "seconds", "step_db": "dB", "resample": "Hz", "period": "seconds", "segment": "seconds"}
