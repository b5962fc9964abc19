"""A recording as a stream of samples that are ready to be framed, watched as they go by."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from penstock.workflows.acoustics.headers import Header, Unreadable, read_header
from penstock.workflows.acoustics.normal import Moments, Normal
from penstock.workflows.acoustics.qc import Finding, SampleCheck, Usual, check_header
from penstock.workflows.acoustics.reading import read_blocks
from penstock.workflows.acoustics.recorders import Recorder, read_recorder
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.timeline import Span, seconds
from penstock.workflows.acoustics.times import stem_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = ("unreadable", "empty", "short", "rate")  # faults that `force` cannot overrule


class Faulty(Exception):
    """A recording that is not to be processed, with its findings."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(finding.why for finding in findings))


class Sound(Protocol):
    """What is measured: samples of one rate from one instant on; NaN where there are none."""

    name: str
    begin: datetime
    rate: int
    frames: int
    shared: int  # samples at the begin that a sound before it has too

    def blocks(self) -> Iterable[NDArray[Any]]: ...
    def recorded(self) -> list[Span]: ...
    def finish(self) -> list[Finding]: ...
    def about(self) -> dict[str, Any]: ...


class FileSound:
    """One file."""

    shared = 0

    def __init__(
        self,
        path: str,
        begin: datetime,
        settings: Settings,
        normal: Normal | None = None,
        *,
        inspected: tuple[Header, list[Finding]] | None = None,
    ) -> None:
        from penstock.workflows.acoustics.signal import count_after

        self.path, self.begin, self.settings = path, begin, settings
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.header, self.found = inspected or inspect(path, settings)
        self.recorder = read_recorder(path, self.header)
        self.skip = self._leave_out_tones()
        self.rate = settings.resample or self.header.rate
        self.frames = count_after(self.header.frames - self.skip, self.header.rate, settings)
        self.check = SampleCheck(self.header.bits, floating=self.header.floating)
        self.normal = normal

    def blocks(self) -> Iterable[NDArray[Any]]:
        normal = self.normal or find_normal(self.path, self.settings)
        return normal.apply(
            conditioned(self.path, self.settings, self.header, self.check.add, skip=self.skip)
        )

    def _leave_out_tones(self) -> int:
        """Begin after the tones with which the recorder calibrates itself; give how many samples they are."""
        if self.settings.keep_tones or not sounds_tones(self.path, self.recorder):
            return 0
        from penstock.workflows.acoustics.tone import find_tones

        skip = find_tones(promised(self.path, self.settings, self.header), self.header.rate)
        if skip:
            long = skip / self.header.rate
            why = f"it begins with {long:.4g} s of tones of its recorder's calibration; they are left out"
            self.found.append(Finding("calibration_tones", why, long))
            self.begin += timedelta(seconds=long)
        return skip

    def recorded(self) -> list[Span]:
        start = seconds(self.begin)
        return [Span(start, start + self.frames / self.rate)]

    def finish(self) -> list[Finding]:
        """Give all findings, or raise Faulty."""
        findings = self.found + check_end(self.check, self.header, self.skip) + self.check.findings()
        refuse_faults(findings, self.settings)
        return findings

    def about(self) -> dict[str, Any]:
        path = os.path.abspath(self.path)
        about = {"source": path, "source_bytes": self.header.size, "source_bits": self.header.bits}
        return about | about_recorder(self.recorder)


def sounds_tones(path: str, recorder: Recorder) -> bool:
    """Say whether a recording is of a SoundTrap: its log, or its name (`5045.220925223450`), tells."""
    return recorder.make == "SoundTrap" or re.fullmatch(r"\d{3,}\.\d{12}", stem_of(path)) is not None


def about_recorder(told: Recorder) -> dict[str, Any]:
    """Give what a product says of the recorder and where it was."""
    about = {"instrument": " ".join(filter(None, (told.make, told.serial))), "instrument_gain": told.gain}
    place = {"latitude": told.latitude, "longitude": told.longitude, "depth": told.depth}
    return {name: value for name, value in (about | place).items() if value not in (None, "")}


def conditioned(
    path: str, settings: Settings, header: Header, watch: Callable[[NDArray[Any]], None], *, skip: int = 0
) -> Iterable[NDArray[Any]]:
    from penstock.workflows.acoustics.signal import condition, tapped

    return condition(tapped(promised(path, settings, header, skip), watch), settings, header.rate)


def find_normal(path: str, settings: Settings) -> Normal:
    """Read the file once through for what normalises it; nothing is read if nothing is asked for."""
    if settings.normalise == "none":
        return Normal()
    if settings.normalise_over != "file":
        raise ValueError(
            f"normalise_over = {settings.normalise_over!r} needs the stages `statistics` and `normals` "
            "before this one; add them, or use normalise_over = 'file'"
        )
    return Normal.by(settings.normalise, find_moments(path, settings))


def find_moments(path: str, settings: Settings) -> Moments:
    """Read a recording once, as it is after resampling and filtering, for its moments."""
    header, _ = inspect(path, settings)
    found = Moments()
    for block in conditioned(path, settings, header, lambda _: None):
        found += Moments.of(block)
    return found


def inspect(path: str, settings: Settings) -> tuple[Header, list[Finding]]:
    """Read the header of a recording and compare it with the campaign's; raise Faulty if it must stay out."""
    try:
        header = read_header(path)
    except Unreadable as error:
        raise Faulty([Finding("unreadable", str(error))]) from error
    usual = Usual(settings.sample_rate, settings.channels)
    findings = check_header(header, usual, resample=settings.resample)
    refuse_faults(findings, settings)
    return header, findings


def refuse_faults(findings: Iterable[Finding], settings: Settings) -> None:
    never = (*NEVER, "not_finite") if settings.conditions else NEVER
    faults = [each for each in findings if each.fault and (not settings.force or each.kind in never)]
    if faults:
        raise Faulty(faults)


def promised(path: str, settings: Settings, header: Header, skip: int = 0) -> Iterator[NDArray[Any]]:
    """Give the samples that the header promises, a block at a time, but for so many first ones."""
    left, after = header.frames - skip, {"skip": skip} if skip else {}
    try:
        for samples in read_blocks(path, settings.channel, **after):
            yield samples[:left]
            left -= len(samples)
            if left <= 0:
                return
    except Unreadable as error:
        raise Faulty([Finding("unreadable", str(error))]) from error


def check_end(check: SampleCheck, header: Header, skip: int = 0) -> list[Finding]:
    missing = header.frames - skip - check.count
    if missing <= 0:
        return []
    why = f"the file is truncated: {missing} of its {header.frames} samples cannot be read"
    return [Finding("truncated", why, missing)]


def check_samples(path: str, settings: Settings) -> list[Finding]:
    """Give every finding of one recording without writing anything."""
    try:
        header, findings = inspect(path, settings)
        check = SampleCheck(header.bits, floating=header.floating)
        for block in promised(path, settings, header):
            check.add(block)
    except Faulty as error:
        return list(error.findings)
    return findings + check_end(check, header) + check.findings()
