"""The pulse of one photo-electron, as the camera digitises it: a sample a nanosecond."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SAMPLES = 40
CAPACITORS = 256  # of the ring that samples are taken from, a pixel
RISE, FALL = 1.1, 1.9  # ns, standard deviations of the two halves
HIGHEST = 16383  # of the converter: 14 bits
EXCESS_NOISE = 1.222  # F², of the photomultipliers: 1 + relative variance of a single photo-electron
FINE = 2  # times at which photons may come, a sample
BEFORE, AFTER = 5, 8  # ns: beyond these a pulse is nothing


def pulse(t: Array) -> Array:
    """Give the height at times (ns) after its peak, in units of its area a nanosecond.

    >>> float(pulse(np.arange(-10.0, 20.0)).sum().round(3))
    1.0
    """
    width = np.where(t < 0, RISE, FALL)
    return np.exp(-0.5 * (t / width) ** 2) / (np.sqrt(np.pi / 2) * (RISE + FALL))


@cache
def taps() -> list[tuple[int, float]]:
    """Give how a photon at a fine time adds to samples: (fine steps later, height) for each that is not nothing."""
    steps = range(-BEFORE * FINE, AFTER * FINE + 1)
    return [(step, float(pulse(np.array(step / FINE)))) for step in steps]
