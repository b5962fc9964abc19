"""The text of a campaign's `penstock.toml`, put together from what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.workflows.acoustics.cost import Load
from penstock.workflows.acoustics.names import Pattern
from penstock.workflows.setup.definition import table
from penstock.workflows.stores.formats import SUFFIXES

STAGES = "penstock.workflows.acoustics"
SETUP = f"{STAGES}:setup"
QUALITY = {
    "page": "report/qc.html",
    "table": "report/qc.csv",
    "dataset": "report/dataset.json",
    "files": "report/files.csv",
}
EXTRAS = {
    "tiles": "tiles/{unit}/",
    "npz": "npz/{unit}.npz",
}


CLOSING = ("verify", "provenance", "seal")
PUBLISHED = (
    "report",
    "quality",
    {"stage": "spectrogram", "product": "picture"},
    {"stage": "ltas", "product": "picture"},
    {"stage": "soundscape", "product": "epd"},
    {"stage": "soundscape", "product": "spl"},
)

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
    close: bool = False  # it is closed when all is done,
    public: str | None = None  # and then its pages and pictures are published in this folder
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


Keys = dict[str, Any]


def render_definition(name: str, pattern: Pattern, params: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    """Give the tables of `penstock.toml`."""
    yield table("campaign", {"name": name, "levels": shape.levels})
    yield table("units", _units(pattern, shape))
    yield table("params", params, note="docs/acoustics.md lists every parameter.")
    yield from _before(params, shape)
    yield from _spectrogram(params, shape)
    yield from _after(shape)
    if shape.close and shape.public:
        yield table("publish.web", {"to": shape.public, "files": PUBLISHED})
    if shape.close:
        steps = [*CLOSING[:-1], *([{"publish": "web"}] if shape.public else []), CLOSING[-1]]
        yield table("close.campaign", {"steps": steps})


def _units(pattern: Pattern, shape: Shape) -> Keys:
    if shape.segments:
        return {"python": f"{STAGES}:list_segments", "types": {"begin": "datetime", "end": "datetime"}}
    if shape.table:
        return {"table": shape.table, "types": {"begin": "datetime"}}
    derive = None if "file" in pattern.regex.groupindex else {"file": "stem"}
    return {"files": pattern.text, "derive": derive, "settle": shape.settle}


def _work(shape: Shape) -> Keys:
    return {"batch": shape.batch, "workers": shape.workers, "resources": shape.load.each()}


def _stage(name: str, each: str, products: Any, *, after: Keys | None = None, **keys: Any) -> Iterator[str]:
    """Give the table of a stage that runs the function of its name, and that of its products if they are many."""
    few = isinstance(products, str) or len(products) < 3
    own = {"each": each, **(after or {}), "python": f"{STAGES}:{name}", "products": products if few else None}
    yield table(f"stage.{name}", own | keys)
    if not few:
        yield table(f"stage.{name}.products", products)


def _before(params: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    if not shape.chain:
        return
    resampled = bool(params.get("resample"))
    if resampled:
        places = {"audio": f"resampled/{shape.unit}.wav", "notes": f"resampled/{shape.unit}.json"}
        yield from _stage("resample", shape.level, places, setup=SETUP, **_work(shape))
    first = {"with": "resample", "resources": shape.load.each()} if resampled else _work(shape)
    yield from _stage("statistics", shape.level, f"statistics/{shape.unit}.json", **first)
    if params.get("normalise_over", "file") != "file":
        yield from _of_all("normals", "normals.json", shape, "statistics")


def _spectrogram(params: Mapping[str, Any], shape: Shape) -> Iterator[str]:
    places = {"spectrum": shape.stored(f"spectra/{shape.unit}"), "picture": f"pictures/{shape.unit}.png"}
    places |= {name: EXTRAS[name].replace("{unit}", shape.unit) for name in shape.extras}
    chained = shape.chain and params.get("normalise_over", "file") == "file"
    work = {"resources": shape.load.each()} if chained else _work(shape)
    after = {"with": "statistics"} if chained else {"after": ["statistics", "normals"]} if shape.chain else {}
    yield from _stage("spectrogram", shape.level, places, after=after, setup=SETUP, **work)


def _after(shape: Shape) -> Iterator[str]:
    yield from _of_all("ltas", {"average": shape.stored("ltas"), "picture": "ltas.png"}, shape)
    yield from _of_all("soundscape", _soundscape(shape), shape)
    if shape.aplose:
        yield from _of_all("aplose", "aplose/", shape)
    if shape.daily:
        yield from _of_all("daily", "daily/", shape)
    yield from _of_all("quality", QUALITY, shape, empty="run")
    before = ("spectrogram", "ltas", "soundscape", "quality")
    yield from _of_all("report", {"page": "index.html", "albums": "days/"}, shape, *before)


def _of_all(name: str, products: Any, shape: Shape, *before: str, **keys: Any) -> Iterator[str]:
    """Give a stage over the products of those before it: of all spectrograms, if none is named."""
    after = {"after": before or ("spectrogram",)}
    return _stage(name, "campaign", products, after=after, **keys, resources=shape.load.all())


def _soundscape(shape: Shape) -> Keys:
    places = {"table": shape.stored("soundscape"), "levels": "levels.csv", "epd": "epd.png", "spl": "spl.png"}
    return places | ({"recurrence": "recurrence.png"} if shape.days else {})
