"""What Picasso writes: HDF5 with localisations in camera pixels, and a YAML file beside it that says how large these are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.points import Points, points_of
from penstock.workflows.tracking.units import Scales

PIXEL = re.compile(r"^\s*Pixelsize\s*:\s*([\d.]+(?:[eE][-+]?\d+)?)\s*$", re.MULTILINE)  # nm
TRACKS = ("track_id", "group")


def read_picasso(path: Path, scales: Scales) -> Points:
    """Read `locs` of a Picasso file; z is in nm there. Raises Unreadable for other HDF5."""
    try:
        with h5py.File(path) as file:
            if "locs" not in file:
                raise Unreadable(f"{path} has no dataset `locs`, so it is not of Picasso")
            rows = file["locs"][()]
    except OSError as error:
        raise Unreadable(f"{path} is no whole HDF5 file: {error}") from None
    have = rows.dtype.names or ()
    columns = {name: np.asarray(rows[name], float) for name in ("x", "y", "z", "frame") if name in have}
    track = next((name for name in TRACKS if name in have), None)
    if track:
        columns["n"] = np.asarray(rows[track], float)
    return points_of(columns, {"x": "px", "y": "px", "z": "nm"}, _sized(path, scales))


def _sized(path: Path, scales: Scales) -> Scales:
    beside = path.with_suffix(".yaml")
    if scales.pixel_size is not None or not beside.exists():
        return scales
    found = PIXEL.findall(beside.read_text("utf-8"))
    return replace(scales, pixel_size=float(found[-1]) * 1e-3) if found else scales
