"""The definition of a campaign of trajectories: its stages, for `penstock.toml` and for a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.workflows.setup.definition import table, toml
from penstock.workflows.tracking.regions import JOINTS, LABEL

LEVELS = ["source", "roi"]
FUNCTIONS = "penstock.workflows.tracking.stages"
ROI = "{source}/{roi}"
WHOLE, SINGLE = "maps/{source}.png", f"regions/{ROI}.png"  # pictures

OF_UNITS = """A source is a file of trajectories; its regions of interest (roi) are found by the stage `tessellate`. `companions`
# are files without which a source waits: those of regions. What changes is mapped again. Under `penstock up`, which waits
# for more, the page is made when nothing came for as long as `complete` says."""
OF_TESSELLATE = "Read a source, find its regions, and divide each into cells by its own steps alone."
OF_INFER = "Map a region. One that is empty fails alone: `penstock why SOURCE/ROI` and the page say why."
OF_COLLECT = "All regions of a source as one file, with a table of cells; those that failed are named in it."
OF_PAGE = "What people look at: all sources, and the pictures of their regions."
OF_SITE = "Where jobs run; docs/howto/clusters.md lists the keys: queue, partitions, set-up lines, limits."

#: stage → parameter → what it is; docs/howto/tracking.md says more
WORDS: Mapping[str, Mapping[str, str]] = {
    "tessellate": {
        "columns": 'those of a table without a header ["n", "x", "y", "t"]',
        "pixel_size": "µm, of files in pixels",
        "frame_interval": "s; times go back to frames",
        "link": "µm: link points that have no trajectories, up to this step",
        "max_gap": "s: longer steps are left out",
        "regions": 'labels of the files of regions beside the data, X-roi.txt; [] is the whole file ["roi"]',
        "side": "µm, of square regions where their file has centres",
        "window": "s: divide each region in time, too",
        "shift": "s, from window to window [window]",
        "kind": "hexagons, squares, kmeans, kdtree, adaptive or random",
        "resolution": "µm, the width of a cell [by per_cell]",
        "support": "own, or shared: regions that overlap are mapped together, as one",
        "per_cell": "steps a cell, about [80]",
        "min_count": "a cell has so many steps, or is … [20]",
        "small": "… dropped, or merged: drop or merge",
        "sampling": "which steps count for a cell: voronoi, knn (k) or spheres (radius, in µm)",
    },
    "infer": {
        "sigma": "µm, the localisation error of a coordinate",
        "exposure": "s, of each frame",
        "mode": "d, dd (drift), df (force), dv (potential)",
        "diffusivity_prior": "μ, of Σ A |∇D|²",
        "potential_prior": "λ, of Σ A |∇V|²",
        "gradient": "the form of priors: slope or grad",
        "jeffreys": "Jeffreys' prior",
        "errors": "none, laplace or shared",
        "origins": "corrected: for errors of where steps begin, which change forces; or as seen",
        "max_runtime": "s; what takes longer is marked as not converged",
    },
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a campaign of trajectories has: parameters of its stages by name, and what is beside the data."""

    tessellate: Mapping[str, Any] = field(default_factory=lambda: {"kind": "hexagons"})
    infer: Mapping[str, Any] = field(default_factory=dict)
    companions: tuple[str, ...] = ()
    many: tuple[str, ...] = ()
    settle: str = "10s"
    quiet: str = "10min"
    scheduler: str | None = None
    labels: tuple[str, ...] = (LABEL,)  # of files of regions


def stages(
    tessellate: Mapping[str, Any] | None = None, infer: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """Give the keys of all stages, in order, as `campaign.stage(name, **keys)` takes them; `infer` needs a `sigma`.

    >>> [*stages({"kind": "squares"}, {"sigma": 0.03, "mode": "d"})]
    ['tessellate', 'infer', 'collect', 'page']
    """
    made: dict[str, dict[str, Any]] = {
        "tessellate": {
            "each": "source", "expands": "roi", "products": "cells/{source}.cells.h5", "params": {**(tessellate or {})},
        },
        "infer": {
            "each": "roi", "after": ["tessellate"], "products": {"maps": f"regions/{ROI}.h5", "picture": SINGLE},
            "optional": ["picture"], "params": {**(infer or {})},
        },
        "collect": {
            "each": "source", "after": ["tessellate", {"stage": "infer", "products": ["maps"]}], "members": "done",
            "empty": "run", "optional": ["picture"],
            "products": {
                "maps": "maps/{source}.maps.h5", "table": "maps/{source}.maps.csv", "picture": WHOLE,
            },
        },
        "page": {
            "each": "campaign", "after": [{"stage": "collect", "products": ["maps"]}], "members": "done",
            "empty": "run", "products": "index.html", "params": {"whole": WHOLE, "single": SINGLE},
        },
    }  # fmt: skip
    called = {"python": f"{FUNCTIONS}:", "setup": f"{FUNCTIONS}:setup"}
    return {name: {**keys, **called, "python": f"{FUNCTIONS}:{name}"} for name, keys in made.items()}


def render_definition(name: str, pattern: str, shape: Shape) -> Iterator[str]:
    """Give the tables of `penstock.toml`."""
    yield table("campaign", {"name": name, "levels": LEVELS, "site": shape.scheduler, "fair": "source"})
    excluded = [f"*{joint}{label}.txt" for label in shape.labels for joint in JOINTS]
    units = {
        "files": pattern, "many": [*shape.many] or None, "companions": [*shape.companions] or None, "exclude": excluded or None,
        "settle": shape.settle, "changed": "redo", "complete": {"campaign": f"quiet {shape.quiet}"},
    }  # fmt: skip
    yield table("units", units, note=OF_UNITS)
    notes = {"tessellate": OF_TESSELLATE, "infer": OF_INFER, "collect": OF_COLLECT, "page": OF_PAGE}
    for stage, keys in stages(shape.tessellate, shape.infer).items():
        params = keys.pop("params") if stage in WORDS else None
        yield table(f"stage.{stage}", keys, note=notes[stage])
        if params is not None:
            yield render_params(stage, params)
    if shape.scheduler:
        yield table(f"site.{shape.scheduler}", {"scheduler": shape.scheduler}, note=OF_SITE)


def render_params(stage: str, params: Mapping[str, Any]) -> str:
    """Give the table of a stage's parameters: those that are set, and as comments the others, each with what it is."""
    words = WORDS[stage]
    lines = [f"{word} = {toml(value)}" for word, value in params.items()]
    texts = [words.get(word, "") for word in params]
    others = [(f"# {word} = …", text) for word, text in words.items() if word not in params]
    pairs = [*zip(lines, texts, strict=True), *others]
    width = max(len(line) for line, _ in pairs)
    body = (f"{line:{width}}  # {text}" if text else line for line, text in pairs)
    return "\n".join([f"[stage.{stage}.params]", *body]) + "\n"
