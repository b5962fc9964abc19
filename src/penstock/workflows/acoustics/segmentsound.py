"""A segment as a stream of samples: the pieces of its files, and NaN where there is no file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.headers import Unreadable, read_header
from penstock.workflows.acoustics.normal import Moments, Normal
from penstock.workflows.acoustics.qc import Finding, SampleCheck
from penstock.workflows.acoustics.reading import BLOCK, read_blocks
from penstock.workflows.acoustics.segments import Piece, Segment, begin_of, segment_of
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.signal import condition, count_after, tapped
from penstock.workflows.acoustics.sound import Faulty, FileSound, Sound, inspect, refuse_faults
from penstock.workflows.acoustics.timeline import Span, moment

Run = tuple[Piece, ...]


class SegmentSound:
    """One segment. Pieces that touch are one stream, so that a filter knows no border of files."""

    def __init__(self, segment: Segment, settings: Settings, normal: Normal | None = None) -> None:
        self.segment, self.settings, self.normal = segment, settings, normal
        self.name, self.begin = segment.name, begin_of(segment)
        self.rate = settings.resample or segment.pieces[0].rate
        self.frames = round((segment.end - segment.begin) * self.rate)
        self.shared = round(segment.shared * self.rate)
        self.checks = {path: _check(path) for path in dict.fromkeys(each.path for each in segment.pieces)}
        self.runs = [(self._place(run), run) for run in runs(segment.pieces)]
        refuse_faults(self._before(), settings)

    def blocks(self) -> Iterable[NDArray[Any]]:
        normal = self.normal or self._own_normal()
        return normal.apply(self._blocks())

    def stretches(self) -> list[tuple[int, int]]:
        """Give where there is sound, at the rate that the blocks have: first sample and how many."""
        found = []
        for at, run in self.runs:
            count = count_after(sum(p.count for p in run), run[0].rate, self.settings)
            found.append((at, min(count, self.frames - at)))
        return found

    def recorded(self) -> list[Span]:
        begin = self.segment.begin
        return [
            Span(begin + at / self.rate, begin + (at + count) / self.rate) for at, count in self.stretches()
        ]

    def finish(self) -> list[Finding]:
        """Give what was found in the files, each named; what is not finite is no data here."""
        found = self._before()
        for path, check in self.checks.items():
            for each in check.findings():
                spoils = each.kind == "not_finite" and self.settings.conditions
                kind = each.kind if spoils or not each.fault else "gap"
                found.append(Finding(kind, f"{os.path.basename(path)}: {each.why}", each.amount))
        refuse_faults(found, self.settings)
        return found

    def about(self) -> dict[str, Any]:
        pieces = [[os.path.abspath(p.path), p.skip, p.count, p.at] for p in self.segment.pieces]
        found = {
            os.path.abspath(path): [[each.kind, each.why, each.amount] for each in check.findings()]
            for path, check in self.checks.items()
        }
        return {
            "pieces": json.dumps(pieces),
            "findings_of_files": json.dumps(found),
            "source_bytes": sum(p.count for p in self.segment.pieces) * 2,
        }

    def _before(self) -> list[Finding]:
        if self.segment.coverage < self.settings.least_coverage:
            why = (
                f"{self.segment.coverage:.1%} of the segment is recorded, "
                f"least_coverage requires {self.settings.least_coverage:.1%}"
            )
            return [Finding("coverage", why, self.segment.coverage)]
        return []

    def _own_normal(self) -> Normal:
        if self.settings.normalise == "none":
            return Normal()
        if self.settings.normalise_over != "file":
            raise ValueError(
                f"normalise_over = {self.settings.normalise_over!r} needs the stages `statistics` and `normals` "
                "before this one; add them, or use normalise_over = 'file'"
            )
        found = Moments()
        for block in SegmentSound(self.segment, self.settings, Normal())._blocks():
            found += Moments.of(block)
        return Normal.by(self.settings.normalise, found)

    def _place(self, run: Run) -> int:
        return count_after(run[0].at, run[0].rate, self.settings)

    def _blocks(self) -> Iterator[NDArray[Any]]:
        place = 0
        for at, run in self.runs:
            yield from silence(at - place)
            place = max(place, at)
            for block in condition(self._read(run), self.settings, run[0].rate):
                kept = block[: self.frames - place]
                place += len(kept)
                yield kept
        yield from silence(self.frames - place)

    def _read(self, run: Run) -> Iterator[NDArray[Any]]:
        for piece in run:
            yield from tapped(self._samples(piece), self.checks[piece.path].add)

    def _samples(self, piece: Piece) -> Iterator[NDArray[Any]]:
        left = piece.count
        try:
            for block in read_blocks(piece.path, self.settings.channel, skip=piece.skip):
                yield block[:left]
                left -= len(block)
                if left <= 0:
                    return
        except Unreadable as error:
            why = f"{os.path.basename(piece.path)}: {error}"
            raise Faulty([Finding("unreadable", why)]) from error
        why = f"{os.path.basename(piece.path)} is truncated: {left} samples cannot be read"
        raise Faulty([Finding("unreadable", why, left)])


def open_file(path: str, begin: datetime, settings: Settings) -> Sound:
    """Give one recording as a sound: its stream of samples, or its blocks and their pauses."""
    header, found = inspect(path, settings)
    if len(header.blocks) < 2:
        first = moment(header.blocks[0].begin) if header.blocks else begin
        return FileSound(path, first, settings, inspected=(header, found))
    return PausedSound(path, segment_of(path, header), found, settings)


class PausedSound(SegmentSound):
    """A recording with pauses."""

    def __init__(self, path: str, segment: Segment, found: list[Finding], settings: Settings) -> None:
        self.found = found
        super().__init__(segment, replace(settings, least_coverage=0.0))
        self.name = os.path.splitext(os.path.basename(path))[0]

    def _before(self) -> list[Finding]:
        return self.found


def runs(pieces: Sequence[Piece]) -> Iterator[Run]:
    """Join pieces that touch and have one rate."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and not (piece.rate == joined[-1].rate and abs(piece.at - _end(joined[-1])) <= 1):
            yield tuple(joined)
            joined = []
        joined.append(piece)
    if joined:
        yield tuple(joined)


def _end(piece: Piece) -> int:
    return piece.at + piece.count


def silence(count: int) -> Iterator[NDArray[np.float32]]:
    """Give so many samples of no data."""
    for done in range(0, max(0, count), BLOCK):
        yield np.full(min(BLOCK, count - done), np.nan, np.float32)


def _check(path: str) -> SampleCheck:
    try:
        header = read_header(path)
    except Unreadable as error:
        raise Faulty([Finding("unreadable", f"{os.path.basename(path)}: {error}")]) from error
    return SampleCheck(header.bits, floating=header.floating)
