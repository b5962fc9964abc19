"""One sound's NetCDF product, written as the frames come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.bandlevels import BandLevels
from penstock.workflows.acoustics.calibration import Calibration, read_calibration
from penstock.workflows.acoustics.levels import BinSum, BinSums
from penstock.workflows.acoustics.matrix import Matrix, to_level
from penstock.workflows.acoustics.probability import PERCENTILES, LevelCounter
from penstock.workflows.acoustics.qc import Finding
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.sound import Sound
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins, Span, seconds
from penstock.workflows.stores.netcdf import SECONDS_1970, Store
from penstock.workflows.stores.packing import Quantiser, rounded

CHUNK = 1 << 18  # values in a chunk of the matrix: half a megabyte
EIGHTH_DB = 0.125  # the step of percentiles


class Writer:
    """Puts one sound's spectra into its NetCDF file as they come."""

    def __init__(self, store: Store, transform: Transform, settings: Settings, sound: Sound) -> None:
        self.store, self.transform, self.settings, self.sound = store, transform, settings, sound
        self.calibration = read_calibration(settings)
        start = seconds(sound.begin)
        self.span = Span(start, start + sound.frames / sound.rate)
        self.own = Span(start + sound.shared / sound.rate, self.span.end)
        self.apart = transform.count(sound.shared)  # frames that a sound before it counts
        self.bins = Bins.over(self.own, settings.bin)
        lead = start - self.bins.first * settings.bin
        self.sums = BinSums(transform, self.bins, lead)
        self.width = max(1, CHUNK // len(transform.frequencies()))
        self._write_axes()
        self.matrix = Matrix(self._make_matrix(), settings.step_db, self.calibration.reference)
        self.totals, self.counts, self.levels = self._make_bins()
        self.bands = BandLevels(
            store, transform, settings, self.calibration, bins=self.bins, lead=lead, shared=sound.shared
        )
        self.counter: LevelCounter | None = None  # of the frames that are this sound's own
        self.others: LevelCounter | None = None

    @property
    def recorded(self) -> float:
        """Seconds of sound inside the span."""
        return sum(span.length for span in self.sound.recorded())

    def listen(self, samples: NDArray[Any]) -> None:
        """Take the samples as they go by."""
        self.bands.listen(samples)

    def put(self, first: int, power: NDArray[Any]) -> None:
        stored = self.matrix.put(first, power)
        apart = min(max(0, self.apart - first), len(power))
        if self.settings.spd and self.matrix.quantiser:
            self._count(stored, apart, self.matrix.quantiser)
        self.sums.set_aside(power[:apart])
        self._put_bins(self.sums.add(first + apart, power[apart:]))

    def _count(self, stored: NDArray[np.int16], apart: int, quantiser: Quantiser) -> None:
        self.counter = self.counter or LevelCounter(stored.shape[1], quantiser)
        self.counter.add(stored[apart:])
        if apart:
            self.others = self.others or LevelCounter(stored.shape[1], quantiser)
            self.others.add(stored[:apart])

    def close(self, findings: Sequence[Finding]) -> None:
        self._put_bins(self.sums.close())
        self.bands.close()
        self.matrix.close()
        unit = self.calibration.unit_of(self.settings.scaling)
        name, mean = "mean power over all frames (Welch)", self.sums.mean().astype(np.float32)
        self.store.variable("psd", ("frequency",), mean, units=unit, long_name=name)
        self._write_counts()
        self.store.describe(describe(self.settings, self.transform, self.calibration))
        self.store.describe(
            self.sound.about()
            | describe_origin(self.settings, f"Sound of {self.sound.name}", "spectrogram")
            | {
                "channel": self.settings.channel,
                "begin": self.sound.begin.isoformat(),
                "duration_seconds": self.span.length,
                "coverage": self.recorded / self.span.length,
                "shared_seconds": self.own.begin - self.span.begin,
                "findings": json.dumps([[each.kind, each.why, each.amount] for each in findings]),
            }
        )

    def level(self) -> float:
        power = float(self.transform.broadband(self.sums.mean()))
        return self.calibration.level(max(power, 1e-300))

    def _write_axes(self) -> None:
        count = self.transform.count(self.sound.frames)
        self.store.dimension(
            "frequency", self.transform.frequencies(), units="Hz", standard_name="sound_frequency"
        )
        since = f"seconds since {self.sound.begin.isoformat(timespec='microseconds')}"
        centres = {"units": since, "standard_name": "time", "long_name": "centre of the frame, UTC"}
        first, step = self.transform.size / 2 / self.transform.rate, self.transform.hop / self.transform.rate
        self.store.steps("time", count, first=first, step=step, calendar="standard", **centres)
        begins = {"units": SECONDS_1970, "standard_name": "time", "long_name": "begin of the bin, UTC"}
        self.store.dimension("bin", np.array(self.bins.starts()), calendar="standard", **begins)

    def _make_matrix(self) -> h5py.Dataset:
        return self.store.packed(
            "level",
            ("frequency", "time"),
            self.width,
            units="dB",
            long_name=f"power spectral {'density ' if self.settings.scaling == 'density' else ''}level",
            reference=self.calibration.reference_of(self.settings.scaling),
        )

    def _make_bins(self) -> tuple[h5py.Dataset, h5py.Dataset, h5py.Dataset]:
        unit = self.calibration.unit_of(self.settings.scaling)
        own = (Span(max(each.begin, self.own.begin), each.end) for each in self.sound.recorded())
        lasting = sum(np.array(self.bins.seconds_inside(span)) for span in own)
        self.store.variable("bin_seconds", ("bin",), lasting, units="s", long_name="recorded time in the bin")
        total = "sum of power over the frames whose centre lies in the bin"
        broadband = {"long_name": "broadband level", "reference": self.calibration.reference_of("spectrum")}
        return (
            self.store.rows("bin_total", ("bin", "frequency"), np.float32, units=unit, long_name=total),
            self.store.rows("bin_frames", ("bin",), np.int32, units="1", long_name="frames in the bin"),
            self.store.rows("bin_level", ("bin",), np.float32, units="dB", **broadband),
        )

    def _put_bins(self, sums: Iterable[BinSum]) -> None:
        for each in sums:
            self.totals[each.place] = rounded(each.total)
            self.counts[each.place] = each.frames
            mean = each.total / each.frames
            self.levels[each.place] = to_level(self.transform.broadband(mean), self.calibration.reference)
            self.bands.put(each.place, mean)

    def _write_counts(self) -> None:
        if self.counter is None:
            return
        found = self.counter.found().trimmed()
        every = found + self.others.found().trimmed() if self.others else found
        grid = {"first_bin": found.first, "bin_width": found.width, "bin_shift": found.shift}
        levels, centre = found.levels(), "centre of the bin of levels"
        self.store.steps(
            "level_bin", len(levels), first=levels[0], step=found.width, units="dB", long_name=centre
        )
        self.store.dimension("percentile", np.array(PERCENTILES, float), units="percent")
        counts = found.counts.T.astype(np.min_scalar_type(found.counts.max()))
        about = {"units": "1", "long_name": "frames of this level"} | grid
        self.store.deflated("level_count", ("level_bin", "frequency"), counts, **about)
        below = every.percentiles().astype(np.float32)
        name = "level below which this share of the frames lies"
        about = {"units": "dB", "long_name": name}
        about["reference"] = self.calibration.reference_of(self.settings.scaling)
        self.store.quantised("level_percentile", ("percentile", "frequency"), below, step=EIGHTH_DB, **about)


installed = cache(version)  # of a package; the first look takes a millisecond


def describe_origin(settings: Settings, title: str, stage: str) -> dict[str, Any]:
    """Give the attributes that say what a product is, what made it, and where the sound was recorded.

    No time of its making: a product that is made again has the same bytes.
    """
    software = f"penstock {installed('penstock')}"
    place = {name: getattr(settings, name) for name in ("latitude", "longitude", "depth")}
    return {
        "title": f"{settings.title}: {title}" if settings.title else title,
        "source_software": software,
        "history": f"made by {software}, workflow acoustics, stage {stage}",
    } | {name: value for name, value in place.items() if value is not None}


def describe(settings: Settings, transform: Transform, calibration: Calibration) -> dict[str, Any]:
    """Give the attributes that say how the numbers were made."""
    band = settings.band_pass
    return {
        "Conventions": "CF-1.11",
        "sample_rate": transform.rate,
        "nfft": transform.size,
        "hop": transform.hop,
        "overlap": settings.overlap,
        "window": "hamming, symmetric" if transform.legacy else str(settings.window),
        "scaling": settings.scaling,
        "noise_bandwidth_hz": transform.noise_bandwidth,
        "reference": calibration.reference_of(settings.scaling),
        "reference_value": calibration.reference,
        "calibration": calibration.source,
        "calibration_factor": calibration.factor,
        "bin_seconds": settings.bin,
        "resampled": f"to {settings.resample} Hz, soxr {settings.resample_quality}"
        if settings.resample
        else "no",
        "filter": f"Butterworth, order {settings.band_order}, {band[0]:g} to {band[1]:g} Hz"
        if band
        else "none",
        "normalised": "none"
        if settings.normalise == "none"
        else f"{settings.normalise} {settings.normalise_over}",
        "legacy": settings.legacy or "no",
    }
