"""The recordings of a campaign: found by a pattern, read by their headers, checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from penstock.workflows.acoustics.headers import Header, Unreadable, read_header
from penstock.workflows.acoustics.names import Pattern, with_fraction
from penstock.workflows.acoustics.qc import Finding, Usual, check_header, check_times, find_usual
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.timeline import Span, seconds

READERS = 8  # headers are read side by side: on network storage the wait is what counts
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Recording:
    """One file: its begin from the name, its header if there is one, what was found."""

    path: str
    begin: datetime | None
    header: Header | None
    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def stem(self) -> str:
        return os.path.splitext(self.name)[0]

    @property
    def end(self) -> datetime | None:
        return self.begin + timedelta(seconds=self.header.duration) if self.begin and self.header else None

    @property
    def faults(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.fault)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.fault)

    def with_findings(self, more: Sequence[Finding]) -> Recording:
        """Add what is not known already."""
        known = {finding.kind for finding in self.findings}
        return replace(self, findings=(*self.findings, *(each for each in more if each.kind not in known)))


@dataclass(frozen=True, slots=True)
class Dataset:
    """All files that the pattern finds, sorted by time, and what most of them are like."""

    recordings: tuple[Recording, ...]
    usual: Usual


def scan(pattern: Pattern, settings: Settings | None = None) -> Dataset:
    """Find the recordings, read their headers and check them; the files themselves stay as they are."""
    return scan_paths(pattern.find(), pattern, settings)


def scan_paths(paths: Sequence[str], pattern: Pattern, settings: Settings | None = None) -> Dataset:
    settings = settings or Settings()
    with ThreadPoolExecutor(READERS) as pool:
        groups = [paths[i : i + AT_ONCE] for i in range(0, len(paths), AT_ONCE)]
        found = [
            each
            for group in pool.map(lambda some: [_read(path, pattern) for path in some], groups)
            for each in group
        ]
    usual = _usual(found, settings)
    checked = [
        each.with_findings(
            check_header(each.header, usual, settings.duration_tolerance, resample=settings.resample)
        )
        if each.header
        else each
        for each in found
    ]
    return Dataset(tuple(_timed(checked, settings.gap_tolerance)), usual)


def _read(path: str, pattern: Pattern) -> Recording:
    begin, findings = pattern.begin(path), list[Finding]()
    if begin is None:
        findings.append(Finding("badly_named", f"the name does not fit {os.path.basename(pattern.text)}"))
    else:
        begin = with_fraction(begin, pattern.fields(path))
    try:
        return Recording(path, begin, read_header(path), tuple(findings))
    except Unreadable as error:
        findings.append(Finding("unreadable", str(error)))
        return Recording(path, begin, None, tuple(findings))


def _usual(found: Sequence[Recording], settings: Settings) -> Usual:
    """Take the majority, but what the settings say stands."""
    usual = find_usual([each.header for each in found if each.header])
    return replace(
        usual, rate=settings.sample_rate or usual.rate, channels=settings.channels or usual.channels
    )


def _timed(found: Sequence[Recording], tolerance: float) -> list[Recording]:
    """Sort by time and add gaps, overlaps and equal begins; files without time or length come last."""
    timed = sorted(
        (each for each in found if each.begin and each.header and each.header.promised), key=_order
    )
    spans = [Span(seconds(each.begin), seconds(each.end)) for each in timed if each.begin and each.end]
    checked = [
        each.with_findings(more) for each, more in zip(timed, check_times(spans, tolerance), strict=True)
    ]
    kept = {id(each) for each in timed}
    return [*checked, *sorted((each for each in found if id(each) not in kept), key=lambda each: each.path)]


def _order(recording: Recording) -> tuple[datetime, str]:
    assert recording.begin is not None
    return recording.begin, recording.path
