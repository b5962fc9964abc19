"""One recording's NetCDF product, written as the frames come."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.calibration import Calibration, read_calibration
from penstock.workflows.acoustics.headers import Header
from penstock.workflows.acoustics.levels import BinSum, BinSums
from penstock.workflows.acoustics.matrix import SECONDS_1970, Matrix, Store, to_level
from penstock.workflows.acoustics.qc import Finding
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins, Span, seconds

CHUNK = 1 << 18  # values in a chunk of the matrix: half a megabyte


class Writer:
    """Puts one recording's spectra into its NetCDF file as they come."""

    def __init__(
        self, store: Store, transform: Transform, settings: Settings, header: Header, begin: datetime
    ) -> None:
        self.store, self.transform, self.settings, self.header, self.begin = (
            store,
            transform,
            settings,
            header,
            begin,
        )
        self.calibration = read_calibration(settings)
        start = seconds(begin)
        self.span = Span(start, start + header.frames / header.rate)
        self.bins = Bins.over(self.span, settings.bin)
        self.sums = BinSums(transform, self.bins, start - self.bins.first * settings.bin)
        self.width = max(1, CHUNK // len(transform.frequencies()))
        self._write_axes()
        self.matrix = Matrix(self._make_matrix(), settings.step_db, self.calibration.reference)
        self.totals, self.counts, self.levels = self._make_bins()

    def put(self, first: int, power: NDArray[Any]) -> None:
        self.matrix.put(first, power)
        self._put_bins(self.sums.add(first, power))

    def close(self, path: str, findings: Sequence[Finding]) -> None:
        self._put_bins(self.sums.close())
        self.matrix.close()
        unit = self.calibration.unit_of(self.settings.scaling)
        name, mean = "mean power over all frames (Welch)", self.sums.mean().astype(np.float32)
        self.store.variable("psd", ("frequency",), mean, units=unit, long_name=name)
        self.store.describe(describe(self.settings, self.transform, self.calibration))
        self.store.describe(
            {
                "source": os.path.abspath(path),
                "source_bytes": self.header.size,
                "source_bits": self.header.bits,
                "channel": self.settings.channel,
                "begin": self.begin.isoformat(),
                "duration_seconds": self.span.length,
                "findings": json.dumps([[each.kind, each.why, each.amount] for each in findings]),
            }
        )

    def level(self) -> float:
        power = float(self.transform.broadband(self.sums.mean()))
        return self.calibration.level(max(power, 1e-300))

    def _write_axes(self) -> None:
        count = self.transform.count(self.header.frames)
        self.store.dimension(
            "frequency", self.transform.frequencies(), units="Hz", standard_name="sound_frequency"
        )
        since = f"seconds since {self.begin.isoformat(timespec='microseconds')}"
        centres = {"units": since, "standard_name": "time", "long_name": "centre of the frame, UTC"}
        self.store.axis("time", count, self._times, calendar="standard", **centres)
        begins = {"units": SECONDS_1970, "standard_name": "time", "long_name": "begin of the bin, UTC"}
        self.store.dimension("bin", np.array(self.bins.starts()), calendar="standard", **begins)

    def _times(self, first: int, count: int) -> NDArray[np.float64]:
        return self.transform.times(count, first)

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
        lasting = np.array(self.bins.seconds_inside(self.span))
        self.store.variable("bin_seconds", ("bin",), lasting, units="s", long_name="recorded time in the bin")
        total = "sum of power over the frames whose centre lies in the bin"
        reference = self.calibration.reference_of("spectrum")
        return (
            self.store.rows("bin_total", ("bin", "frequency"), np.float32, units=unit, long_name=total),
            self.store.rows("bin_frames", ("bin",), np.int32, units="1", long_name="frames in the bin"),
            self.store.rows(
                "bin_level",
                ("bin",),
                np.float32,
                units="dB",
                long_name="broadband level",
                reference=reference,
            ),
        )

    def _put_bins(self, sums: Iterable[BinSum]) -> None:
        for each in sums:
            self.totals[each.place] = each.total
            self.counts[each.place] = each.frames
            power = self.transform.broadband(each.total / each.frames)
            self.levels[each.place] = to_level(power, self.calibration.reference)


def describe(settings: Settings, transform: Transform, calibration: Calibration) -> dict[str, Any]:
    """Give the attributes that say how the numbers were made."""
    return {
        "Conventions": "CF-1.11",
        "sample_rate": transform.rate,
        "nfft": transform.size,
        "hop": transform.hop,
        "overlap": settings.overlap,
        "window": str(settings.window),
        "scaling": settings.scaling,
        "noise_bandwidth_hz": transform.noise_bandwidth,
        "reference": calibration.reference_of(settings.scaling),
        "reference_value": calibration.reference,
        "calibration": calibration.source,
        "calibration_factor": calibration.factor,
        "bin_seconds": settings.bin,
    }
