"""The bits of a pixel's status: a public table. A status of 0 is a good pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bit:
    """One way to be bad: its value in a status, a word for it, what it says, and its bit in a NeXus `pixel_mask`."""

    value: int
    name: str
    meaning: str
    nexus: int


#: bits of `pixel_mask` in NXdetector (NeXus, NXdetector 2024): 1 is dead, 2 under-, 3 over-responding, 4 noisy
DEAD, UNDER, OVER, NOISY, USER = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 8

BITS = (
    Bit(1, "noisy", "the rms is above its limit", NOISY),
    Bit(2, "saturated", "too many events are above the range", OVER),
    Bit(4, "low", "too many events are below the range, or no number", UNDER),
    Bit(8, "frozen", "the rms is below its limit", DEAD),
    Bit(16, "bright", "the mean is above its limit", OVER),
    Bit(32, "dark", "the mean is below its limit", UNDER),
    Bit(
        64,
        "flashing",
        "events are above the limit of the mean; robust: too many above the pixel's gate",
        NOISY,
    ),
    Bit(
        128,
        "dipping",
        "events are below the limit of the mean; robust: too many below the pixel's gate",
        NOISY,
    ),
)
STATUS = np.uint16  # of status arrays
KNOWN = sum(bit.value for bit in BITS)


def explain(status: int) -> list[str]:
    """Say what a status means, bit by bit.

    >>> explain(8)
    ['frozen: the rms is below its limit']
    """
    return [f"{bit.name}: {bit.meaning}" for bit in BITS if status & bit.value]


def name_of(status: int) -> str:
    """Name a status by its bits, in one word.

    >>> name_of(80)
    'bright+flashing'
    """
    return "+".join(bit.name for bit in BITS if status & bit.value) or "good"


def count_bits(status: NDArray[Any]) -> Mapping[str, int]:
    """Count the pixels that have each bit, by the bit's name."""
    return {bit.name: int(np.count_nonzero(status & bit.value)) for bit in BITS}


def mask_of(status: NDArray[Any]) -> NDArray[np.uint8]:
    """Give the mask of a status: 1 is good, 0 is bad."""
    return (status == 0).astype(np.uint8)
