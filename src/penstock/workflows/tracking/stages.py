"""The stages of a campaign of trajectories, as the runner calls them: each takes a task.

`tessellate` (each = "source", expands = "roi") reads `task.fields["path"]`, or `["paths"]` as one dataset; `infer` (each =
"roi") maps a region; `collect` (each = "source") puts its regions into one file; `page` (each = "campaign") shows all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Empty, Unreadable

if TYPE_CHECKING:
    from penstock.runner.task import Task
    from penstock.workflows.tracking.mapped import Mapped

NOT_INFERRED = "its inference failed: see `penstock why {}`"


def setup() -> None:
    """Load the numerical libraries once a worker."""
    from penstock.workflows.tracking import dividing, mapped  # noqa: F401


def tessellate(task: Task) -> dict[str, Any]:
    """Divide each region of a source into cells (each = "source", expands = "roi"); product `product` (HDF5).

    Parameters are those of `settings.Loading` and of `Tessellation`. A region that cannot be divided is a unit all the
    same, whose field `fault` says why.
    """
    from penstock.workflows.tracking.dividing import divide, regions_of
    from penstock.workflows.tracking.reading import read_trajectories
    from penstock.workflows.tracking.regionfile import write_cells
    from penstock.workflows.tracking.regions import share_supports
    from penstock.workflows.tracking.settings import read_loading
    from penstock.workflows.tracking.translocations import find_translocations
    from penstock.workflows.tracking.truth import read_truth

    paths = [Path(each) for each in task.fields.get("paths") or [task.fields["path"]]]
    with _failing(task):
        loading, how = read_loading(task.params)
        seen = read_trajectories(paths, loading.scales, columns=loading.columns, link=loading.link)
        steps = find_translocations(seen, max_gap=loading.max_gap)
        regions = regions_of(paths[0], seen, side=loading.side, labels=loading.regions)
        supports = share_supports(regions) if loading.support == "shared" else regions
        divided = divide(steps, supports, how, loading.windows)
        truth = read_truth(paths[0])
    joined = [
        f"{each.name} is the support of {', '.join(p.name for p in each.parts)}"
        for each in supports
        if each.parts
    ]
    told = [*seen.told, *joined]
    for text in told:
        task.log(text)
    about = {"source": "/".join(map(str, task.key)), "told": told}
    write_cells(task.product(), divided.made, _about(about, truth), divided.failed)
    for name in divided:
        cells = len(divided.made[name][0].cells) if name in divided.made else 0
        steps_in, fault = divided.counts[name], divided.failed.get(name, "")
        task.expand(roi=name, steps=steps_in, cells=cells, fault=fault)
        task.log(f"{name}: {fault or f'{steps_in} steps, {cells} cells'}")
    return {"steps": len(steps), "regions": len(divided.made), "failed": len(divided.failed)}


def infer(task: Task) -> dict[str, Any]:
    """Infer the maps of a region (each = "roi"): products `maps` (HDF5) and `picture` (PNG, where there is one).

    Parameters are those of `inference.Settings`. A region that `tessellate` could not divide fails for good, and alone.
    """
    from penstock.workflows.tracking.inference import infer as find
    from penstock.workflows.tracking.mapped import Mapped
    from penstock.workflows.tracking.products import collect
    from penstock.workflows.tracking.regionfile import read_cells
    from penstock.workflows.tracking.settings import read_settings
    from penstock.workflows.tracking.truth import Truth

    *_, name = task.key
    if fault := task.fields["fault"]:
        task.fail(fault)
    with _failing(task):
        settings = read_settings(task.params)
        sampling, steps, about = read_cells(task.input("tessellate"), name)
        maps = find(sampling, steps, settings)
    collect(task.product("maps"), {name: (maps, sampling, steps)}, about)
    for text in maps.told:
        task.log(text)
    truth = Truth.parse(about["truth"]) if "truth" in about else None
    mapped = Mapped(name, maps, sampling, steps, truth)
    _draw(task, mapped)
    return summarise(mapped)


def summarise(mapped: Mapped) -> dict[str, Any]:
    """Give the numbers of a region that lists and pages show."""
    import numpy as np

    maps = mapped.maps
    made = {
        "steps": len(mapped.steps),
        "cells": len(maps.cells),
        "diffusivity": float(np.average(maps.values["diffusivity"], weights=maps.counts)),
        "flagged": int(np.count_nonzero(maps.flags)),
        "reason": maps.optimum.reason,
        "objective": maps.optimum.value,
        "gradient_norm": maps.optimum.norm,
        "cpu_s": round(maps.cpu, 3),
    }
    if "potential" in maps.values:
        made["depth"] = float(maps.values["potential"].max())
    return made | mapped.compare()


def collect(task: Task) -> dict[str, Any]:
    """Put the regions of a source into one file (each = "source", after tessellate and infer, members = "done").

    Products `maps` (HDF5), `table` (CSV, a row a cell) and `picture` (PNG; none if no region was mapped).
    """
    from penstock.workflows.tracking.mapped import load
    from penstock.workflows.tracking.panels import write_source_picture
    from penstock.workflows.tracking.products import find_regions, merge, write_table
    from penstock.workflows.tracking.regionfile import about_of, failed_of, opened

    source = "/".join(map(str, task.key))
    with _failing(task):
        with opened(task.input("tessellate")) as file:
            about, failed, divided = about_of(file), failed_of(file), [*file]
        places = find_regions(task.inputs.get("infer", []))  # nothing, if no region is done
        parts = {
            name: places[name] for name in divided if name in places
        }  # others were removed from their file
        undone = {name: NOT_INFERRED.format(f"{source}/{name}") for name in divided if name not in parts}
        merge(task.product("maps"), parts, about, failed | undone)
        regions = load(task.product("maps"))
    write_table(task.product("table"), {name: each.maps for name, each in regions.items()})
    if any(each.maps.cells.outlines for each in regions.values()):
        write_source_picture(task.product("picture"), regions, source)
    return {"regions": len(regions), "failed": len(failed | undone)}


def page(task: Task) -> dict[str, Any]:
    """Show all sources and their regions (each = "campaign", after collect, members = "done"); product `product` (HTML).

    Parameters `whole` and `single` say where the pictures of a source and of a region are, as seen from the page, with
    placeholders: inputs may be elsewhere.
    """
    from penstock.units import Template
    from penstock.workflows.tracking.mapped import load
    from penstock.workflows.tracking.page import Shown, write_overview
    from penstock.workflows.tracking.regionfile import failed_of, opened

    whole, single = (Template.parse(task.params[name]) for name in ("whole", "single"))
    shown: list[Shown] = []
    for path in task.inputs.get("collect", []):
        with opened(path) as file:
            source, failed = file.attrs["source"], failed_of(file)
        regions = load(path)
        drawn = [name for name, each in regions.items() if each.maps.cells.outlines]
        pictures = {name: single.render({"source": source, "roi": name}, in_path=True) for name in drawn}
        place = whole.render({"source": source}, in_path=True) if drawn else None
        rows = {name: summarise(each) for name, each in regions.items()}
        shown.append(Shown(source, rows, failed, place, pictures))
    shown.sort(key=lambda each: each.source)
    write_overview(task.product(), shown)
    return {"sources": len(shown), "regions": sum(len(each.rows) for each in shown)}


def _about(about: dict[str, Any], truth: Any) -> dict[str, Any]:
    """Give what products say of their source; attributes of HDF5 are texts."""
    from penstock.workflows.tracking.regionfile import told

    made = {name: value if isinstance(value, str) else told(value) for name, value in about.items()}
    return made if truth is None else made | {"truth": truth.text}


def _draw(task: Task, mapped: Mapped) -> None:
    from penstock.workflows.tracking.panels import write_region_picture

    try:
        place = task.product("picture")
    except ValueError:  # a stage may go without
        return
    if mapped.maps.cells.outlines:
        write_region_picture(place, mapped, "/".join(map(str, task.key)))


@contextmanager
def _failing(task: Task) -> Iterator[None]:
    """End a task for good where another try gives the same."""
    try:
        yield
    except (Unreadable, Empty, DefinitionError) as error:
        task.fail(str(error))
