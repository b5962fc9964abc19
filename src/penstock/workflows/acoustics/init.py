"""A new campaign: from a folder of recordings to a `penstock.toml`."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.names import Pattern, guess_pattern, parse_pattern
from penstock.workflows.acoustics.recordings import Dataset, scan_paths
from penstock.workflows.acoustics.settings import Settings, read_settings
from penstock.workflows.acoustics.timeline import WIDTHS

EXTENSIONS = (".wav", ".flac", ".aif", ".aiff", ".w64", ".ogg")
STAGES = "penstock.workflows.acoustics"
BATCH = 200
FRAMES_A_BIN = 100  # with fewer, the sums of the bins weigh as much as the matrix


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_campaign` made."""

    definition: Path
    dataset: Dataset
    settings: Settings


def write_campaign(
    folder: Path,
    audio: str,
    *,
    begin: str | None = None,
    workers: int | None = None,
    batch: int = BATCH,
    settle: str | None = None,
    segments: bool = False,
    params: Mapping[str, Any] | None = None,
) -> Written:
    """Write `penstock.toml` in `folder` for the recordings that `audio` names.

    `audio` is a folder, a glob (`data/*.wav`) or a pattern (`data/{site}_{begin:%Y%m%d_%H%M%S}.wav`);
    `begin` is the strptime format of the time in the names, where it cannot be guessed. `params` are
    settings, as `{"nfft": 2048}`. The recordings are only read. Raises DefinitionError.
    """
    definition = folder / "penstock.toml"
    if definition.exists():
        raise DefinitionError(f"{definition} is there already; choose another folder, or edit it")
    pattern, paths, here = find_audio(folder, audio, begin)
    dataset = scan_paths(paths, here)
    given = {name: value for name, value in (params or {}).items() if value is not None}
    usual = {"sample_rate": dataset.usual.rate, "channels": dataset.usual.channels}
    settings = read_settings(usual | given)
    if "bin" not in given and settings.sample_rate:
        settings = replace(settings, bin=choose_bin(settings.sample_rate, settings.hop))
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"audio": pattern.text} | usual | _shown(settings) | given
    text = render_definition(
        campaign_name(folder),
        pattern,
        chosen,
        workers=workers or os.cpu_count() or 1,
        batch=batch,
        settle=settle,
        segments=segments,
    )
    definition.write_text(text, encoding="utf-8")
    return Written(definition, dataset, settings)


def find_audio(folder: Path, audio: str, begin: str | None = None) -> tuple[Pattern, list[str], Pattern]:
    """Give the pattern as seen from `folder`, the paths found, and the pattern that fits these paths."""
    if "{" in audio and not os.path.isdir(audio):
        here = parse_pattern(audio)
        if here.begin_format is None:
            raise DefinitionError(f"the pattern {audio!r} has no time; write it as {{begin:FORMAT}}")
        paths = here.find()
    else:
        paths = _matching(audio)
        here = parse_pattern(guess_pattern(paths, begin)) if paths else None
    if here is None or not paths:
        raise DefinitionError(
            f"no recordings match {audio!r}; look at the path, and quote a pattern for the shell"
        )
    return parse_pattern(_seen_from(folder, here.text)), paths, here


def choose_bin(rate: int, hop: int) -> float:
    """Choose a time bin of 10 s, or more where it takes longer to make a hundred frames."""
    least = max(10.0, FRAMES_A_BIN * hop / rate)
    return float(next((width for width in WIDTHS if width >= least), WIDTHS[-1]))


def _matching(audio: str) -> list[str]:
    if not os.path.isdir(audio):
        return sorted(path for path in glob.iglob(audio) if os.path.isfile(path))
    inside = sorted(
        entry.path for entry in os.scandir(audio) if entry.is_file() and not entry.name.startswith(".")
    )
    found = [path for path in inside if os.path.splitext(path)[1].lower() in EXTENSIONS]
    kinds = {os.path.splitext(path)[1] for path in found}
    if len(kinds) > 1:
        raise DefinitionError(
            f"{audio} holds {' and '.join(sorted(kinds))} files; choose, as '{audio}/*{min(kinds)}'"
        )
    return found


def _seen_from(folder: Path, pattern: str) -> str:
    """Write a pattern relative to the folder if it lies inside, else absolute."""
    absolute, root = os.path.abspath(pattern), os.path.abspath(folder)
    return os.path.relpath(absolute, root) if absolute.startswith(root + os.sep) else absolute


def _shown(settings: Settings) -> dict[str, Any]:
    """Choose what a newcomer wants to see and change."""
    return {name: getattr(settings, name) for name in ("nfft", "overlap", "window", "bin")}


def campaign_name(folder: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).lstrip("._-")
    return name or "acoustics"


def render_definition(
    name: str,
    pattern: Pattern,
    params: Mapping[str, Any],
    *,
    workers: int,
    batch: int,
    settle: str | None,
    segments: bool = False,
) -> str:
    """Write the text of `penstock.toml`."""
    chosen = "".join(f"{key} = {toml(value)}\n" for key, value in params.items() if value is not None)
    level, function = ("segment", "segment_spectrogram") if segments else ("file", "spectrogram")
    return TEMPLATE.format(
        name=toml(name),
        level=level,
        units=SEGMENTS if segments else _file_units(pattern, settle),
        params=chosen,
        stages=STAGES,
        function=function,
        batch=batch,
        workers=workers,
    )


def _file_units(pattern: Pattern, settle: str | None) -> str:
    derive = "" if "file" in pattern.regex.groupindex else 'derive = { file = "stem" }\n'
    rest = f"settle = {toml(settle)}\n" if settle else ""
    return f"files  = {toml(pattern.text)}\n{derive}{rest}"


SEGMENTS = f"""python = "{STAGES}:list_segments"
types  = {{ begin = "datetime", end = "datetime" }}
"""
TEMPLATE = """[campaign]
name   = {name}
levels = ["{level}"]

[units]
{units}
# docs/acoustics.md lists every parameter.
[params]
{params}
[stage.spectrogram]
each     = "{level}"
python   = "{stages}:{function}"
setup    = "{stages}:setup"
products = {{ spectrum = "spectra/{{{level}}}.nc", picture = "pictures/{{{level}}}.png" }}
batch    = {batch}
workers  = {workers}
resources = {{ memory = "500MB", walltime = "30min" }}

[stage.ltas]
each     = "campaign"
after    = ["spectrogram"]
python   = "{stages}:ltas"
products = {{ average = "ltas.nc", picture = "ltas.png" }}

[stage.soundscape]
each     = "campaign"
after    = ["spectrogram"]
python   = "{stages}:soundscape"

[stage.soundscape.products]
table      = "soundscape.nc"
levels     = "levels.csv"
epd        = "epd.png"
spl        = "spl.png"
recurrence = "recurrence.png"

[stage.report]
each     = "campaign"
after    = ["spectrogram", "ltas", "soundscape"]
python   = "{stages}:report"

[stage.report.products]
page     = "index.html"
qc       = "report/qc.html"
qc_table = "report/qc.csv"
dataset  = "report/dataset.json"
files    = "report/files.csv"
"""


def toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
