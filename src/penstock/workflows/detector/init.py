"""A new campaign: the text of its `penstock.toml`, from where the data are and what is to be found in them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import DefinitionError
from penstock.workflows.detector.experiments import LIST
from penstock.workflows.detector.settings import MODES
from penstock.workflows.setup.definition import campaign_name, definition_in, table, write_definition

STAGES = "penstock.workflows.detector.stages"
SETUP = f"{STAGES}:setup"
RUNS = "{instrument}/{experiment}/hdf5/{experiment}-r{run:04d}-s{stream:02d}-c{chunk:02d}.h5"
PLACE = "{instrument}/{experiment}/r{run:04d}"  # of a run among the products of a process
PROCESS = "pixel_status"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch
TAKEN = ("split", "deploy", "trend")  # names of stages that no process can have

NO_EXPERIMENT = (
    "# One experiment a line, such as xpptut15; penstock processes the runs of these, and of no others.\n"
)
OF_UNITS = """The files of a run are its streams and chunks. A run is new once none of them has changed for `settle`,
# none is being written, and, if that is said, so many streams are there. `penstock detector` shows what there is."""
OF_EXPERIMENTS = (
    f"Which experiments are controlled: those in {LIST} beside this file, or all if there is no such file."
)
OF_PROCESS = """A standing process: every new run of a controlled experiment. docs/howto/detector.md lists the settings
# that `params` may have. Another table of this kind, with another name, is another process. The products are optional
# as runs that are only marked as processed have none."""
OF_SITE = (
    "Where runs are processed; docs/howto/clusters.md lists the keys: queue, setup lines, limits and others."
)


