"""Localisations as a file has them: where (µm), when (s), and of which trajectory if it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.tracking.units import Scales

NAMES = {  # what programs call the same thing
    "n": ("n", "track_id", "trajectory", "traj", "track", "particle", "trackid", "group"),
    "x": ("x", "position_x"),
    "y": ("y", "position_y"),
    "z": ("z", "position_z"),
    "t": ("t", "time", "position_t"),
    "frame": ("frame",),
}
UNIT = re.compile(r"\s*(.*?)\s*[\[(]\s*([^\])]+?)\s*[\])]\s*").fullmatch  # x [nm]


@dataclass(frozen=True)
class Points:
    """Rows of positions `r` (rows × dimensions, µm) and times `t` (s); `n` is None without trajectories."""

    r: NDArray[np.float64]
    t: NDArray[np.float64]
    n: NDArray[np.float64] | None
    told: tuple[str, ...] = ()


def name_columns(names: Mapping[str, int]) -> tuple[dict[str, int], dict[str, str]]:
    """Give the places of the columns that count, by our names, and the units that their headers state.

    >>> name_columns({"frame": 0, "x [nm]": 1, "y [nm]": 2})
    ({'x': 1, 'y': 2, 'frame': 0}, {'x': 'nm', 'y': 'nm'})
    """
    plain, units = {}, {}
    for name, place in names.items():
        found = UNIT(name)
        plain[(found[1] if found else name).lower()] = place
        units[(found[1] if found else name).lower()] = found[2] if found else ""
    mine = {our: next((each for each in theirs if each in plain), None) for our, theirs in NAMES.items()}
    places = {our: plain[each] for our, each in mine.items() if each is not None}
    return places, {our: units[each] for our, each in mine.items() if each is not None and units[each]}


def points_of(columns: Mapping[str, NDArray[Any]], units: Mapping[str, str], scales: Scales) -> Points:
    """Make points of columns `x`, `y`, perhaps `z`, `n`, and `t` or `frame`, in the units that are stated.

    `units` may lack an entry: then `scales` has to say it. Raises DefinitionError if nothing does.
    """
    told: list[str] = []
    axes = [axis for axis in "xyz" if axis in columns]
    if "z" in axes and np.all(columns["z"] == columns["z"][:1]):
        axes.remove("z")
        told.append("z is the same everywhere and is not used")
    r = np.column_stack([columns[axis] * _length(units.get(axis), scales, told) for axis in axes])
    return Points(r, _times(columns, units, scales, told), columns.get("n"), tuple(dict.fromkeys(told)))


def _length(unit: str | None, scales: Scales, told: list[str]) -> float:
    unit = unit or scales.length
    if unit is None and scales.pixel_size is not None:
        unit = "px"
        told.append(f"no unit of length is stated: taken for pixels of {scales.pixel_size:g} µm")
    if unit is None:
        raise DefinitionError("the file states no unit of length; give pixel_size (µm), or length = 'µm'")
    return scales.micrometres(unit)


def _times(
    columns: Mapping[str, NDArray[Any]], units: Mapping[str, str], scales: Scales, told: list[str]
) -> NDArray[np.float64]:
    """Take frames where their interval is known: times are often rounded."""
    if "frame" in columns and (scales.frame_interval is not None or "t" not in columns):
        return columns["frame"] * scales.seconds("frame")
    unit, t = units.get("t") or scales.time, columns["t"]
    if unit is None and scales.frame_interval is not None:
        unit = "frame" if _are_frames(t, scales.frame_interval) else "s"
        if unit == "frame":
            told.append(f"times are whole numbers: taken for frames of {scales.frame_interval:g} s")
    if unit is None:
        raise DefinitionError("the file states no unit of time; give time = 's', or frame_interval (s)")
    return t * scales.seconds(unit)


def _are_frames(t: NDArray[Any], interval: float) -> bool:
    finite = t[np.isfinite(t)]
    return interval < 1 and len(finite) > 0 and bool(np.all(finite == np.rint(finite)) and np.ptp(finite) > 0)
