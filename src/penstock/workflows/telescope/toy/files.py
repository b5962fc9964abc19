"""HDF5 files of the chain: what each is, and tables of events in them; the same content gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.faults import Unusable

KINDS = {
    "r0": "raw events",
    "drs4_pedestal": "pedestals of the capacitors",
    "charge_calibration": "pedestals and gains",
    "dl1": "calibrated images",
    "interleaved": "calibrated pedestals and flat fields among the data",
    "muons": "muon rings",
    "dl1ab": "image parameters",
    "datacheck": "numbers of the data check",
    "models": "forests",
    "dl2": "reconstructed events",
}
EVENTS = np.dtype(
    [("event_id", "i8"), ("event_type", "u1"), ("time", "f8"), ("altitude", "f8"), ("azimuth", "f8")]
)


def write_file(path: Path, kind: str, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by their names in the file; `about` (camera, run, subrun …) become attributes."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["kind"] = kind
        file.attrs.update({name: about[name] for name in sorted(about)})
        for name, array in arrays.items():
            file.create_dataset(name, data=array, track_times=False)


@contextmanager
def open_file(path: Path, *kinds: str) -> Iterator[h5py.File]:
    """Open a file that is of one of `kinds`. Raises Unusable if it is not, or damaged; so does what is read of it."""
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            is_kind = str(file.attrs.get("kind", "unknown"))
            if is_kind not in kinds:
                wanted = " or ".join(KINDS[kind] for kind in kinds)
                raise Unusable(
                    f"{path} has no {wanted}: its attribute kind is {is_kind!r}; name another file"
                )
            yield file
    except FileNotFoundError as error:
        raise Unusable(f"{path} is not there; run the stage that makes it") from error
    except OSError as error:
        raise Unusable(f"{path} cannot be read; it may be damaged, make or copy it anew: {error}") from error


def read(file: h5py.File, name: str) -> NDArray[Any]:
    """Read an array. Raises Unusable if it is not there."""
    return find(file, name)[()]


def find(file: h5py.File, name: str) -> h5py.Dataset:
    """Give a dataset, to be read in parts. Raises Unusable if it is not there."""
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise Unusable(f"{file.filename} has no dataset {name}; make or copy it anew")
    return found


def about_of(file: h5py.File) -> dict[str, Any]:
    """Give the attributes of a file but its kind."""
    plain = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in file.attrs.items()
    }
    return {name: value for name, value in plain.items() if name != "kind"}


def kind_of(path: Path) -> str:
    """Say what a file is; empty if it is no HDF5 file, or of no kind."""
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            return str(file.attrs.get("kind", ""))
    except OSError:
        return ""


def table(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Make a table (one array of rows) of columns.

    >>> table({"x": np.array([1.0, 2.0]), "n": np.array([3, 4])})["n"].tolist()
    [3, 4]
    """
    rows = len(next(iter(columns.values())))
    made = np.empty(rows, [(name, column.dtype, column.shape[1:]) for name, column in columns.items()])
    for name, column in columns.items():
        made[name] = column
    return made


def check_camera(path: Path, about: Mapping[str, Any], other: Path, others: Mapping[str, Any]) -> None:
    """Raise Unusable if two files are not of the same camera."""
    mine, theirs = about.get("camera"), others.get("camera")
    if mine != theirs:
        raise Unusable(
            f"{other} is of the camera {theirs}, and {path} of {mine}; name that of the same camera"
        )
