"""What regions leave: all maps of a source in one HDF5 file, and a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.tracking.cells import Sampling
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.inference import UNITS, Maps
from penstock.workflows.tracking.translocations import Translocations

Array = NDArray[Any]


def collect(
    path: Path,
    regions: Mapping[str, tuple[Maps, Sampling, Translocations]],
    about: Mapping[str, Any],
    failed: Mapping[str, str] | None = None,
) -> None:
    """Write the regions of a source as HDF5, a group each, by name; the same maps give the same bytes but for `cpu_s`.

    `failed` says of other regions why they have no maps: attribute `failed` (JSON).
    """
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs.update({str(name): value for name, value in about.items()})
        file.attrs["failed"] = json.dumps(dict(sorted((failed or {}).items())), ensure_ascii=False)
        for name in sorted(regions):
            _write_region(file.create_group(name), *regions[name])


def _write_region(group: Any, maps: Maps, sampling: Sampling, steps: Translocations) -> None:
    for name, (array, unit) in _arrays(maps).items():
        _write(group, f"maps/{name}", array, unit)
    cells = maps.cells
    _write(group, "cells/centres", cells.centres, "µm")
    _write(group, "cells/areas", cells.areas, "µm²" if cells.axes == 2 else "µm³")
    _write(group, "cells/pairs", cells.pairs)
    sizes = [len(each) for each in cells.outlines]
    corners = np.concatenate(cells.outlines) if cells.outlines else np.empty((0, cells.axes))
    _write(group, "cells/corners", corners, "µm")
    _write(group, "cells/corner_counts", np.array(sizes, np.int64))
    _write(group, "points/positions", steps.r, "µm")
    _write(group, "points/times", steps.t, "s")
    _write(group, "points/trajectories", steps.n)
    _write(group, "points/steps", steps.dr, "µm")
    _write(group, "points/step_times", steps.dt, "s")
    _write(group, "points/cell_of", np.column_stack([sampling.cell, sampling.row]))
    for name, value in maps.about().items():
        group.attrs[name] = (
            value if isinstance(value, int | float | str) else json.dumps(value, ensure_ascii=False)
        )


def _write(group: Any, name: str, array: Array, unit: str = "") -> None:
    made = group.create_dataset(name, data=array, compression=4, shuffle=True, track_times=False)
    if unit:
        made.attrs["units"] = unit


def _arrays(maps: Maps) -> dict[str, tuple[Array, str]]:
    """Give all arrays of cells, with their units."""
    made: dict[str, tuple[Array, str]] = {"count": (maps.counts, ""), "density": (maps.density, "1/µm²")}
    for name, array in maps.values.items():
        made[name] = (array, UNITS[name])
        if name in maps.errors:
            made[f"{name}_error"] = (maps.errors[name], UNITS[name])
    made |= {f"fit_{name}": (array, "") for name, array in maps.scores.items()}
    units = {name: "µm²/s" for name in maps.evidence if name.startswith("d_")}
    made |= {name: (array, units.get(name, "")) for name, array in maps.evidence.items()}
    return made | {"flags": (maps.flags, "")}


def read_maps(path: Path) -> dict[str, dict[str, Array]]:
    """Read the arrays of every region of a product, by region and name. Raises Unreadable if the file is damaged."""
    try:
        with h5py.File(path) as file:
            return {region: _read(group) for region, group in file.items()}
    except OSError as error:
        raise Unreadable(f"{path} is no whole HDF5 file: {error}") from None


def _read(group: Any) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for part in ("cells", "maps", "points"):
        found |= {name: made[()] for name, made in group[part].items()}
    return found


def write_table(path: Path, regions: Mapping[str, Maps]) -> None:
    """Write a row for each cell of each region (CSV, RFC 4180); units stand in the header, vectors are a column an axis."""
    rows: list[dict[str, Any]] = []
    for region in sorted(regions):
        maps = regions[region]
        columns = dict(_columns(maps))
        rows += [
            {"region": region, "cell": cell} | {name: _plain(array[cell]) for name, array in columns.items()}
            for cell in range(len(maps.cells))
        ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def _columns(maps: Maps) -> list[tuple[str, Array]]:
    centres = {"centre": (maps.cells.centres, "µm"), "area": (maps.cells.areas, "µm²")}
    made = []
    for name, (array, unit) in (centres | _arrays(maps)).items():
        header = f" [{unit}]" if unit else ""
        if array.ndim == 1:
            made.append((name + header, array))
        else:
            made += [(f"{name}_{axis}{header}", each) for axis, each in zip("xyz", array.T, strict=False)]
    return made


def _plain(value: Any) -> Any:
    return "" if isinstance(value, np.floating) and np.isnan(value) else value.item()
