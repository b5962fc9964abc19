"""A NetCDF-4 file in the making, written past h5py's slow way; any reader opens it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.stores.packing import FILL, Quantiser

SECONDS_1970 = "seconds since 1970-01-01T00:00:00+00:00"
WORTH_PACKING, MOST_ATTRIBUTES = 500, 1000
PART = 1 << 16  # values of a coordinate written at once
CHUNK_BYTES = 1 << 19  # of rows that are compressed together, below the megabyte that HDF5 caches


@dataclass(frozen=True, slots=True)
class Layout:
    """How a variable lies in the file: whole, or in chunks that are shuffled and deflated."""

    dtype: str
    fill: float | None = None
    chunks: tuple[int, ...] | None = None
    effort: int = 4  # of deflating, 1…9


class Store:
    """A NetCDF-4 file in the making: dimensions, variables, attributes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = _create(path)
        self._scales: dict[str, h5py.Dataset] = {}

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Write global attributes."""
        write_attributes(self.file, {name: value for name, value in attributes.items() if value is not None})

    def dimension(
        self, name: str, values: NDArray[Any], *, dtype: Any = np.float64, **attributes: Any
    ) -> None:
        """Write a dimension with its coordinate."""
        data = values.astype(dtype)
        chunks = data.shape if len(data) > WORTH_PACKING else None
        self._add_scale(name, self._put(name, data, chunks), attributes)

    def steps(self, name: str, length: int, *, first: float, step: float, **attributes: Any) -> None:
        """Write a dimension with the coordinate `first + i · step`, packed: i is stored, with scale and offset.

        The numbers themselves, eight bytes each, would be a fiftieth of the product.
        """
        layout = Layout("<i4", chunks=(min(length, PART),), effort=1)
        scale = self._make(name, (length,), layout)
        for start in range(0, length, PART):
            scale[start : start + PART] = np.arange(start, min(start + PART, length), dtype=np.int32)
        self._add_scale(name, scale, {"scale_factor": step, "add_offset": first} | attributes)

    def _make(self, name: str, shape: tuple[int, ...], layout: Layout) -> h5py.Dataset:
        """Make a variable past h5py's slow way: its checks take as long as the library."""
        space = h5py.h5s.create_simple(shape)
        made = h5py.h5d.create(self.file.id, name.encode(), _kind(layout.dtype), space, _properties(layout))
        return h5py.Dataset(made)

    def _put(self, name: str, data: NDArray[Any], chunks: tuple[int, ...] | None = None) -> h5py.Dataset:
        """Make a variable and write it whole."""
        made = self._make(name, data.shape, Layout(data.dtype.str, chunks=chunks))
        made.id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(data))
        return made

    def _add_scale(self, name: str, scale: h5py.Dataset, attributes: Mapping[str, Any]) -> None:
        h5py.h5ds.set_scale(scale.id, name.encode())
        write_attributes(scale, {"_Netcdf4Dimid": np.int32(len(self._scales)), **attributes})
        self._scales[name] = scale

    def variable(self, name: str, dimensions: tuple[str, ...], data: Any, **attributes: Any) -> h5py.Dataset:
        """Write a variable whole."""
        return self._attach(self._put(name, np.asarray(data)), dimensions, attributes)

    def deflated(
        self, name: str, dimensions: tuple[str, ...], data: NDArray[Any], **attributes: Any
    ) -> h5py.Dataset:
        """Write a variable whole, compressed in chunks of whole rows."""
        rows = max(1, min(len(data), CHUNK_BYTES // max(1, data[0].nbytes)))
        return self._attach(self._put(name, data, (rows, *data.shape[1:])), dimensions, attributes)

    def quantised(
        self, name: str, dimensions: tuple[str, ...], values: NDArray[Any], *, step: float, **attributes: Any
    ) -> None:
        """Write a variable whole, compressed and packed in steps of `step` about 0; NaN is the fill value."""
        packing = {"scale_factor": np.float32(step), "add_offset": np.float32(0), "_FillValue": FILL}
        self.deflated(name, dimensions, Quantiser(step, 0.0).pack(values), **packing | attributes)

    def rows(self, name: str, dimensions: tuple[str, ...], dtype: Any, **attributes: Any) -> h5py.Dataset:
        """Make a variable that is filled row by row, in order; rows never written are NaN or 0."""
        shape = tuple(len(self._scales[dimension]) for dimension in dimensions)
        fill = np.nan if np.dtype(dtype).kind == "f" else 0
        row = max(1, math.prod(shape[1:]) * np.dtype(dtype).itemsize)
        together = max(1, min(shape[0], CHUNK_BYTES // row))
        chunks = (together, *shape[1:]) if len(shape) > 1 else None
        made = self._make(name, shape, Layout(np.dtype(dtype).str, fill, chunks))
        return self._attach(made, dimensions, attributes)

    def packed(self, name: str, dimensions: tuple[str, str], width: int, **attributes: Any) -> h5py.Dataset:
        """Make an int16 matrix that is filled by chunks of `width` columns."""
        shape = tuple(len(self._scales[dimension]) for dimension in dimensions)
        chunks = shape[0], min(width, shape[1])
        made = self._make(name, shape, Layout(FILL.dtype.str, int(FILL), chunks, effort=1))
        return self._attach(made, dimensions, attributes | {"_FillValue": FILL})

    def _attach(
        self, made: h5py.Dataset, dimensions: tuple[str, ...], attributes: Mapping[str, Any]
    ) -> h5py.Dataset:
        for place, dimension in enumerate(dimensions):
            h5py.h5ds.attach_scale(made.id, self._scales[dimension].id, place)
        write_attributes(made, attributes)
        return made


def _create(path: str | os.PathLike[str]) -> h5py.File:
    """Create a file whose root keeps its attributes in its header: a heap for them is larger than they are."""
    made, access = h5py.h5p.create(h5py.h5p.FILE_CREATE), h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    made.set_link_creation_order(h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED)
    made.set_attr_creation_order(h5py.h5p.CRT_ORDER_TRACKED)
    made.set_obj_track_times(False)  # what is made again has the same bytes
    made.set_attr_phase_change(MOST_ATTRIBUTES, MOST_ATTRIBUTES // 2)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    return h5py.File(h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, fcpl=made, fapl=access))


def write_attributes(owner: Any, attributes: Mapping[str, Any]) -> None:
    """Write texts with a fixed length (the heap for others is larger than a short product), past h5py's slow way."""
    for name, value in attributes.items():
        if isinstance(value, str):
            raw = value.encode("utf-8", "surrogateescape") or b"\0"
            kind, data = _string(len(raw)), np.array(raw, f"S{len(raw)}")
        else:
            data = np.asarray(value)
            kind = _kind(data.dtype.str)
        space = SCALAR if data.ndim == 0 else h5py.h5s.create_simple(data.shape)
        made = h5py.h5a.create(owner.id, name.encode(), kind, space)
        made.write(np.ascontiguousarray(data).reshape(data.shape), mtype=kind)


SCALAR = h5py.h5s.create(h5py.h5s.SCALAR)


@cache
def _string(length: int) -> Any:
    return h5py.h5t.py_create(h5py.string_dtype("utf-8", length), logical=True)


@lru_cache(maxsize=64)
def _properties(layout: Layout) -> Any:
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_obj_track_times(False)
    if layout.chunks:
        made.set_chunk(layout.chunks)
        made.set_shuffle()
        made.set_deflate(layout.effort)
    if layout.fill is not None:
        made.set_fill_value(np.array(layout.fill, layout.dtype))
    return made


@cache
def _kind(dtype: str) -> Any:
    return h5py.h5t.py_create(np.dtype(dtype), logical=True)
