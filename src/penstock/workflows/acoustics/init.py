"""A new campaign: from a folder of recordings to a `penstock.toml`."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.colours import choose_range
from penstock.workflows.acoustics.cost import Load, choose_step
from penstock.workflows.acoustics.definition import Shape, render_definition
from penstock.workflows.acoustics.names import Pattern, guess_pattern, parse_pattern, read_any_time
from penstock.workflows.acoustics.recordings import Dataset, scan_paths
from penstock.workflows.acoustics.settings import Settings, read_settings
from penstock.workflows.acoustics.tables import write_recordings
from penstock.workflows.acoustics.timeline import WIDTHS
from penstock.workflows.acoustics.times import (
    Anywhere,
    Localised,
    Naming,
    back_to_back,
    read_timestamps,
    read_zone,
    stem_of,
)
from penstock.workflows.setup.definition import FILE, campaign_name, definition_in, write_definition

EXTENSIONS = (".wav", ".flac", ".aif", ".aiff", ".w64", ".ogg")
TABLE = "recordings.csv"
BATCH = 200
MAJORITY = 0.9  # share of one sample rate above which others are single odd files
DAY = 86400.0
FRAMES_A_BIN = 100  # with fewer, the sums of the bins weigh as much as the matrix


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_campaign` made."""

    definition: Path
    dataset: Dataset
    settings: Settings


@dataclass(frozen=True, slots=True)
class Times:
    """How begins are known if names do not tell: a table, a time zone, or files back to back from `first`."""

    table: Path | None = None
    zone: str | None = None
    first: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Recordings, and what knows their begins; `pattern` is as seen from the campaign's folder."""

    pattern: Pattern
    paths: list[str]
    naming: Naming

    @property
    def by_name(self) -> bool:
        """Say whether the engine can read the begins from the names itself."""
        return isinstance(self.naming, Pattern) and self.naming.plain(self.paths)


def write_campaign(
    folder: Path,
    audio: str,
    *,
    begin: str | None = None,
    times: Times | None = None,
    shape: Shape | None = None,
    params: Mapping[str, Any] | None = None,
) -> Written:
    """Write `penstock.toml` in `folder` for the recordings that `audio` names.

    `audio` is a folder, a glob (`data/*.wav`) or a pattern (`data/{site}_{begin:%Y%m%d_%H%M%S}.wav`);
    `begin` is the strptime format of the time in the names, where it cannot be guessed. `params` are
    settings, as `{"nfft": 2048}`. The recordings are only read. Raises DefinitionError.
    """
    definition, shape = definition_in(folder), shape or Shape(BATCH)
    found = find_recordings(folder, audio, begin, times)
    given = {name: value for name, value in (params or {}).items() if value is not None}
    dataset = scan_paths(found.paths, found.naming, read_settings(given))
    usual = {"sample_rate": dataset.usual.rate, "channels": dataset.usual.channels}
    _refuse_mixed_rates(dataset, given)
    settings = read_settings(usual | given)
    if "bin" not in given and settings.sample_rate:
        settings = replace(settings, bin=choose_bin(settings.resample or settings.sample_rate, settings.hop))
    if "step_db" not in given:
        settings = replace(settings, step_db=choose_step(dataset, settings))
    if "db_range" not in given:
        settings = replace(settings, db_range=choose_range(dataset, settings))
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"audio": found.pattern.text} | usual | _shown(settings) | given
    if not found.by_name:
        cards = cards_of(found.paths)
        write_recordings(folder / TABLE, dataset, cards)
        chosen, shape = chosen | {"times": TABLE}, replace(shape, table=TABLE, cards=bool(cards))
    load = Load.of(dataset, settings, segments=shape.segments)
    shape = replace(shape, load=load, days=dataset.length >= DAY)
    name = campaign_name(folder, "acoustics")
    write_definition(definition, render_definition(name, found.pattern, chosen, shape))
    return Written(definition, dataset, settings)


def _refuse_mixed_rates(dataset: Dataset, given: Mapping[str, Any]) -> None:
    """Refuse recordings of which no rate has nine in ten: it is not one odd file, it is two instruments."""
    rates = Counter(each.header.rate for each in dataset.recordings if each.header)
    most = max(rates.values(), default=0)
    if len(rates) > 1 and most < MAJORITY * sum(rates.values()) and not {"resample", "force"} & set(given):
        shown = ", ".join(f"{count} of {rate} Hz" for rate, count in rates.most_common())
        raise DefinitionError(
            f"the recordings have different sample rates ({shown}): ask for one with --resample HZ, "
            "choose fewer files with --audio, or leave all but the first out with --force"
        )


