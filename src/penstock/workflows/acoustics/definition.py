"""The text of a campaign's `penstock.toml`, put together from what is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.workflows.acoustics.cost import Load
from penstock.workflows.acoustics.names import Pattern
from penstock.workflows.stores.formats import SUFFIXES

STAGES = "penstock.workflows.acoustics"
EXTRAS = {
    "tiles": "tiles/{unit}/",
    "npz": "npz/{unit}.npz",
}


LIGHT = Load(48_000 * 3600.0, 1, 513)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a campaign has beside its parameters.

    `format` is netcdf or zarr; `extras` are products beside that and the picture: tiles, npz. `chain` makes
    resampling and statistics stages of their own, file by file or segment by segment.
    """

    batch: int
    workers: int | None = None  # of a batch; the site's own number of jobs at a time if there is none
    settle: str | None = None
    segments: bool = False
    format: str = "netcdf"
    extras: tuple[str, ...] = ()
    chain: bool = False
    table: str | None = None
    aplose: bool = False
    load: Load = LIGHT
    days: bool = True  # it lasts a day or more
    daily: bool = False  # files of hybrid millidecades, for archives
    cards: bool = False  # two memory cards have recordings of one name

    @property
    def level(self) -> str:
        return "segment" if self.segments else "file"

    @property
    def levels(self) -> tuple[str, ...]:
        return ("card", "file") if self.cards and not self.segments else (self.level,)

    @property
    def unit(self) -> str:
        """Write the place of one sound among the products of a stage."""
        return "/".join(f"{{{level}}}" for level in self.levels)

    def stored(self, name: str) -> str:
        """Name a product of the format; a Zarr store is a folder."""
        return name + SUFFIXES[self.format] + ("/" if self.format == "zarr" else "")


def render_definition(name: str, pattern: Pattern, params: Mapping[str, Any], shape: Shape) -> str:
    """Write the text of `penstock.toml`."""
    chosen = "".join(f"{key} = {toml(value)}\n" for key, value in params.items() if value is not None)
    blocks = [
        f"[campaign]\nname   = {toml(name)}\nlevels = {toml(shape.levels)}\n",
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
    workers = f"workers  = {shape.workers}\n" if shape.workers else ""
    return f"batch    = {shape.batch}\n{workers}{_resources(shape)}"


def _resources(shape: Shape) -> str:
    return f"resources = {shape.load.each()}\n"


def _before(params: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    if not shape.chain:
        return
    unit = shape.level
    if params.get("resample"):
        yield (
            f'[stage.resample]\neach     = "{unit}"\npython   = "{STAGES}:resample"\nsetup    = "{STAGES}:setup"\n'
            f'products = {{ audio = "resampled/{shape.unit}.wav", notes = "resampled/{shape.unit}.json" }}\n'
            + _work(shape)
        )
    first = f'with     = "resample"\n{_resources(shape)}' if params.get("resample") else _work(shape)
    yield (
        f'[stage.statistics]\neach     = "{unit}"\npython   = "{STAGES}:statistics"\n'
        f'products = "statistics/{shape.unit}.json"\n{first}'
    )
    if params.get("normalise_over", "file") != "file":
        yield (
            f'[stage.normals]\neach     = "campaign"\nafter    = ["statistics"]\n'
            f'python   = "{STAGES}:normals"\nproducts = "normals.json"\nresources = {shape.load.all()}\n'
        )


def _spectrogram(params: Mapping[str, Any], shape: Shape) -> str:
    level = shape.level
    places = {"spectrum": shape.stored(f"spectra/{shape.unit}"), "picture": f"pictures/{shape.unit}.png"}
    places |= {name: EXTRAS[name].replace("{unit}", shape.unit) for name in shape.extras}
    products = "".join(f'{key} = "{value}"\n' for key, value in places.items())
    return (
        f'[stage.spectrogram]\neach     = "{level}"\n{_upstream(params, shape)}'
        f'python   = "{STAGES}:spectrogram"\nsetup    = "{STAGES}:setup"\n'
        f"{_resources(shape) if _chained(params, shape) else _work(shape)}\n[stage.spectrogram.products]\n{products}"
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
        yield _folder_of_all("aplose", shape)
    if shape.daily:
        yield _folder_of_all("daily", shape)
    yield _quality(shape)
    yield _report(shape)


def _ltas(shape: Shape) -> str:
    return f"""[stage.ltas]
each     = "campaign"
after    = ["spectrogram"]
python   = "{STAGES}:ltas"
products = {{ average = "{shape.stored("ltas")}", picture = "ltas.png" }}
resources = {shape.load.all()}
"""


def _soundscape(shape: Shape) -> str:
    recurrence = 'recurrence = "recurrence.png"\n' if shape.days else ""
    return f"""[stage.soundscape]
each     = "campaign"
after    = ["spectrogram"]
python   = "{STAGES}:soundscape"
resources = {shape.load.all()}

[stage.soundscape.products]
table      = "{shape.stored("soundscape")}"
levels     = "levels.csv"
epd        = "epd.png"
spl        = "spl.png"
{recurrence}"""


def _folder_of_all(name: str, shape: Shape) -> str:
    return f"""[stage.{name}]
each     = "campaign"
after    = ["spectrogram"]
python   = "{STAGES}:{name}"
products = "{name}/"
resources = {shape.load.all()}
"""


def _quality(shape: Shape) -> str:
    return f"""[stage.quality]
each     = "campaign"
after    = ["spectrogram"]
empty    = "run"
python   = "{STAGES}:quality"
resources = {shape.load.all()}

[stage.quality.products]
page     = "report/qc.html"
table    = "report/qc.csv"
dataset  = "report/dataset.json"
files    = "report/files.csv"
"""


def _report(shape: Shape) -> str:
    return f"""[stage.report]
each     = "campaign"
after    = ["spectrogram", "ltas", "soundscape", "quality"]
python   = "{STAGES}:report"
resources = {shape.load.all()}

[stage.report.products]
page     = "index.html"
albums   = "days/"
"""


def toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
