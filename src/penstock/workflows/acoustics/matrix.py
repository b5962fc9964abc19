"""Levels of power, and the packed matrix of them in the product of one recording."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.stores.netcdf import write_attributes
from penstock.workflows.stores.packing import FILL, Quantiser, deflate

TINY = np.float32(np.finfo(np.float32).tiny)  # power of digital silence reads as this, 379 dB below 1
USUAL_FULL_SCALE, USUAL_PRESSURE = -100.0, 60.0  # dB: for a recording that begins with digital silence


def to_level(power: NDArray[Any], reference: float) -> NDArray[Any]:
    """Give 10·log10(P / reference²) in float32; NaN stays NaN, zero becomes the least float."""
    level = np.log(np.maximum(power, TINY, dtype=np.float32))
    level *= np.float32(10 / np.log(10))
    level -= np.float32(20 * np.log10(reference))
    return level


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
        packing = {"scale_factor": quantiser.step, "add_offset": quantiser.offset}
        write_attributes(self.variable, {name: np.float32(value) for name, value in packing.items()})
