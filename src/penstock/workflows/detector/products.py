"""What a run leaves: arrays with all they come from in HDF5, the old text files, and parts of sums to be merged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.detector.bits import BITS
from penstock.workflows.detector.gates import Gates
from penstock.workflows.detector.grid import Grid
from penstock.workflows.detector.links import open_hdf5
from penstock.workflows.detector.ndarrayfile import text_of
from penstock.workflows.detector.status import Judged
from penstock.workflows.detector.sums import Sums

OLD = ("ave", "rms", "status", "mask", "max", "min")  # what the old tool wrote as text
ABOUT = {
    "ave": "mean of the events within the gate",
    "rms": "standard deviation of the events within the gate about their mean",
    "min": "least of all events",
    "max": "largest of all events",
    "fraction_low": "fraction of events below the gate",
    "fraction_high": "fraction of events above the gate",
    "status": "sum of bits, 0 is good",
    "mask": "1 is good, 0 is bad",
}
COUNTS = ("below", "above", "least", "most", "totals")


@dataclass(frozen=True)
class Product:
    """A product as it is read: arrays by name, and what is known about the run."""

    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]


def write_product(path: Path, judged: Judged, about: Mapping[str, Any], told: Sequence[str] = ()) -> None:
    """Write all arrays of a run as HDF5, in the detector's shape; the same run gives the same bytes.

    Attributes: `about` (experiment, run, detector …), `frames` (those that count), `settings` (JSON), limits, `bits`,
    what was `told` about the frames, and `not_judged` if nothing was.
    """
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        for name, array in judged.arrays().items():
            made = file.create_dataset(name, data=array, compression=4, shuffle=True, track_times=False)
            made.attrs["long_name"] = ABOUT[name]
        file.attrs.update({str(name): value for name, value in about.items()})
        file.attrs["frames"] = judged.frames
        file.attrs["settings"] = json.dumps(judged.settings.told(), sort_keys=True)
        file.attrs["bits"] = "; ".join(f"{bit.value} {bit.name}: {bit.meaning}" for bit in BITS)
        file.attrs["told"] = json.dumps([*told], ensure_ascii=False)
        if judged.limits is None:
            file.attrs["not_judged"] = judged.why
        else:
            file.attrs["rms_limits"], file.attrs["mean_limits"] = judged.limits.rms, judged.limits.mean


def read_product(path: Path) -> Product:
    """Read a product that `write_product` wrote. Raises Unreadable if it is damaged."""
    with open_hdf5(path) as file:
        arrays = {name: made[()] for name, made in file.items()}
        about = {name: _plain(value) for name, value in file.attrs.items()}
    return Product(arrays, about | {name: json.loads(about[name]) for name in ("settings", "told")})


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def write_texts(folder: Path, stem: str, judged: Judged, about: Mapping[str, Any]) -> list[Path]:
    """Write the old text files, `<stem>-<array>.txt`; give their paths."""
    arrays, made = judged.arrays(), []
    for name in (each for each in OLD if each in arrays):
        path = folder / f"{stem}-{name}.txt"
        path.write_bytes(text_of(arrays[name], {**about, "ARRAY": name, "FRAMES": judged.frames}))
        made.append(path)
    return made


def write_sums(path: Path, sums: Sums) -> None:
    """Write the sums of a part of a run, to be merged with those of others."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        for name in COUNTS:
            file.create_dataset(
                name, data=getattr(sums, name), compression=1, shuffle=True, track_times=False
            )
        for end in ("low", "high"):
            bound = getattr(sums.gates, end)
            same = bound[:1] if len(bound) and bound.strides == (0,) else bound
            file.create_dataset(f"gate_{end}", data=same, track_times=False)
        file.attrs.update({"frames": sums.frames, "shape": sums.shape, "dtype": sums.dtype.str})
        file.attrs.update({each: getattr(sums.grid, each) for each in ("centre", "step", "wide")})


def read_sums(path: Path) -> Sums:
    """Read the sums of a part. Raises Unreadable if the file is damaged."""
    with open_hdf5(path) as file:
        about = file.attrs
        counts = {name: file[name][()] for name in COUNTS}
        pixels = len(counts["below"])
        bounds = [np.broadcast_to(file[f"gate_{end}"][()], (pixels,)) for end in ("low", "high")]
        grid = Grid(float(about["centre"]), float(about["step"]), bool(about["wide"]))
        shape = tuple(int(size) for size in about["shape"])
        return Sums(shape, np.dtype(about["dtype"]), grid, Gates(*bounds), int(about["frames"]), **counts)


def merge_sums(paths: Sequence[Path]) -> Sums:
    """Merge the sums of all parts of a run; the result is that of one pass, bit for bit, in whatever order.

    Raises DefinitionError if parts have other gates, shapes or types.
    """
    first, *others = paths
    made = read_sums(first)
    for path in others:
        made.merge(read_sums(path))
    return made
