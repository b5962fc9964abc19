"""The text of a campaign's `penstock.toml`, put together from what is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.workflows.acoustics.formats import SUFFIXES
from penstock.workflows.acoustics.names import Pattern

STAGES = "penstock.workflows.acoustics"
EXTRAS = {
    "tiles": "tiles/{level}/",
    "npz": "npz/{level}.npz",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a campaign has beside its parameters.

    `format` is netcdf or zarr; `extras` are products beside that and the picture: tiles, npz. `chain` makes
    resampling and statistics stages of their own, file by file or segment by segment.
    """

    workers: int
    batch: int
    settle: str | None = None
    segments: bool = False
    format: str = "netcdf"
    extras: tuple[str, ...] = ()
    chain: bool = False
    table: str | None = None
    aplose: bool = False

    @property
    def level(self) -> str:
        return "segment" if self.segments else "file"

    def stored(self, name: str) -> str:
        """Name a product of the format; a Zarr store is a folder."""
        return name + SUFFIXES[self.format] + ("/" if self.format == "zarr" else "")


def render_definition(name: str, pattern: Pattern, params: Mapping[str, Any], shape: Shape) -> str:
    """Write the text of `penstock.toml`."""
    chosen = "".join(f"{key} = {toml(value)}\n" for key, value in params.items() if value is not None)
    blocks = [
        f'[campaign]\nname   = {toml(name)}\nlevels = ["{shape.level}"]\n',
        f"[units]\n{_units(pattern, shape)}",
        f"# docs/acoustics.md lists every parameter.\n[params]\n{chosen}",
        *_before(params, shape),
        _spectrogram(params, shape),
        *_after(shape),
    ]
    return "\n".join(blocks)


def _units(pattern: Pattern, shape: Shape) -> str:
    if shape.segments:
        return f'python = "{STAGES}:list_segments"\ntypes  = {{ begin = "datetime", end = "datetime" }}\n'
    if shape.table:
        return f'table  = {toml(shape.table)}\ntypes  = {{ begin = "datetime" }}\n'
    derive = "" if "file" in pattern.regex.groupindex else 'derive = { file = "stem" }\n'
    rest = f"settle = {toml(shape.settle)}\n" if shape.settle else ""
    return f"files  = {toml(pattern.text)}\n{derive}{rest}"


def _work(shape: Shape) -> str:
    return (
        f"batch    = {shape.batch}\nworkers  = {shape.workers}\n"
        'resources = { memory = "500MB", walltime = "30min" }\n'
    )


def _before(params: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    if not shape.chain:
        return
    unit = shape.level
    if params.get("resample"):
        yield (
            f'[stage.resample]\neach     = "{unit}"\npython   = "{STAGES}:resample"\nsetup    = "{STAGES}:setup"\n'
            f'products = {{ audio = "resampled/{{{unit}}}.wav", notes = "resampled/{{{unit}}}.json" }}\n'
            + _work(shape)
        )
    first = 'with     = "resample"\n' if params.get("resample") else _work(shape)
    yield (
        f'[stage.statistics]\neach     = "{unit}"\npython   = "{STAGES}:statistics"\n'
        f'products = "statistics/{{{unit}}}.json"\n{first}'
    )
    if params.get("normalise_over", "file") != "file":
        yield (
            f'[stage.normals]\neach     = "campaign"\nafter    = ["statistics"]\n'
            f'python   = "{STAGES}:normals"\nproducts = "normals.json"\n'
        )


def _spectrogram(params: Mapping[str, Any], shape: Shape) -> str:
    level = shape.level
    places = {"spectrum": shape.stored(f"spectra/{{{level}}}"), "picture": f"pictures/{{{level}}}.png"}
    places |= {name: EXTRAS[name].replace("level", level) for name in shape.extras}
    products = "".join(f'{key} = "{value}"\n' for key, value in places.items())
    return (
        f'[stage.spectrogram]\neach     = "{level}"\n{_upstream(params, shape)}'
        f'python   = "{STAGES}:spectrogram"\nsetup    = "{STAGES}:setup"\n'
        f"{_work(shape) if not _chained(params, shape) else ''}\n[stage.spectrogram.products]\n{products}"
    )


def _chained(params: Mapping[str, Any], shape: Shape) -> bool:
    return shape.chain and params.get("normalise_over", "file") == "file"


def _upstream(params: Mapping[str, Any], shape: Shape) -> str:
    if _chained(params, shape):
        return 'with     = "statistics"\n'
    return 'after    = ["statistics", "normals"]\n' if shape.chain else ""


def _after(shape: Shape) -> Iterator[str]:
    yield _ltas(shape)
    yield _soundscape(shape)
    if shape.aplose:
        yield APLOSE
    yield REPORT


def _ltas(shape: Shape) -> str:
    return f"""[stage.ltas]
each     = "campaign"
after    = ["spectrogram"]
python   = "{STAGES}:ltas"
products = {{ average = "{shape.stored("ltas")}", picture = "ltas.png" }}
"""


def _soundscape(shape: Shape) -> str:
    return f"""[stage.soundscape]
each     = "campaign"
after    = ["spectrogram"]
python   = "{STAGES}:soundscape"

[stage.soundscape.products]
table      = "{shape.stored("soundscape")}"
levels     = "levels.csv"
epd        = "epd.png"
spl        = "spl.png"
recurrence = "recurrence.png"
"""


APLOSE = f"""[stage.aplose]
each     = "campaign"
after    = ["spectrogram"]
python   = "{STAGES}:aplose"
products = "aplose/"
"""

REPORT = f"""[stage.report]
each     = "campaign"
after    = ["spectrogram", "ltas", "soundscape"]
python   = "{STAGES}:report"

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
