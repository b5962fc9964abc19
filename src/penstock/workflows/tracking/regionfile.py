"""Cells and steps of regions as groups of an HDF5 file: what `tessellate` leaves for `infer`, and a part of what that leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.tracking.cells import Cells, Sampling
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.translocations import Translocations

Array = NDArray[Any]


def create(path: Path, about: Mapping[str, Any], failed: Mapping[str, str]) -> Any:
    """Open a new file; `failed` says of regions why they are not in it: attribute `failed` (JSON)."""
    file = h5py.File(path, "w", libver=("v110", "v110"))
    file.attrs.update({str(name): value for name, value in about.items()})
    file.attrs["failed"] = told(dict(sorted(failed.items())))
    return file


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading. Raises Unreadable if it is damaged."""
    try:
        file = h5py.File(path)
    except OSError as error:
        raise Unreadable(f"{path} is no whole HDF5 file: {error}") from None
    with file:
        yield file


def told(value: Any) -> str:
    """Give a value as an attribute that is a text."""
    return json.dumps(value, ensure_ascii=False)


def about_of(file: Any) -> dict[str, Any]:
    """Give what a file says of itself, but for its failed regions."""
    return {name: value for name, value in file.attrs.items() if name != "failed"}


def failed_of(file: Any) -> dict[str, str]:
    """Give the regions that failed, and why."""
    return json.loads(file.attrs["failed"])


def write_array(group: Any, name: str, array: Array, unit: str = "") -> None:
    """Write a compressed array, which has an attribute `units`, if there is one."""
    made = group.create_dataset(name, data=array, compression=4, shuffle=True, track_times=False)
    if unit:
        made.attrs["units"] = unit


def write_region(group: Any, sampling: Sampling, steps: Translocations) -> None:
    """Write cells, steps, and which steps count for which cell."""
    cells = sampling.cells
    write_array(group, "cells/centres", cells.centres, "µm")
    for name, areas in (("areas", cells.areas), ("inside", cells.inside)):
        write_array(group, f"cells/{name}", areas, "µm²" if cells.axes == 2 else "µm³")
    write_array(group, "cells/pairs", cells.pairs)
    sizes = [len(each) for each in cells.outlines]
    corners = np.concatenate(cells.outlines) if cells.outlines else np.empty((0, cells.axes))
    write_array(group, "cells/corners", corners, "µm")
    write_array(group, "cells/corner_counts", np.array(sizes, np.int64))
    group["cells"].attrs["told"] = told(sampling.told)
    write_array(group, "points/positions", steps.r, "µm")
    write_array(group, "points/times", steps.t, "s")
    write_array(group, "points/trajectories", steps.n)
    write_array(group, "points/steps", steps.dr, "µm")
    write_array(group, "points/step_times", steps.dt, "s")
    write_array(group, "points/followed_by", steps.after)
    write_array(group, "points/cell_of", np.column_stack([sampling.cell, sampling.row]))


def read_region(group: Any) -> tuple[Sampling, Translocations]:
    """Read what `write_region` wrote."""
    cells, points = ({name: made[()] for name, made in group[part].items()} for part in ("cells", "points"))
    ends = np.cumsum(cells["corner_counts"])[:-1]
    outlines = tuple(np.split(cells["corners"], ends)) if len(cells["corner_counts"]) else ()
    made = Cells(cells["centres"], cells["areas"], cells["inside"], cells["pairs"], outlines)
    cell, row = points["cell_of"].T
    sampling = Sampling(made, cell.copy(), row.copy(), tuple(json.loads(group["cells"].attrs["told"])))
    steps = (
        points[name] for name in ("trajectories", "times", "positions", "step_times", "steps", "followed_by")
    )
    return sampling, Translocations(*steps)


def write_cells(
    path: Path,
    regions: Mapping[str, tuple[Sampling, Translocations]],
    about: Mapping[str, Any],
    failed: Mapping[str, str],
) -> None:
    """Write the regions of a source, a group each."""
    with create(path, about, failed) as file:
        for name, (sampling, steps) in sorted(regions.items()):
            write_region(file.create_group(name), sampling, steps)


def read_cells(path: Path, name: str) -> tuple[Sampling, Translocations, dict[str, Any]]:
    """Read one region of a source, and what is said of the source. Raises Unreadable."""
    with opened(path) as file:
        if name not in file:
            raise Unreadable(f"{path} has no region {name}; it has {', '.join(file) or 'none'}")
        return *read_region(file[name]), about_of(file)
