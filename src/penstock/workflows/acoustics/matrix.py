"""The compact product of one recording: a NetCDF-4 file that any reader opens.

Levels are kept as int16 with a scale (CF conventions 1.11, section 8.1), shuffled and deflated. The
deflate stream is made here with run-length matching only: noise has no repeats to look for, and
zlib spends most of its time looking.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

FILL = np.int16(-32768)
SAMPLED = 4099  # levels looked at to place the packed range
TINY = np.float32(np.finfo(np.float32).tiny)  # power of digital silence reads as this, 379 dB below 1
SECONDS_1970 = "seconds since 1970-01-01T00:00:00+00:00"


USUAL_FULL_SCALE, USUAL_PRESSURE = -100.0, 60.0  # dB: for a recording that begins with digital silence
WORTH_PACKING, PART = 500, 1 << 16  # values of a coordinate
Values = Callable[[int, int], NDArray[Any]]


def to_level(power: NDArray[Any], reference: float) -> NDArray[Any]:
    """Give 10·log10(P / reference²) in float32; NaN stays NaN, zero becomes the least float."""
    level = np.log(np.maximum(power, TINY, dtype=np.float32))
    level *= np.float32(10 / np.log(10))
    level -= np.float32(20 * np.log10(reference))
    return level


@dataclass(frozen=True, slots=True)
class Quantiser:
    """Levels to int16: `level = stored · step + offset`; an error is at most half a step."""

    step: float
    offset: float

    @classmethod
    def around(cls, level: NDArray[Any], step: float) -> Quantiser:
        """Place stored values in 0…255 if they can be, where the high byte costs nothing."""
        some = level.reshape(-1)[:: max(1, level.size // SAMPLED)]
        finite = some[np.isfinite(some)]
        centre = float(np.median(finite)) if len(finite) else 0.0
        return cls(step, (round(centre / step) - 128) * step)

    def pack(self, level: NDArray[Any]) -> NDArray[np.int16]:
        scaled = (level - np.float32(self.offset)) / np.float32(self.step)
        np.rint(scaled, out=scaled)
        np.clip(scaled, -32767, 32767, out=scaled)
        missing = np.isnan(scaled)
        if missing.any():
            scaled[missing] = FILL
        return scaled.astype(np.int16)


def deflate(chunk: NDArray[Any]) -> bytes:
    """Shuffle the bytes of a chunk and deflate it, as HDF5's two filters would."""
    planes = np.ascontiguousarray(chunk.reshape(-1).view(np.uint8).reshape(-1, chunk.itemsize).T)
    stream = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return stream.compress(planes) + stream.flush()


