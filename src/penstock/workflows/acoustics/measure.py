"""One pass over one recording: checks, spectrogram, sums per time bin, picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from penstock.workflows.acoustics.calibration import read_calibration
from penstock.workflows.acoustics.headers import Header, Unreadable, read_header
from penstock.workflows.acoustics.levels import Columns
from penstock.workflows.acoustics.matrix import Store, to_level
from penstock.workflows.acoustics.pictures import Panel, draw
from penstock.workflows.acoustics.product import Writer
from penstock.workflows.acoustics.qc import Finding, SampleCheck, Usual, check_header
from penstock.workflows.acoustics.reading import read_blocks
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Span, moment

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
