"""One pass over one recording: checks, spectrogram, sums per time bin, picture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.calibration import Calibration, read_calibration
from penstock.workflows.acoustics.headers import Header, Unreadable, read_header
from penstock.workflows.acoustics.levels import BinSum, BinSums, Columns
from penstock.workflows.acoustics.matrix import SECONDS_1970, Matrix, Store, to_level
from penstock.workflows.acoustics.pictures import Panel, draw
from penstock.workflows.acoustics.qc import Finding, SampleCheck, Usual, check_header
from penstock.workflows.acoustics.reading import read_blocks
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins, Span, moment, seconds

CHUNK = 1 << 18  # values in a chunk of the matrix: half a megabyte
NEVER = ("unreadable", "empty", "short", "rate")  # faults that `force` cannot overrule


class Faulty(Exception):
    """A recording that is not to be processed, with its findings."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(finding.why for finding in findings))


@dataclass(frozen=True, slots=True)
class Measured:
    """What one pass found, small enough for a task's result."""

    frames: int
    seconds: float
    level: float  # broadband, dB
    findings: tuple[Finding, ...]


def measure(path: str, begin: datetime, settings: Settings, *, product: Path, picture: Path) -> Measured:
    """Read a recording once, in blocks, and write its matrix with levels, and its picture."""
    header, findings = inspect(path, settings)
    transform = make_transform(settings, header)
    frames = transform.count(header.frames)
    if not frames:
        why = f"it holds {header.frames} samples, fewer than one window of {transform.size}"
        raise Faulty([Finding("short", why, header.frames)])
    check = SampleCheck(header.bits, floating=header.floating)
    with ExitStack() as stack:
        store = stack.enter_context(Store(product))
        writer = Writer(store, transform, settings, header, begin)
        columns = Columns(
            frames, len(transform.frequencies()), settings.picture_width, settings.picture_height
        )
        for first, power in _numbered(transform, watched(path, settings, header, check), writer.width):
            writer.put(first, power)
            columns.add(first, power)
        findings += check_end(check, header) + check.findings()
        refuse_faults(findings, force=settings.force)
        writer.close(path, findings)
    _draw(columns, transform, settings, picture, begin=begin, span=writer.span, name=Path(path).stem)
    return Measured(frames, writer.span.length, writer.level(), tuple(findings))


def inspect(path: str, settings: Settings) -> tuple[Header, list[Finding]]:
    """Read the header of a recording and compare it with the campaign's; raise Faulty if it must stay out."""
    try:
        header = read_header(path)
    except Unreadable as error:
        raise Faulty([Finding("unreadable", str(error))]) from error
    findings = check_header(header, Usual(settings.sample_rate, settings.channels))
    refuse_faults(findings, force=settings.force)
    return header, findings


def refuse_faults(findings: Iterable[Finding], *, force: bool) -> None:
    faults = [finding for finding in findings if finding.fault and (not force or finding.kind in NEVER)]
    if faults:
        raise Faulty(faults)


def make_transform(settings: Settings, header: Header) -> Transform:
    return Transform.of(
        rate=header.rate,
        size=settings.nfft,
        hop=settings.hop,
        window=settings.window,
        scaling=settings.scaling,
        factor=read_calibration(settings).factor,
    )


def watched(path: str, settings: Settings, header: Header, check: SampleCheck) -> Iterator[NDArray[Any]]:
    """Give the samples that the header promises, a block at a time, past the check."""
    left = header.frames
    try:
        for samples in read_blocks(path, settings.channel):
            check.add(samples[:left])
            yield samples[:left]
            left -= len(samples)
            if left <= 0:
                return
    except Unreadable as error:
        raise Faulty([Finding("unreadable", str(error))]) from error


def check_end(check: SampleCheck, header: Header) -> list[Finding]:
    missing = header.frames - check.count
    if missing <= 0:
        return []
    why = f"the file is truncated: {missing} of its {header.frames} samples cannot be read"
    return [Finding("truncated", why, missing)]


def check_samples(path: str, settings: Settings) -> list[Finding]:
    """Give every finding of one recording without writing anything."""
    try:
        header, findings = inspect(path, settings)
        check = SampleCheck(header.bits, floating=header.floating)
        for _ in watched(path, settings, header, check):
            continue
    except Faulty as error:
        return list(error.findings)
    return findings + check_end(check, header) + check.findings()


def _numbered(
    transform: Transform, samples: Iterator[NDArray[Any]], count: int
) -> Iterator[tuple[int, NDArray[Any]]]:
    first = 0
    for power in transform.blocks(samples, count):
        yield first, power
        first += len(power)


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
        self.store.dimension("time", self.transform.times(count), calendar="standard", **centres)
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


def _draw(
    columns: Columns,
    transform: Transform,
    settings: Settings,
    picture: Path,
    *,
    begin: datetime,
    span: Span,
    name: str,
) -> None:
    calibration = read_calibration(settings)
    panel = Panel(
        levels=to_level(columns.mean(), calibration.reference),
        top=transform.rate / 2,
        begin=begin,
        end=moment(span.end),
        title=name,
        unit=f"dB re {calibration.reference_of(settings.scaling)}",
    )
    draw(panel, picture, colours=settings.colours, db_range=settings.db_range)
