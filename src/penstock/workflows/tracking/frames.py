"""Times that a program rounded, put back on frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FAR = 0.45  # of a frame: a time so far from every frame does not say which it is
COMMON = 0.1  # of all steps: a spacing so frequent is not a gap


def snap(t: NDArray[np.float64], interval: float, told: list[str]) -> NDArray[np.float64]:
    """Give times on multiples of `interval` (s) from the first; unchanged, and told, where they do not fit.

    >>> snap(np.array([0.0, 0.02, 0.03, 0.05]), 0.015, []).tolist()
    [0.0, 0.015, 0.03, 0.045]
    """
    if not len(t):
        return t
    first = t.min()
    frame = np.rint((t - first) / interval)
    off = np.abs((t - first) / interval - frame)
    if off.max() <= FAR:
        if off.max() > 1e-6:
            told.append(
                f"times were up to {off.max() * interval:.2g} s off their frames, and were put on them"
            )
        return first + frame * interval
    found = np.diff(np.unique(t))
    told.append(
        f"times are {np.median(found):g} s apart, not {interval:g} s as stated, and were left as they are"
    )
    return t


def check_spacing(spacings: NDArray[np.float64], told: list[str]) -> None:
    """Tell when steps have two spacings that rounding alone explains."""
    found, counts = np.unique(np.round(spacings, 9), return_counts=True)
    if len(found) < 2:
        return
    unit = next((10.0**-k for k in range(10) if np.allclose(found * 10.0**k, np.rint(found * 10.0**k))), 0.0)
    common = found[counts >= COMMON * counts.sum()]
    if len(common) > 1 and 0 < common[1] - common[0] <= 1.001 * unit:
        told.append(
            f"steps are {common[0]:g} s and {common[1]:g} s long: were times rounded? give frame_interval, in s"
        )
