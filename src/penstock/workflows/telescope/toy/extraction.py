"""Charge and time of pulses, by integration about their peaks (LocalPeakWindowSum of ctapipe)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.pulse import FINE, SAMPLES, pulse

Array = NDArray[np.float32]

WIDTH, SHIFT = 8, 3  # samples that are summed, and how many of them are before the peak
CONTAINED = float(
    np.mean([pulse(np.arange(-SHIFT, WIDTH - SHIFT) + late / FINE).sum() for late in range(1 - FINE, FINE)])
)  # part of a pulse's area that is summed
SAMPLE = np.arange(-WIDTH, SAMPLES + WIDTH, dtype=np.float32)


def extract(waveforms: Array, peak: NDArray[Any] | int | None = None) -> tuple[Array, Array]:
    """Give charges and times (samples) of waveforms (… × samples).

    The charge is the sum of `WIDTH` samples from `SHIFT` before the highest one, or before `peak`, as far as there are samples;
    the time is the mean of their times weighted by what is above 0, or that of the peak if nothing is.
    """
    padded = np.zeros((*waveforms.shape[:-1], SAMPLES + 2 * WIDTH), np.float32)
    padded[..., WIDTH:-WIDTH] = waveforms
    rows = padded.reshape(-1, padded.shape[-1])
    at = rows.argmax(axis=1) if peak is None else np.broadcast_to(peak, waveforms.shape[:-1]).ravel() + WIDTH
    if peak is None:
        at = np.clip(at, WIDTH, WIDTH + SAMPLES - 1)  # all may be below the padding
        low = rows.max(axis=1) <= 0
        at[low] = WIDTH + waveforms.reshape(-1, SAMPLES)[low].argmax(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(rows, WIDTH, axis=1)
    taken = windows[np.arange(len(rows)), at - SHIFT]
    charge = taken.sum(axis=1)
    np.maximum(taken, 0, out=taken)
    weight = taken.sum(axis=1)
    late = taken @ np.arange(WIDTH, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        time = np.where(weight > 0, SAMPLE[at - SHIFT] + late / weight, SAMPLE[at])
    shape = waveforms.shape[:-1]
    return charge.reshape(shape), time.astype(np.float32).reshape(shape)
