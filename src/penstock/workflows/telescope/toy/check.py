"""The data check: numbers that tell whether camera, weather and pointing were as they should be, a subrun a row.

Noise is of pedestals, response of flat fields, both among the data; what there is nothing of is NaN. A run is the mean of its
subruns, weighted by their events.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import NAME, PIXELS
from penstock.workflows.telescope.toy.dl1a import Images
from penstock.workflows.telescope.toy.files import (
    EVENTS,
    about_of,
    check_camera,
    open_file,
    read,
    table,
    write_file,
)
from penstock.workflows.telescope.toy.simulator import FLATFIELD, SKY_PEDESTAL

Array = NDArray[np.float64]

#: what is known of each pixel → its unit, and which events it is of
MAPS: Mapping[str, tuple[str, str]] = {
    "pedestal_mean": ("pe", "pedestals"),
    "pedestal_rms": ("pe", "pedestals"),
    "flatfield_mean": ("pe", "flatfields"),
    "flatfield_rms": ("pe", "flatfields"),
    "charge_mean": ("pe", "events"),
    "charge_above_8": ("part of events", "events"),
}
BRIGHT = 8.0  # pe


@dataclass(frozen=True)
class Check:
    """Numbers of subruns, a row each by run and subrun, and maps: a value a pixel of all of them together."""

    rows: NDArray[Any]
    maps: Mapping[str, Array]
    about: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Write them; the same numbers give the same bytes."""
        write_file(path, "datacheck", self.about, {"subruns": self.rows} | dict(self.maps))


def measure(
    data: Images, others: Images, muons: Mapping[str, NDArray[Any]], about: Mapping[str, Any]
) -> Check:
    """Measure a subrun: its data, the pedestals and flat fields among them, and its muon rings."""
    kinds = others.events["event_type"]
    groups = {"pedestal": others.image[kinds == SKY_PEDESTAL], "flatfield": others.image[kinds == FLATFIELD]}
    maps: dict[str, Array] = {}
    for name, image in groups.items():
        maps |= {f"{name}_mean": _mean(image), f"{name}_rms": _rms(image)}
    maps |= {"charge_mean": _mean(data.image), "charge_above_8": _mean(data.image >= BRIGHT)}
    rings, seconds = muons["rings"], float(about.get("seconds", 0))
    numbers: dict[str, float] = {
        "start": float(about.get("start", math.nan)),
        "seconds": seconds,
        "rate": len(data.events) / seconds if seconds else math.nan,
        "muon_rate": len(rings) / seconds if seconds else math.nan,
        "ring_radius": _of(rings["ring_radius"]),
        "ring_size": _of(rings["ring_size"]),
        "altitude": _of(data.events["altitude"]),
        "azimuth": _of(data.events["azimuth"]),
        "flatfield_time_rms": _of(_rms(others.peak_time[kinds == FLATFIELD])),
    }
    numbers |= {name: _of(values) for name, values in maps.items()}
    counts = {
        "run_id": int(about.get("run_id", 0)),
        "subrun_id": int(about.get("subrun_id", 0)),
        "events": len(data.events),
        "pedestals": len(groups["pedestal"]),
        "flatfields": len(groups["flatfield"]),
        "muons": len(rings),
    }
    columns = {name: np.array([value]) for name, value in (counts | numbers).items()}
    return Check(table(columns), maps, about)


def _mean(image: NDArray[Any]) -> Array:
    return image.mean(axis=0, dtype=np.float64) if len(image) else np.full(PIXELS, np.nan)


def _rms(image: NDArray[Any]) -> Array:
    return image.std(axis=0, dtype=np.float64) if len(image) else np.full(PIXELS, np.nan)


def _of(values: NDArray[Any]) -> float:
    """Give the mean of values that are numbers."""
    finite = values[np.isfinite(values)]
    return float(finite.mean(dtype=np.float64)) if len(finite) else math.nan


def read_check(path: Path) -> Check:
    """Read what `Check.write` wrote."""
    with open_file(path, "datacheck") as file:
        return Check(read(file, "subruns"), {name: read(file, name) for name in MAPS}, about_of(file))


def merge_checks(paths: Sequence[Path]) -> Check:
    """Put the subruns of a run together; the order of `paths` changes nothing.

    Without any there are no rows, as in a night without data. Raises Unusable if they are of several cameras.
    """
    if not paths:
        return _nothing()
    checks = {path: read_check(path) for path in paths}
    first, *others = paths
    for path in others:
        check_camera(first, checks[first].about, path, checks[path].about)
    order = sorted(checks.values(), key=lambda each: tuple(each.rows[["run_id", "subrun_id"]][0]))
    rows = np.concatenate([each.rows for each in order])
    maps: dict[str, Array] = {}
    for name, (_, of) in MAPS.items():
        power = 2 if name.endswith("_rms") else 1
        weights = [float(each.rows[of].sum()) for each in order]
        maps[name] = _weighted([each.maps[name] ** power for each in order], weights) ** (1 / power)
    about = {name: value for name, value in order[0].about.items() if name not in ("subrun_id", "start")}
    return Check(rows, maps, about | {"seconds": float(rows["seconds"].sum()), "subruns": len(rows)})


def _nothing() -> Check:
    """Give the check of no subrun at all."""
    image = np.empty((0, PIXELS), np.float32)
    none = Images(np.empty(0, EVENTS), image, image, None)
    rings = np.empty(0, [("ring_radius", "f8"), ("ring_size", "f8")])
    made = measure(none, none, {"rings": rings}, {"camera": NAME})
    return Check(made.rows[:0], made.maps, made.about)


def _weighted(values: Sequence[Array], weights: Sequence[float]) -> Array:
    """Give the weighted mean of maps; those of weight 0 do not count."""
    some = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight > 0]
    if not some:
        return np.full(PIXELS, np.nan)
    return sum(value * weight for value, weight in some) / sum(weight for _, weight in some)
