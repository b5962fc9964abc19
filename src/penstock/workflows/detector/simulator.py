"""Detectors that are made up, with known bad pixels: for tests, demonstrations and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
PEDESTAL, NOISE, FULL = 1500.0, 3.0, 16383


@dataclass(frozen=True)
class Planted:
    """Frames (frames × shape), and the names of the faults by the pixels that have them (places in the flat frame)."""

    frames: NDArray[Any]
    faults: Mapping[int, str] = field(default_factory=dict)


def _dead(series: NDArray[Any], rng: Rng) -> None:
    series[:] = 0


def _saturated(series: NDArray[Any], rng: Rng) -> None:
    series[:] = FULL


def _frozen(series: NDArray[Any], rng: Rng) -> None:
    series[:] = PEDESTAL


def _flash(series: NDArray[Any], rng: Rng) -> None:
    series[rng.integers(len(series))] = FULL


def _spike(series: NDArray[Any], rng: Rng) -> None:
    """Let one event be far too large, and within the range."""
    series[rng.integers(len(series))] = 9000


def _zeros(share: float) -> Any:
    def plant(series: NDArray[Any], rng: Rng) -> None:
        series[rng.choice(len(series), round(share * len(series)), replace=False)] = 0

    return plant


def _noisy(series: NDArray[Any], rng: Rng) -> None:
    series[:] = PEDESTAL + rng.normal(0, 100, len(series))


def _offset(series: NDArray[Any], rng: Rng) -> None:
    series[:] = series + 500


#: what may be planted, each a function of one pixel's values in time (float64, changed in place)
FAULTS: Mapping[str, Any] = {
    "dead": _dead,
    "saturated": _saturated,
    "frozen": _frozen,
    "flash": _flash,
    "spike": _spike,
    "zeros 30 %": _zeros(0.3),
    "zeros 15 %": _zeros(0.15),
    "noisy": _noisy,
    "offset": _offset,
}


def simulate(
    frames: int, shape: tuple[int, ...], faults: Mapping[int, str], *, seed: int, dtype: Any = np.uint16
) -> Planted:
    """Make frames of a dark detector, 1500 ± 3, whose pixels at the places of `faults` have them.

    >>> made = simulate(1000, (8, 8), {3: "dead"}, seed=1)
    >>> int(made.frames[:, 0, 3].max())
    0
    """
    rng = np.random.default_rng(seed)
    values = rng.normal(PEDESTAL, NOISE, (frames, int(np.prod(shape))))
    for place, name in faults.items():
        FAULTS[name](values[:, place], rng)
    if np.dtype(dtype).kind in "iu":
        values = np.rint(values)
    return Planted(values.astype(dtype).reshape(frames, *shape), dict(faults))


def plant_at_random(
    pixels: int, number: int, *, seed: int, names: tuple[str, ...] = tuple(FAULTS)
) -> dict[int, str]:
    """Choose places for so many faults, of each name about as many."""
    rng = np.random.default_rng(seed)
    places = rng.choice(pixels, number, replace=False)
    return {int(place): names[i % len(names)] for i, place in enumerate(places)}
