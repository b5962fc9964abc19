"""The tones with which a SoundTrap calibrates itself at the begin of a deployment: no sound of the sea.

A recording begins with one steady line that holds nearly all of the power, and ends at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAME = 0.25  # s
LONGEST = 60.0  # s that are looked at
SHARE = 0.98  # of the power about the mean that lies in the line
WIDTH = 4  # lines to each side that belong to it
DROP = 10.0  # dB by which the line is weaker afterwards
LEAST = 2  # frames


def find_tones(blocks: Iterable[NDArray[Any]], rate: int) -> int:
    """Give how many samples at the begin are tones; 0 if there is none, or none that ends."""
    size, steady, power, at = max(16, round(FRAME * rate)), 0, 0.0, 0
    frames = iter(_frames(blocks, size))
    for frame in frames:
        lines = _lines(frame)
        strongest = int(np.argmax(lines))
        if _near(lines, strongest) < SHARE * float(lines.sum()) or steady * FRAME > LONGEST:
            break
        steady, power, at = steady + 1, _near(lines, strongest), strongest
    after = next(frames, None)  # the frame in which tones end has some of them
    if steady < LEAST or after is None or _near(_lines(after), at) > power / 10 ** (DROP / 10):
        return 0
    return (steady + 1) * size


def _frames(blocks: Iterable[NDArray[Any]], size: int) -> Iterable[NDArray[Any]]:
    held = np.empty(0, np.float32)
    for block in blocks:
        held = np.concatenate((held, block))
        while len(held) >= size:
            yield held[:size]
            held = held[size:]


def _lines(frame: NDArray[Any]) -> NDArray[Any]:
    return np.abs(np.fft.rfft((frame - frame.mean()) * np.hanning(len(frame)))) ** 2 + 1e-30


def _near(lines: NDArray[Any], at: int) -> float:
    return float(lines[max(0, at - WIDTH) : at + WIDTH + 1].sum())
