"""What is done to samples before they are framed: another rate, a band, a normal size.

Each step takes a stream of blocks and gives one; none holds more than a block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics.settings import Settings

MARGIN = 512  # samples of the lower rate: longer than the memory of soxr's filters
Blocks = Iterable[NDArray[Any]]


def condition(blocks: Blocks, settings: Settings, rate: int) -> Blocks:
    """Resample and filter as the settings ask; `rate` is that of the blocks, in Hz."""
    if settings.resample is not None and settings.resample != rate:
        blocks = resampled(blocks, rate, settings.resample, settings.resample_quality)
        rate = settings.resample
    if settings.band_pass is not None:
        blocks = band_passed(blocks, rate, settings.band_pass, settings.band_order)
    return blocks


def count_after(frames: int, rate: int, settings: Settings) -> int:
    """Say how many samples `frames` samples become."""
    wanted = settings.resample
    return frames if wanted is None or wanted == rate else (2 * frames * wanted + rate) // (2 * rate)


def resampled(blocks: Blocks, rate: int, wanted: int, quality: str = "HQ") -> Iterator[NDArray[Any]]:
    """Change the sample rate by soxr: what the new rate cannot hold is taken out, 100 dB or more.

    The stream has `round(n · wanted / rate)` samples and no delay. Before and after it, the first and the
    last sample are taken to stand for ever, so that an offset makes no step at the ends.
    """
    import soxr

    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality=quality)
    common = math.gcd(rate, wanted)
    turns = -(-int(MARGIN * max(1.0, rate / wanted)) // (rate // common))
    before, skip = turns * rate // common, turns * wanted // common
    taken = given = 0
    last = np.float32(0)
    for block in blocks:
        if not len(block):
            continue
        if not taken:
            skip -= len(stream.resample_chunk(np.full(before, block[0], np.float32)))
        taken, last = taken + len(block), block[-1]
        made = stream.resample_chunk(np.ascontiguousarray(block, np.float32))
        made, skip = made[max(0, skip) :], skip - len(made)
        given += len(made)
        yield made
    rest = stream.resample_chunk(np.full(before, last, np.float32), last=True)[max(0, skip) :]
    yield rest[: max(0, (2 * taken * wanted + rate) // (2 * rate) - given)]


def design_band(rate: float, band: tuple[float, float], order: int) -> NDArray[np.float64]:
    """Design a Butterworth band-pass in second-order sections; the corners are 3 dB down.

    `order` is that of each slope: 6·order dB an octave.
    """
    from scipy.signal import butter

    if band[1] >= rate / 2:
        raise ValueError(
            f"band_pass ends at {band[1]:g} Hz; at {rate:g} Hz it must end below {rate / 2:g} Hz"
        )
    return butter(order, band, "bandpass", fs=rate, output="sos")


def band_passed(
    blocks: Blocks, rate: float, band: tuple[float, float], order: int
) -> Iterator[NDArray[np.float32]]:
    """Filter forward; it starts as if the first sample had stood for ever, so that an offset rings not."""
    from scipy.signal import sosfilt, sosfilt_zi

    sections, state = design_band(rate, band, order), None
    for block in blocks:
        if not len(block):
            continue
        state = sosfilt_zi(sections) * float(block[0]) if state is None else state
        made, state = sosfilt(sections, block, zi=state)
        yield made.astype(np.float32)


def tapped(blocks: Blocks, watch: Callable[[NDArray[Any]], None]) -> Iterator[NDArray[Any]]:
    """Show each block to `watch` as it goes by."""
    for block in blocks:
        watch(block)
        yield block
