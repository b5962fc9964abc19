"""Values made small: packed as int16 with a scale, rounded to what they are worth, deflated.

Packed values have a scale and an offset (CF conventions 1.11, section 8.1). The deflate stream is made here with
run-length matching only: noise has no repeats to look for, and zlib spends most of its time looking.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILL = np.int16(-32768)
SAMPLED = 4099  # values looked at to place the packed range
KEPT_BITS = 11  # of a float's mantissa: of a power, that is 0.001 dB, and takes two thirds of the space


@dataclass(frozen=True, slots=True)
class Quantiser:
    """Values to int16: `value = stored · step + offset`; an error is at most half a step."""

    step: float
    offset: float

    @classmethod
    def around(cls, values: NDArray[Any], step: float) -> Quantiser:
        """Place stored values in 0…255 if they can be, where the high byte costs nothing."""
        some = values.reshape(-1)[:: max(1, values.size // SAMPLED)]
        finite = some[np.isfinite(some)]
        centre = float(np.median(finite)) if len(finite) else 0.0
        return cls(step, (round(centre / step) - 128) * step)

    def pack(self, values: NDArray[Any]) -> NDArray[np.int16]:
        """Return what is stored; NaN becomes the fill value."""
        scaled = (values - np.float32(self.offset)) / np.float32(self.step)
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


def rounded(values: NDArray[Any], bits: int = KEPT_BITS) -> NDArray[np.float32]:
    """Round float32 to so many bits of mantissa: what is left compresses, and the mean of many is as before."""
    spare = 23 - bits
    raw = np.ascontiguousarray(values, np.float32).view(np.uint32) + np.uint32(1 << (spare - 1))
    return (raw & np.uint32(-(1 << spare) & 0xFFFFFFFF)).view(np.float32)