@dataclass(frozen=True, slots=True)
class Store:
    """The calibration store that maps of bad pixels go to."""

    calib: str
    group: str
    source: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a campaign has: which processes, when a run is whole, where maps go."""

    processes: Mapping[str, str] = field(default_factory=lambda: {PROCESS: "robust"})  # name → mode
    streams: int | None = None
    settle: str = "60s"
    quiet: str = "10min"
    partial: str = "{path}.inprogress"
    dataset: str | None = None
    part_frames: int | None = None
    texts: bool = False
    jobs: int | None = None  # runs at a time
    store: Store | None = None
    changed: str | None = None  # what becomes of runs whose files change after they were processed
    scheduler: str | None = None  # where they are processed


def read_processes(texts: tuple[str, ...]) -> dict[str, str]:
    """Read processes, NAME or NAME=MODE. Raises DefinitionError.

    >>> read_processes(("pixel_status", "pixel_dark=dark"))
    {'pixel_status': 'robust', 'pixel_dark': 'dark'}
    """
    found: dict[str, str] = {}
    for text in texts or (PROCESS,):
        name, _, mode = text.partition("=")
        if not NAME(name) or name in TAKEN:
            raise DefinitionError(f"{name!r} cannot be the name of a process; use letters, digits and _")
        if name in found:
            raise DefinitionError(f"the process {name} is named twice; give the second another name")
        if mode and mode not in MODES:
            raise DefinitionError(f"{mode!r} is no mode; {name} can have {', '.join(MODES)}")
        found[name] = mode or "robust"
    return found


def read_data(data: str) -> str:
    """Give the pattern of the files of runs: as it is, or the usual one under a folder. Raises DefinitionError."""
    pattern = data if "{" in data else f"{data.rstrip('/')}/{RUNS}"
    for name in ("experiment", "run"):
        if not re.search(rf"\{{{name}[:}}]", pattern):
            raise DefinitionError(f"the pattern {data!r} has no {{{name}}}; write it as in {RUNS}")
    return pattern


def seen_from(folder: Path, path: str) -> str:
    """Give a path of this folder as a campaign in another one names it."""
    whole = os.path.abspath(path)
    inside = os.path.relpath(whole, folder.resolve())
    return whole if inside.startswith("..") else inside


def write_campaign(
    folder: Path, data: str, *, experiments: Path | None, every: bool, shape: Shape | None = None
) -> Path:
    """Write `penstock.toml` in `folder` for the runs that `data` names, and `experiments.txt` unless `every` one is.

    Raises DefinitionError.
    """
    definition, pattern = definition_in(folder), seen_from(folder, read_data(data))
    write_definition(definition, render_definition(campaign_name(folder, "runs"), pattern, shape or Shape()))
    if experiments:
        shutil.copyfile(experiments, folder / LIST)
    elif not every and not (folder / LIST).exists():
        (folder / LIST).write_text(NO_EXPERIMENT, encoding="utf-8")
    return definition


def render_definition(name: str, pattern: str, shape: Shape) -> Iterator[str]:
    """Give the tables of `penstock.toml`."""
    levels = ["instrument", "experiment", "run", *(["part"] if shape.part_frames else [])]
    yield table("campaign", {"name": name, "levels": levels, "site": shape.scheduler, "fair": "experiment"})
    yield table("units", _units(pattern, shape), note=OF_UNITS)
    listing = "penstock.workflows.detector.experiments:list_experiments"
    yield table("units.experiment", {"python": listing, "types": {"controlled": "bool"}}, note=OF_EXPERIMENTS)
    if shape.dataset:
        yield table("params", {"dataset": shape.dataset})
    if shape.part_frames:
        yield _stage("split", "run", expands="part", params={"part_frames": shape.part_frames})
    for process, mode in shape.processes.items():
        yield from _process(process, mode, shape)
    first = next(iter(shape.processes))
    if shape.store:
        yield _deploy(first, shape.store)
    yield _trend(first)
    if shape.scheduler:
        yield table(f"site.{shape.scheduler}", {"scheduler": shape.scheduler}, note=OF_SITE)


def _units(pattern: str, shape: Shape) -> dict[str, Any]:
    derive = None if "{instrument" in pattern else {"instrument": "upper(experiment[:3])"}
    many = [name for name in ("stream", "chunk") if f"{{{name}" in pattern]
    count = (
        f"count {shape.streams}{' of stream' if 'stream' in many else ''}"  # a stream may have several files
    )
    whole = {"run": count} if shape.streams else {}
    return {
        "files": pattern,
        "many": many or None,
        "derive": derive,
        "settle": shape.settle,
        "partial": shape.partial or None,
        "complete": whole | {"experiment": f"quiet {shape.quiet}"},
        "changed": shape.changed,
    }


def _stage(name: str, each: str, *, function: str | None = None, note: str = "", **keys: Any) -> str:
    own = {"each": each, "where": "controlled", "python": f"{STAGES}:{function or name}"}
    return table(f"stage.{name}", own | keys, note=note)


def _process(name: str, mode: str, shape: Shape) -> Iterator[str]:
    """Give the stages of a process: one, or sums of parts and their merge."""
    params, products = {"mode": mode}, _products(name, texts=shape.texts)
    common = {"params": params, "setup": SETUP, "max_running": shape.jobs}
    after = {"function": "status"}
    if shape.part_frames:
        note, place = f"The sums of parts of a run, for {name}.", f"{name}/{PLACE}-sums/{{part}}.h5"
        yield _stage(
            f"{name}_sums", "part", function="sums", note=note, after=["split"], products=place, **common
        )
        after = {"function": "merge", "after": [f"{name}_sums"]}
    yield _stage(name, "run", note=OF_PROCESS, **after, products=products, optional=[*products], **common)


def _products(name: str, *, texts: bool) -> dict[str, str]:
    place = f"{name}/{PLACE}"
    made = {"status": f"{place}.h5", "page": f"{place}.html", "pictures": f"{place}/"}
    return made | ({"texts": f"{place}-texts/"} if texts else {})


def _deploy(process: str, store: Store) -> str:
    place = {"calib": store.calib, "group": store.group, "source": store.source}
    conditions = {"bad": 0.1, "newly_bad": 0.02, "newly_good": 0.1}
    note = "The map of a run goes into the calibration store, unless too much of it changed (fractions of all pixels)."
    after = [{"stage": process, "products": ["status"]}]
    return _stage("deploy", "run", note=note, after=after, params=place | {"conditions": conditions})


def _trend(process: str) -> str:
    place = "trend/{instrument}/{experiment}"
    keys = {
        "after": [{"stage": process, "products": ["status"]}],
        "members": "done",
        "params": {"pages": f"../../{process}/{PLACE}.html"},
        "products": {"page": f"{place}.html", "picture": f"{place}.png", "table": f"{place}.csv"},
        "optional": ["page", "picture", "table"],
        "setup": SETUP,
    }
    note = "How the pixels of an experiment went, from run to run; made anew as runs come."
    return _stage("trend", "experiment", note=note, **keys)