class Store:
    """A NetCDF-4 file in the making: dimensions, variables, attributes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = h5py.File(path, "w", libver=("v110", "v110"), track_order=True)
        self._scales: dict[str, h5py.Dataset] = {}

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Write global attributes."""
        _write_attributes(self.file, {name: value for name, value in attributes.items() if value is not None})

    def dimension(self, name: str, values: NDArray[Any], **attributes: Any) -> None:
        """Write a dimension with its coordinate."""
        self.axis(name, len(values), lambda first, count: values[first : first + count], **attributes)

    def axis(self, name: str, length: int, values: Values, **attributes: Any) -> None:
        """Write a dimension whose coordinate may be long: `values(first, count)` gives a part of it."""
        long = length > WORTH_PACKING
        filters = {
            "compression": "gzip",
            "compression_opts": 1,
            "shuffle": True,
            "chunks": (min(length, PART),),
        }
        scale = self.file.create_dataset(name, (length,), np.float64, **(filters if long else {}))
        for first in range(0, length, PART):
            scale[first : first + PART] = values(first, min(PART, length - first))
        scale.make_scale(name)
        scale.attrs["_Netcdf4Dimid"] = np.int32(len(self._scales))
        _write_attributes(scale, attributes)
        self._scales[name] = scale

    def variable(self, name: str, dimensions: tuple[str, ...], data: Any, **attributes: Any) -> h5py.Dataset:
        """Write a variable whole."""
        return self._attach(self.file.create_dataset(name, data=data), dimensions, attributes)

    def deflated(
        self, name: str, dimensions: tuple[str, ...], data: NDArray[Any], **attributes: Any
    ) -> h5py.Dataset:
        """Write a variable whole, compressed."""
        made = self.file.create_dataset(name, data=data, shuffle=True, compression="gzip", compression_opts=4)
        return self._attach(made, dimensions, attributes)

    def rows(self, name: str, dimensions: tuple[str, ...], dtype: Any, **attributes: Any) -> h5py.Dataset:
        """Make a variable that is filled row by row; rows never written are NaN or 0."""
        shape = tuple(len(self._scales[dimension]) for dimension in dimensions)
        fill = np.nan if np.dtype(dtype).kind == "f" else 0
        chunks = (1, *shape[1:]) if len(shape) > 1 else None
        made = self.file.create_dataset(name, shape, dtype, fillvalue=fill, chunks=chunks)
        return self._attach(made, dimensions, attributes)

    def packed(self, name: str, dimensions: tuple[str, str], width: int, **attributes: Any) -> h5py.Dataset:
        """Make an int16 matrix that is filled by chunks of `width` columns."""
        shape = tuple(len(self._scales[dimension]) for dimension in dimensions)
        made = self.file.create_dataset(
            name,
            shape,
            np.int16,
            chunks=(shape[0], min(width, shape[1])),
            shuffle=True,
            compression="gzip",
            compression_opts=1,
            fillvalue=FILL,
        )
        return self._attach(made, dimensions, attributes | {"_FillValue": FILL})

    def _attach(
        self, made: h5py.Dataset, dimensions: tuple[str, ...], attributes: Mapping[str, Any]
    ) -> h5py.Dataset:
        for place, dimension in enumerate(dimensions):
            made.dims[place].attach_scale(self._scales[dimension])
        _write_attributes(made, attributes)
        return made


def _write_attributes(owner: Any, attributes: Mapping[str, Any]) -> None:
    """Write texts with a fixed length: the heap for others is larger than a short product."""
    for name, value in attributes.items():
        if isinstance(value, str):
            raw = value.encode("utf-8", "surrogateescape")
            owner.attrs.create(name, np.array(raw, f"S{max(1, len(raw))}"), dtype=string(max(1, len(raw))))
        else:
            owner.attrs[name] = value


def string(length: int) -> Any:
    return h5py.string_dtype("utf-8", length)


class Matrix:
    """Fills a packed variable with blocks of frames, each a chunk of the file."""

    def __init__(self, variable: h5py.Dataset, step: float, reference: float) -> None:
        self.variable, self.step, self.reference = variable, step, reference
        self.quantiser: Quantiser | None = None

    def put(self, first: int, power: NDArray[Any]) -> NDArray[np.int16]:
        """Write frames (rows of `power`) from column `first` on, which is a chunk's first; give what is stored."""
        level = to_level(power, self.reference)
        chunk = np.full(self.variable.chunks, FILL, np.int16)
        if self.quantiser is None:
            self.quantiser = self._begin(level)
        stored = self.quantiser.pack(level) if self.quantiser else chunk[:, : len(level)].T
        chunk[:, : len(level)] = stored.T
        self.variable.id.write_direct_chunk((0, first), deflate(chunk))
        return stored

    def _begin(self, level: NDArray[Any]) -> Quantiser | None:
        """Place the range about the first sound: not yet if there is no data, and not about digital silence."""
        silence = float(to_level(np.zeros(1, np.float32), self.reference)[0])
        heard = level[level > silence + 1]
        if len(heard):
            return Quantiser.around(heard, self.step)
        usual = np.full(1, USUAL_FULL_SCALE if self.reference == 1 else USUAL_PRESSURE)
        return Quantiser.around(usual, self.step) if np.isfinite(level).any() else None

    def close(self) -> None:
        quantiser = self.quantiser or Quantiser(self.step, 0.0)
        self.variable.attrs["scale_factor"] = np.float32(quantiser.step)
        self.variable.attrs["add_offset"] = np.float32(quantiser.offset)
