"""The product of one sound in other forms: Zarr, NumPy's npz."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

HIDDEN = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid", "_Netcdf4Coordinates")


def write_npz(source: Path, path: Path) -> None:
    """Write time (seconds since 1970), frequency (Hz), level (dB, float32) and psd, compressed.

    The matrix is held in memory whole.
    """
    with h5py.File(source) as file:
        matrix, time, begin = file["level"], file["time"], _begin(file)
        centres = time[:] * time.attrs["scale_factor"] + time.attrs["add_offset"]
        level = matrix[:].astype(np.float32) * matrix.attrs["scale_factor"] + matrix.attrs["add_offset"]
        level[matrix[:] == matrix.attrs["_FillValue"]] = np.nan
        reference = os.fsdecode(file.attrs["reference"])
        with path.open("wb") as out:
            np.savez_compressed(
                out,
                time=begin + centres,
                frequency=file["frequency"][:],
                level=level.astype(np.float32),
                psd=file["psd"][:],
                reference=np.array(reference),
            )


def _begin(file: Any) -> float:
    from datetime import datetime

    from penstock.workflows.acoustics.timeline import seconds

    return seconds(datetime.fromisoformat(os.fsdecode(file.attrs["begin"])))


def write_zarr(source: Path, folder: Path) -> None:
    """Write the same variables and attributes as a Zarr store (version 2, consolidated), a chunk at a time.

    `xarray.open_zarr(folder)` opens it.
    """
    import zarr
    from numcodecs import Zlib

    with h5py.File(source) as file:
        group = zarr.open_group(folder, mode="w", zarr_format=2, attributes=_attributes(file))
        for name, made in file.items():
            chunks = made.chunks or made.shape
            out = group.create_array(
                name,
                shape=made.shape,
                dtype=made.dtype,
                chunks=tuple(max(1, each) for each in chunks),
                compressors=Zlib(1),
                filters=_filters(made),
                fill_value=made.attrs.get("_FillValue"),
                attributes=_attributes(made) | {"_ARRAY_DIMENSIONS": _dimensions(file, made, name)},
            )
            for part in _parts(made.shape, chunks):
                out[part] = made[part]
        zarr.consolidate_metadata(group.store, zarr_format=2)


def _filters(made: Any) -> Any:
    from numcodecs import Shuffle

    return [Shuffle(made.dtype.itemsize)] if made.ndim == 2 else None


def _parts(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Any:
    last, step = shape[-1], max(1, chunks[-1])
    for start in range(0, last, step):
        yield (..., slice(start, min(last, start + step)))


def _attributes(owner: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in owner.attrs.items() if name not in HIDDEN}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value.item() if hasattr(value, "item") else value


def _dimensions(file: Any, made: Any, name: str) -> list[str]:
    if made.is_scale:
        return [name]
    return [made.dims[i][0].name.rsplit("/", 1)[-1] for i in range(made.ndim)]
