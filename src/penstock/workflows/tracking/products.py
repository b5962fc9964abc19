"""What regions leave: all maps of a source in one HDF5 file, and a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.tracking.cells import Sampling
from penstock.workflows.tracking.inference import UNITS, Maps, Settings
from penstock.workflows.tracking.optimum import Optimum
from penstock.workflows.tracking.regionfile import create, opened, told, write_array, write_region
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
    with create(path, about, failed or {}) as file:
        for name in sorted(regions):
            _write_maps(file.create_group(name), *regions[name])


def _write_maps(group: Any, maps: Maps, sampling: Sampling, steps: Translocations) -> None:
    for name, (array, unit) in _arrays(maps).items():
        write_array(group, f"maps/{name}", array, unit)
    write_region(group, sampling, steps)
    write_array(group, "optimum/parameters", maps.optimum.x)
    write_array(group, "optimum/bound", maps.optimum.bound)
    for name, value in maps.about().items():
        group.attrs[name] = value if isinstance(value, int | float | str) else told(value)


def find_regions(products: Iterable[Path]) -> dict[str, Path]:
    """Say in which product each region is. Raises Unreadable."""
    places: dict[str, Path] = {}
    for path in products:
        with opened(path) as file:
            places |= dict.fromkeys(file, path)
    return places


def merge(
    path: Path, places: Mapping[str, Path], about: Mapping[str, Any], failed: Mapping[str, str]
) -> None:
    """Put regions of several products into one, by name. Raises Unreadable."""
    with create(path, about, failed) as file:
        for name, part in sorted(places.items()):
            with opened(part) as made:
                made.copy(name, file)


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
    with opened(path) as file:
        return {region: _read(group) for region, group in file.items()}


def _read(group: Any) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for part in ("cells", "maps", "points"):
        found |= {name: made[()] for name, made in group[part].items()}
    return found


def load_maps(group: Any, sampling: Sampling) -> Maps:
    """Make the maps of a region again from its group of a product."""
    arrays = {name: made[()] for name, made in group["maps"].items()}
    values = {name: arrays.pop(name) for name in UNITS if name in arrays}
    errors = {name: arrays.pop(f"{name}_error") for name in values if f"{name}_error" in arrays}
    scores = {name[4:]: arrays.pop(name) for name in [*arrays] if name.startswith("fit_")}
    counts, flags, _ = (arrays.pop(name) for name in ("count", "flags", "density"))
    about, x, bound = dict(group.attrs), *(group[f"optimum/{name}"][()] for name in ("parameters", "bound"))
    optimum = Optimum(
        x, about["objective"], about["gradient_norm"], int(about["iterations"]), about["reason"], bound
    )
    settings = Settings(**json.loads(about["settings"]))
    return Maps(
        sampling.cells, counts, values, errors, flags, scores, arrays, optimum, settings, about["cpu_s"],
        tuple(json.loads(about["told"])),
    )  # fmt: skip


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
