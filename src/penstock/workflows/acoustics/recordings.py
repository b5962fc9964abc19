"""The recordings of a campaign: found by a pattern, read by their headers, checked."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.workflows.acoustics.headers import Header, Unreadable, read_header
from penstock.workflows.acoustics.names import Pattern, parse_pattern, read_any_time
from penstock.workflows.acoustics.qc import Finding, Usual, check_header, check_times, find_usual
from penstock.workflows.acoustics.recorders import Recorder, read_recorder
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.timeline import Span, moment, seconds
from penstock.workflows.acoustics.times import Naming, Table, begin_by

READERS = 8  # headers are read side by side: on network storage the wait is what counts
AT_ONCE = 64


SILENT = Recorder()  # tells nothing


@dataclass(frozen=True, slots=True)
class Recording:
    """One file: its begin from the name, its header if there is one, what was found."""

    path: str
    begin: datetime | None
    header: Header | None
    findings: tuple[Finding, ...] = ()
    recorder: Recorder = SILENT

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def stem(self) -> str:
        return os.path.splitext(self.name)[0]

    @property
    def end(self) -> datetime | None:
        return self.begin + timedelta(seconds=self.header.length) if self.begin and self.header else None

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

    @property
    def length(self) -> float:
        """Seconds from the first begin to the last end."""
        ends = [each.end for each in self.recordings if each.begin and each.end]
        begins = [each.begin for each in self.recordings if each.begin and each.end]
        return (max(ends) - min(begins)).total_seconds() if ends else 0.0


def scan(pattern: Pattern, settings: Settings | None = None) -> Dataset:
    """Find the recordings, read their headers and check them; the files themselves stay as they are."""
    return scan_paths(pattern.find(), pattern, settings)


def scan_campaign(params: Mapping[str, Any], settings: Settings, root: str = "") -> Dataset:
    """Find the recordings of a campaign: by its pattern, or by the table that `init` wrote."""
    if "times" not in params:
        return scan(parse_pattern(os.path.join(root, params["audio"])), settings)
    rows = read_recordings(Path(root, params["times"]))
    begins = {os.path.join(root, row["path"]): read_any_time(row["begin"]) for row in rows if row["begin"]}
    paths = [os.path.join(root, row["path"]) for row in rows]
    return scan_paths(paths, Table(params["times"], begins), settings)


def read_recordings(table: Path) -> list[dict[str, str]]:
    """Read the table of recordings that `init` writes: file, path, begin."""
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def scan_paths(paths: Sequence[str], pattern: Naming, settings: Settings | None = None) -> Dataset:
    """Read the headers of files and check them; a file that the table names and that is not there is told."""
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
    timed = _timed(checked, settings.gap_tolerance)
    return Dataset((*timed, *_missing(paths, pattern)), usual)


def _missing(paths: Sequence[str], naming: Naming) -> Iterator[Recording]:
    there = {os.path.basename(path) for path in paths} | set(paths)
    for name in sorted(set(naming.begins) - there) if isinstance(naming, Table) else ():
        yield Recording(
            name, None, None, (Finding("missing", f"{naming.text} names it, but it does not exist"),)
        )


def _read(path: str, pattern: Naming) -> Recording:
    begin, findings = begin_by(pattern, path), list[Finding]()
    if begin is None:
        findings.append(Finding("badly_named", f"the name does not fit {os.path.basename(pattern.text)}"))
    try:
        header = read_header(path)
    except Unreadable as error:
        findings.append(Finding("unreadable", str(error)))
        return Recording(path, begin, None, tuple(findings))
    if header.blocks:
        begin, findings = moment(header.blocks[0].begin), []
    return Recording(path, begin, header, tuple(findings), read_recorder(path, header))


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
