"""Products in the format that a campaign chose, a NetCDF file or a Zarr store: their names tell."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SUFFIXES = {"netcdf": ".nc", "zarr": ".zarr"}
HIDDEN = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid", "_Netcdf4Coordinates")


def spectra_of(paths: Iterable[Path]) -> list[Path]:
    """Choose, among products, those that hold spectra or tables."""
    return [path for path in paths if path.suffix in SUFFIXES.values()]


@contextmanager
def open_product(path: Path) -> Iterator[Any]:
    """Open a product for reading; `made[name][:]`, `made[name].attrs` and `made.attrs` work on both formats.

    Values are as they are stored: packed ones with their scale and offset beside them.
    """
    if path.suffix == SUFFIXES["zarr"]:
        import zarr

        yield zarr.open_group(path, mode="r")
        return
    import h5py

    with h5py.File(path) as file:
        yield file


@contextmanager
def as_netcdf(product: Path) -> Iterator[Path]:
    """Give the place of a NetCDF file to write; if the product is a Zarr store, it becomes one in the end.

    Zarr has no file that grows and then is whole: the NetCDF file is, and its chunks are copied as they are.
    """
    if product.suffix != SUFFIXES["zarr"]:
        yield product
        return
    with tempfile.TemporaryDirectory(prefix=".netcdf-", dir=product.parent) as folder:
        made = Path(folder, f"{product.stem}.nc")
        yield made
        write_zarr(made, product)


def write_zarr(source: Path, folder: Path) -> None:
    """Write the same variables and attributes as a Zarr store (version 2, consolidated).

    `xarray.open_zarr(folder)` opens it.
    """
    import h5py
    import zarr

    with h5py.File(source) as file:
        group = zarr.open_group(folder, mode="w", zarr_format=2, attributes=_attributes(file))
        for name, made in file.items():
            _add_array(group, name, made)
            if made.compression:
                _copy_chunks(made, folder / name)
            else:
                group[name][...] = made[...]
        zarr.consolidate_metadata(group.store, zarr_format=2)


def _add_array(group: Any, name: str, made: Any) -> None:
    from numcodecs import Shuffle, Zlib

    group.create_array(
        name,
        shape=made.shape,
        dtype=made.dtype,
        chunks=tuple(max(1, each) for each in made.chunks or made.shape),
        compressors=Zlib(made.compression_opts) if made.compression else None,
        filters=[Shuffle(made.dtype.itemsize)] if made.shuffle else None,
        fill_value=_no_data(made),
        attributes=_attributes(made) | {"_ARRAY_DIMENSIONS": _dimensions(made, name)},
    )


def _no_data(made: Any) -> Any:
    """Give what stands for no data; a number that means something is none, since readers mask it."""
    empty = made.dtype.kind == "f" and made.fillvalue != made.fillvalue
    return made.fillvalue if empty else made.attrs.get("_FillValue")


def _copy_chunks(made: Any, folder: Path) -> None:
    """Copy chunks as they are: shuffled and deflated bytes are the same in both formats."""
    for i in range(made.id.get_num_chunks()):
        offset = made.id.get_chunk_info(i).chunk_offset
        _, raw = made.id.read_direct_chunk(offset)
        places = (first // size for first, size in zip(offset, made.chunks, strict=True))
        (folder / ".".join(map(str, places))).write_bytes(raw)


def _attributes(owner: Any) -> dict[str, Any]:
    return {name: plain(value) for name, value in owner.attrs.items() if name not in HIDDEN}


def plain(value: Any) -> Any:
    """Give an attribute as text or a number of Python, whatever the format gave."""
    if isinstance(value, bytes):
        return os.fsdecode(value)
    return value.item() if hasattr(value, "item") else value


def _dimensions(made: Any, name: str) -> list[str]:
    if made.is_scale:
        return [name]
    return [made.dims[i][0].name.rsplit("/", 1)[-1] for i in range(made.ndim)]
