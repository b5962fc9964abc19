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
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.sound import FileSound
from penstock.workflows.acoustics.timeline import seconds


def write_resampled(sound: FileSound, audio: Path, notes: Path) -> None:
    """Write a recording at its new rate as WAV of 32-bit floats (nothing clips), and what was found in it."""
    import soundfile

    with soundfile.SoundFile(audio, "w", sound.rate, 1, "FLOAT", format="WAV") as file:
        for block in sound.blocks():
            file.write(block)
    _write(notes, {"source": sound.about(), "findings": _plain(sound.finish())})


def write_statistics(sound: FileSound, path: Path, *, notes: Mapping[str, Any] | None = None) -> Moments:
    """Write the moments of a recording; `notes` are those of the stage that resampled it."""
    found = Moments()
    for block in sound.blocks():
        found += Moments.of(block)
    own = {"source": sound.about(), "findings": _plain(sound.finish())}
    about = {"audio": os.path.abspath(sound.path), "begin": seconds(sound.begin), "moments": found.as_dict()}
    _write(path, own | dict(notes or {}) | about)
    return found


def write_normals(statistics: Iterable[Path], path: Path, settings: Settings) -> int:
    """Write what normalises the files of each period, or of the whole."""
    read = [json.loads(each.read_text()) for each in statistics]
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


def read_given(statistics: Path) -> dict[str, Any]:
    return json.loads(statistics.read_text())


def choose_normal(given: Mapping[str, Any], all_normals: Sequence[Path], settings: Settings) -> Normal:
    """Give what normalises a recording: its own moments, or those of its period."""
    if settings.normalise_over == "file":
        return Normal.by(settings.normalise, Moments(**given["moments"]))
    if not all_normals:
        raise ValueError(f"normalise_over = {settings.normalise_over!r} needs the stage `normals`; add it")
    known = json.loads(all_normals[0].read_text())
    return Normal(**known[period_of(given["begin"], settings)])


def _plain(findings: Iterable[Finding]) -> list[list[Any]]:
    return [[each.kind, each.why, each.amount] for each in findings]


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")
