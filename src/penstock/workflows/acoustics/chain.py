"""The stages before a spectrogram, each with its own product: another rate, statistics, normals."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.workflows.acoustics.normal import Moments, Normal, normals, period_of
from penstock.workflows.acoustics.qc import Finding
from penstock.workflows.acoustics.segments import Piece, Segment
from penstock.workflows.acoustics.segmentsound import SegmentSound
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.sound import FileSound, Sound
from penstock.workflows.acoustics.timeline import seconds

MOST_BYTES = 0xFFFF0000  # of samples in a WAV file; RF64 has no such limit


def write_resampled(sound: Sound, audio: Path, notes: Path) -> None:
    """Write a sound at its new rate as WAV of 32-bit floats (nothing clips), and what was found in it.

    Samples that are no data are NaN.
    """
    import soundfile

    form = "WAV" if 4 * sound.frames < MOST_BYTES else "RF64"
    with soundfile.SoundFile(audio, "w", sound.rate, 1, "FLOAT", format=form) as file:
        for block in sound.blocks():
            file.write(block)
    stretches = sound.stretches() if isinstance(sound, SegmentSound) else None
    _write(notes, {"source": sound.about(), "findings": _plain(sound.finish()), "stretches": stretches})


def write_statistics(sound: Sound, path: Path, given: Mapping[str, Any]) -> Moments:
    """Write the moments of a sound, and what is `given` of it: `audio`, where it lies, and `stretches`."""
    found = Moments()
    for block in sound.blocks():
        found += Moments.of(block)
    own = {"source": sound.about(), "findings": _plain(sound.finish())}
    about = {"begin": seconds(sound.begin), "moments": found.as_dict()}
    _write(path, own | {name: given.get(name) for name in ("audio", "stretches")} | about)
    return found


def write_normals(statistics: Iterable[Path], path: Path, settings: Settings) -> int:
    """Write what normalises the files of each period, or of the whole."""
    read = [json.loads(each.read_text("utf-8")) for each in statistics]
    made = normals([(each["begin"], Moments(**each["moments"])) for each in read], settings)
    _write(path, {name: asdict(normal) for name, normal in made.items()})
    return len(made)


class PreparedSound(FileSound):
    """A recording whose statistics are known, and that may have been resampled to a file of its own."""

    def __init__(self, begin: datetime, settings: Settings, given: Mapping[str, Any], normal: Normal) -> None:
        source = given["source"]
        own = replace(settings, sample_rate=None, channels=None)
        if given["audio"] != source["source"]:
            own = replace(own, resample=None, channel=1)
        super().__init__(given["audio"], begin, own, normal)
        self.given = given
        self.name = os.path.splitext(os.path.basename(source["source"]))[0]

    def finish(self) -> list[Finding]:
        super().finish()
        return [Finding(*each) for each in self.given["findings"]]

    def about(self) -> dict[str, Any]:
        return dict(self.given["source"])


class PreparedSegment(SegmentSound):
    """A segment whose statistics are known, and that may have been resampled to a file of its own."""

    def __init__(
        self, segment: Segment, settings: Settings, given: Mapping[str, Any], normal: Normal
    ) -> None:
        self.given = given
        if given["audio"]:
            rate = settings.resample or segment.pieces[0].rate
            pieces = (Piece(given["audio"], rate, at, count, at) for at, count in given["stretches"])
            segment, settings = (
                replace(segment, pieces=tuple(pieces)),
                replace(settings, resample=None, channel=1),
            )
        super().__init__(segment, settings, normal)

    def finish(self) -> list[Finding]:
        return [Finding(*each) for each in self.given["findings"]]

    def about(self) -> dict[str, Any]:
        return dict(self.given["source"])

    def _before(self) -> list[Finding]:
        return []  # the first link has looked


def read_given(statistics: Path) -> dict[str, Any]:
    return json.loads(statistics.read_text(encoding="utf-8"))


def choose_normal(given: Mapping[str, Any], all_normals: Sequence[Path], settings: Settings) -> Normal:
    """Give what normalises a recording: its own moments, or those of its period."""
    if settings.normalise_over == "file":
        return Normal.by(settings.normalise, Moments(**given["moments"]))
    if not all_normals:
        raise ValueError(f"normalise_over = {settings.normalise_over!r} needs the stage `normals`; add it")
    known = json.loads(all_normals[0].read_text("utf-8"))
    return Normal(**known[period_of(given["begin"], settings)])


def _plain(findings: Iterable[Finding]) -> list[list[Any]]:
    return [[each.kind, each.why, each.amount] for each in findings]


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")