def find_recordings(folder: Path, audio: str, begin: str | None = None, times: Times | None = None) -> Found:
    """Find the recordings and what knows when they begin."""
    times = times or Times()
    zone = read_zone(times.zone) if times.zone else None
    if times.table is None and times.first is None:
        pattern, paths, here = find_audio(folder, audio, begin)
        return Found(pattern, paths, Localised(here, zone) if zone else here)
    paths = _found(_matching(audio, folder), audio)
    naming = (
        read_timestamps(times.table, zone)
        if times.table
        else back_to_back(paths, read_any_time(times.first or ""))
    )
    return Found(parse_pattern(_seen_from(folder, _literal(audio))), paths, naming)


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def find_audio(
    folder: Path, audio: str, begin: str | None = None
) -> tuple[Pattern, list[str], Pattern | Anywhere]:
    """Give the pattern as seen from `folder`, the paths found, and the pattern that fits these paths."""
    if "{" in audio and not os.path.isdir(audio):
        here = parse_pattern(audio)
        if here.begin_format is None:
            raise DefinitionError(f"the pattern {audio!r} has no time; write it as {{begin:FORMAT}}")
        return parse_pattern(_seen_from(folder, here.text)), _found(here.find(), audio), here
    paths = _found(_matching(audio, folder), audio)
    if len({(os.path.dirname(path), os.path.splitext(path)[1]) for path in paths}) > 1:
        stems = parse_pattern(guess_pattern(sorted(map(stem_of, paths)), begin))
        return parse_pattern(_seen_from(folder, _literal(audio))), paths, Anywhere(stems)
    here = parse_pattern(guess_pattern(paths, begin))
    return parse_pattern(_seen_from(folder, here.text)), paths, here


def _found(paths: list[str], audio: str) -> list[str]:
    if not paths:
        raise DefinitionError(
            f"no recordings match {audio!r}; check the path, and quote a pattern for the shell"
        )
    return paths


def cards_of(paths: Sequence[str]) -> dict[str, str]:
    """Name the memory card of each recording, by its folder, if two have recordings of one name; else none."""
    if len(set(map(stem_of, paths))) == len(paths):
        return {}
    root = os.path.commonpath([os.path.dirname(path) for path in paths])
    names = ((path, os.path.relpath(os.path.dirname(path), root)) for path in paths)
    return {path: re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-") or "top" for path, name in names}


def choose_bin(rate: int, hop: int) -> float:
    """Choose a time bin of 10 s, or more where it takes longer to make a hundred frames."""
    least = max(10.0, FRAMES_A_BIN * hop / rate)
    return float(next((width for width in WIDTHS if width >= least), WIDTHS[-1]))


def _matching(audio: str, campaign: Path) -> list[str]:
    """List the files of a glob, or the recordings of a folder and of those in it; never the campaign's own."""
    if not os.path.isdir(audio):
        return sorted(path for path in glob.iglob(audio, recursive=True) if os.path.isfile(path))
    found = sorted(_recordings_in(audio, os.path.abspath(campaign)))
    kinds = {os.path.splitext(path)[1] for path in found}
    if len(set(map(str.lower, kinds))) > 1:
        raise DefinitionError(
            f"{audio} holds {' and '.join(sorted(kinds))} files; choose, as '{audio}/**/*{min(kinds)}'"
        )
    return found


def _recordings_in(folder: str, campaign: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = [
            each
            for each in folders
            if each[0] != "." and not _is_campaign(os.path.join(place, each), campaign)
        ]
        for name in names:
            if name[0] != "." and os.path.splitext(name)[1].lower() in EXTENSIONS:
                yield os.path.join(place, name)


def _is_campaign(folder: str, campaign: str) -> bool:
    return os.path.abspath(folder) == campaign or os.path.exists(os.path.join(folder, FILE))


def _seen_from(folder: Path, pattern: str) -> str:
    """Write a pattern relative to the folder if it lies inside, else absolute."""
    absolute, root = os.path.abspath(pattern), os.path.abspath(folder)
    return os.path.relpath(absolute, root) if absolute.startswith(root + os.sep) else absolute


def _shown(settings: Settings) -> dict[str, Any]:
    """Choose what a newcomer wants to see and change."""
    return {
        name: getattr(settings, name) for name in ("nfft", "overlap", "window", "bin", "step_db", "db_range")
    }
