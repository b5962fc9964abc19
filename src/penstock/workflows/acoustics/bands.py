"""Levels in bands, from the power of lines that are already there.

A line of a spectrum stands for its cell of frequency: half a spacing to each side, cut at 0 Hz and at
fs/2. A band takes of each line the share of the cell that lies in it, so that bands which leave no
frequency out sum to the broadband power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINEAR_TOP, FIRST = 434, 2638  # the last band of 1 Hz, and the exponent of the edge at which it ends
LEAST_LINES = 8  # in a band: of fewer, what lies beside it has too large a share
DECIDECADE_WIDTH = 10**0.05 - 10**-0.05  # of its centre
MANTISSAS = (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)  # nominal frequencies, IEC 61260-1:2014, annex E


@dataclass(frozen=True, slots=True)
class Bands:
    """Neighbouring or overlapping bands of frequency, Hz."""

    name: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    centre: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.centre)


def decidecades(spacing: float, top: float) -> Bands:
    """Give the bands with edges `10^((i ± 0.5)/10)` Hz (IEC 61260-1:2014, base ten).

    The first is the lowest that lines `spacing` Hz apart can tell; the last is cut at `top`.
    """
    first = math.ceil(10 * math.log10(LEAST_LINES * spacing / DECIDECADE_WIDTH) - 1e-9)
    last = math.ceil(10 * math.log10(top) - 0.5 - 1e-9)
    i = np.arange(first, max(first - 1, last) + 1)
    low, high = (10 ** ((i + side) / 10) for side in (-0.5, 0.5))
    return Bands("decidecade", low, np.minimum(high, top), 10 ** (i / 10))


def third_octaves(spacing: float, top: float) -> Bands:
    """Give the same bands by their nominal frequencies: in base ten, a third of an octave is a decidecade."""
    exact = decidecades(spacing, top)
    i = np.rint(10 * np.log10(exact.centre)).astype(int)
    nominal = np.array([MANTISSAS[each % 10] * 10.0 ** (each // 10) for each in i])
    return Bands("third_octave", exact.low, exact.high, nominal)


def millidecades(spacing: float, top: float) -> Bands:
    """Give hybrid millidecades (Martin et al. 2021 with its erratum, doi 10.1121/10.0005818).

    Bands of 1 Hz about whole frequencies up to 434 Hz, then from `10^(i/1000)` to `10^((i + 1)/1000)` Hz,
    i from 2638 on. The first is half as wide, and the last is cut at `top`: together they leave nothing out.
    """
    i = np.arange(FIRST, max(FIRST, math.ceil(1000 * math.log10(top) - 1e-9)) + 1)
    lines = np.arange(LINEAR_TOP + 1)
    edges = np.concatenate(([0.0], lines[:-1] + 0.5, 10 ** (i / 1000)))
    centre = np.concatenate((lines, 10 ** ((i[:-1] + 0.5) / 1000)))
    kept = edges[:-1] < top
    return Bands(
        "millidecade", edges[:-1][kept], np.minimum(edges[1:], top)[kept], np.minimum(centre, top)[kept]
    )


def chosen(pairs: Sequence[Sequence[float]], top: float, spacing: float = 0.0) -> Bands:
    """Give bands that a person chose; refuse those that the rate or lines `spacing` Hz apart cannot hold."""
    low, high = np.array(pairs, float).reshape(-1, 2).T
    for below, above in zip(low, high, strict=True):
        if not 0 <= below < above <= top:
            raise ValueError(
                f"the band {below:g} to {above:g} Hz is not within 0 to {top:g} Hz; change spl_bands"
            )
        if above - below < LEAST_LINES * spacing * (1 - 1e-9):
            raise ValueError(
                f"the band {below:g} to {above:g} Hz is narrower than {LEAST_LINES} lines, "
                f"{LEAST_LINES * spacing:g} Hz; widen it in spl_bands, or make `bin` longer"
            )
    return Bands("spl_band", low, high, (low + high) / 2)


KINDS = {"decidecade": decidecades, "third_octave": third_octaves, "millidecade": millidecades}


def cells(lines: int, spacing: float, top: float) -> NDArray[np.float64]:
    """Give the borders of the lines' cells, one more than lines."""
    return np.concatenate(([0.0], (np.arange(lines - 1) + 0.5) * spacing, [top]))


def band_power(
    power: NDArray[Any], borders: NDArray[Any], low: NDArray[Any], high: NDArray[Any]
) -> NDArray[np.float64]:
    """Give the power in each band from that of each line (last axis), which lies evenly in its cell."""
    upto = np.zeros((*power.shape[:-1], power.shape[-1] + 1))
    np.cumsum(power, axis=-1, out=upto[..., 1:])
    return _at(upto, borders, high) - _at(upto, borders, low)


def _at(upto: NDArray[Any], borders: NDArray[Any], frequency: NDArray[Any]) -> NDArray[Any]:
    place = np.clip(np.searchsorted(borders, frequency, side="right") - 1, 0, len(borders) - 2)
    share = np.clip((frequency - borders[place]) / np.diff(borders)[place], 0, 1)
    return upto[..., place] * (1 - share) + upto[..., place + 1] * share
