"""Segments of a timeline of files: which samples of which file make each, and where nothing is.

All places are whole samples, so that a segment cut across a border has the very samples of both files.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate

from penstock.workflows.acoustics.headers import Header
from penstock.workflows.acoustics.names import read_any_time
from penstock.workflows.acoustics.recordings import Dataset, Recording
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.sound import NEVER
from penstock.workflows.acoustics.timeline import moment, seconds


@dataclass(frozen=True, slots=True)
class Clip:
    """One file on the timeline: begin in seconds since 1970."""

    path: str
    begin: float
    rate: int
    frames: int
    skip: int = 0  # samples of the file before it

    @property
    def end(self) -> float:
        return self.begin + self.frames / self.rate

    @property
    def stem(self) -> str:
        return self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples `skip … skip + count` of a file, put at sample `at` of the segment, in the file's rate."""

    path: str
    rate: int
    skip: int
    count: int
    at: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the timeline; what no piece covers is no data.

    For `shared` seconds from its begin on, an earlier segment tells the same.
    """

    name: str
    begin: float
    end: float
    pieces: tuple[Piece, ...]
    shared: float = 0.0

    @property
    def coverage(self) -> float:
        """Give the recorded share, 0…1."""
        return sum(piece.count / piece.rate for piece in self.pieces) / (self.end - self.begin)


@dataclass(frozen=True, slots=True)
class Cut:
    """A name and a stretch of time that becomes a segment."""

    name: str
    begin: float
    end: float


def plan_segments(clips: Sequence[Clip], settings: Settings) -> list[Segment]:
    """Cut a timeline into segments; those that hold no sample at all are left out.

    Where files overlap, the earlier one is heard.
    """
    clips = sorted(clips, key=lambda clip: (clip.begin, clip.path))
    if not clips:
        return []
    first, last = clips[0].begin, max(clip.end for clip in clips)
    begin = _cut(settings.segment_begin, first)
    end = _cut(settings.segment_end, last)
    cuts = list(CUTTERS[settings.segment_mode](clips, settings, begin, end))
    begins, ends = [clip.begin for clip in clips], list(accumulate((clip.end for clip in clips), max))
    made = (
        _fill(cut, clips[bisect_right(ends, cut.begin) : bisect_left(begins, cut.end)])
        for cut in sorted(cuts, key=lambda cut: cut.begin)
    )
    return list(_share([segment for segment in made if segment.pieces], settings))


def _share(segments: Iterable[Segment], settings: Settings) -> Iterator[Segment]:
    """Say of each segment how much of its begin earlier ones tell; those of too little coverage tell nothing."""
    told = -math.inf
    for segment in segments:
        yield replace(segment, shared=min(max(0.0, told - segment.begin), segment.end - segment.begin))
        if segment.coverage >= settings.least_coverage:
            told = max(told, segment.end)


def _cut(text: str | None, otherwise: float) -> float:
    return otherwise if text is None else seconds(read_any_time(text))


def _by_file(clips: Sequence[Clip], settings: Settings, begin: float, end: float) -> Iterator[Cut]:
    for clip in clips:
        start, stop = max(begin, clip.begin), min(end, clip.end)
        if start < stop:
            yield Cut(clip.stem, start, stop)


def _from_first(clips: Sequence[Clip], settings: Settings, begin: float, end: float) -> Iterator[Cut]:
    for start in _starts(begin, end, settings):
        yield Cut(name_of(start), start, start + settings.segment)


def _inside(clips: Sequence[Clip], settings: Settings, begin: float, end: float) -> Iterator[Cut]:
    for clip in clips:
        stop = min(end, clip.end)
        for i, start in enumerate(_starts(max(begin, clip.begin), stop, settings)):
            if start + settings.segment <= stop + 0.5 / clip.rate:
                yield Cut(f"{clip.stem}_{i}", start, start + settings.segment)


CUTTERS = {"file": _by_file, "first": _from_first, "inside": _inside}


def _starts(begin: float, end: float, settings: Settings) -> Iterator[float]:
    step = settings.segment * (1 - settings.segment_overlap)
    for i in range(max(0, math.ceil((end - begin) / step - 1e-9))):
        yield begin + i * step


def name_of(begin: float) -> str:
    """Name a segment by its begin: `20260117T040000`, with `_250` for a quarter of a second."""
    at = moment(begin).astimezone(UTC)
    return f"{at:%Y%m%dT%H%M%S}" + (f"_{at.microsecond // 1000:03d}" if at.microsecond else "")


def _fill(cut: Cut, clips: Sequence[Clip]) -> Segment:
    pieces: list[Piece] = []
    free = cut.begin  # before it, everything is taken
    for clip in clips:
        start, stop = max(free, clip.begin), min(cut.end, clip.end)
        skip, at = round((start - clip.begin) * clip.rate), round((start - cut.begin) * clip.rate)
        count = min(clip.frames, round((stop - clip.begin) * clip.rate)) - skip
        if count > 0:
            pieces.append(Piece(clip.path, clip.rate, clip.skip + skip, count, at))
            free = max(free, stop)
    return Segment(cut.name, cut.begin, cut.end, tuple(pieces))


def clips_of(dataset: Dataset, settings: Settings) -> list[Clip]:
    """Lay the recordings out that are fit to be used (or all that can be read, by force).

    One of another sample rate is never taken, unless it is resampled.
    """
    return [
        clip
        for each in dataset.recordings
        if each.begin and each.header and each.header.frames and _fit(each, settings)
        for clip in clips_in(each.path, each.header, seconds(each.begin))
    ]


def clips_in(path: str, header: Header, begin: float) -> list[Clip]:
    """Give what one file has without a pause."""
    if not header.blocks:
        return [Clip(path, begin, header.rate, header.frames)]
    return [Clip(path, each.begin, header.rate, each.count, each.skip) for each in header.blocks]


def segment_of(path: str, header: Header) -> Segment:
    """Give a file with pauses as one segment."""
    clips = clips_in(path, header, 0.0)
    return _fill(Cut(clips[0].stem, clips[0].begin, clips[-1].end), clips)


def _fit(recording: Recording, settings: Settings) -> bool:
    kinds = {finding.kind for finding in recording.faults}
    return not kinds or (settings.force and not kinds & {*NEVER})


def begin_of(segment: Segment) -> datetime:
    return moment(segment.begin)
