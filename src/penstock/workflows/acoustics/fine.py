"""Lines finer than the spectrogram's, from the same read: what narrow bands are measured from.

Frames are long, and lines are wanted at low frequencies only, so that samples are thinned out first: a
low-pass of which only every n-th output is computed (Crochiere and Rabiner 1983, section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from penstock.workflows.acoustics.bands import DECIDECADE_WIDTH, LEAST_LINES
from penstock.workflows.acoustics.calibration import read_calibration, read_response
from penstock.workflows.acoustics.levels import BinSum, BinSums
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins

TOGETHER = 1 << 18  # multiplications in one call of the BLAS: it would begin threads of its own above
LONGEST, OF_BIN = 16.0, 0.4  # seconds of a frame, and its share of a time bin
AT_LEAST = 2  # times the lines that a band needs: the spectrogram has those above it
MOST_SAMPLES = 1 << 18  # in a frame
PERIODS = 16  # samples of the thinned signal that the low-pass spans
STOP = 90.0  # dB by which it takes out what would alias
PASSED = 0.32  # of the thinned rate: above, the low-pass begins to fall


@dataclass(frozen=True, slots=True)
class Plan:
    """Frames of `seconds`, of the samples thinned by `step`, whose lines are good up to `top` Hz."""

    seconds: float
    step: int
    top: float
    window: str = "blackmanharris"  # a strong tone stays out of the bands beside its own
    overlap: float = 0.75

    @classmethod
    def beside(cls, spacing: float, rate: float, width: float) -> Plan | None:
        """Plan what lines `spacing` Hz apart cannot tell, for time bins of `width` s; None if they tell all."""
        lowest = (
            AT_LEAST * LEAST_LINES * spacing / DECIDECADE_WIDTH
        )  # centre of the first band with lines enough
        top = min(rate / 2, 10 ** ((math.ceil(10 * math.log10(lowest) - 1e-9) - 0.5) / 10))
        step = max(1, int(rate * PASSED / top))
        seconds = min(LONGEST, OF_BIN * width, MOST_SAMPLES * step / rate)
        return cls(seconds, step, top) if spacing * seconds > 1 else None

    @classmethod
    def of_hertz(cls, spacing: float, rate: float) -> Plan | None:
        """Plan lines of 1 Hz up to half the rate; None if those that there are will do."""
        return None if spacing <= 1 + 1e-9 else cls(1.0, 1, rate / 2, "hann", 0.5)

    def transform(self, rate: float, settings: Settings) -> Transform:
        """Make the transform of the thinned samples."""
        thinned = rate / self.step
        size = round(self.seconds * thinned)
        size = size if self.step == 1 else scipy.fft.next_fast_len(size, real=True)
        made = Transform.of(
            rate=thinned,
            size=size,
            hop=max(1, size - round(size * self.overlap)),
            window=self.window,
            factor=read_calibration(settings).factor,
        )
        return made.shaped(read_response(settings, made.frequencies()))


@lru_cache(maxsize=8)
def design_low_pass(step: int) -> NDArray[np.float32]:
    """Design the low-pass before every `step`-th sample is taken (Kaiser 1974); a row a period of it."""
    count = PERIODS * step
    places = (np.arange(count) - (count - 1) / 2) / step
    taps = np.sinc(places) * np.kaiser(count, 0.1102 * (STOP - 8.7))
    return (taps / taps.sum()).astype(np.float32).reshape(PERIODS, step)


class Thinner:
    """Gives every `step`-th sample of a low-pass of what is added."""

    def __init__(self, step: int) -> None:
        self.step, self._taps = step, design_low_pass(step)
        self._held: NDArray[Any] = np.empty(0, np.float32)

    @property
    def delay(self) -> float:
        """Samples from the first that is added to the middle of those that the first result is made of."""
        return (self._taps.size - 1) / 2

    def add(self, samples: NDArray[Any]) -> NDArray[Any]:
        held = np.concatenate((self._held, samples)) if len(self._held) else samples
        count = len(held) // self.step - PERIODS + 1
        if count < 1:
            self._held = held
            return held[:0]
        rows = np.ascontiguousarray(held[: (count + PERIODS - 1) * self.step], np.float32)
        parts = self._products(rows.reshape(-1, self.step))
        self._held = held[count * self.step :]
        made = parts[0, :count].copy()
        for i in range(1, PERIODS):
            made += parts[i, i : i + count]
        return made

    def _products(self, rows: NDArray[Any]) -> NDArray[Any]:
        parts = np.empty((PERIODS, len(rows)), np.float32)
        some = max(1, TOGETHER // self._taps.size)
        for i in range(0, len(rows), some):
            parts[:, i : i + some] = self._taps @ rows[i : i + some].T
        return parts


class FineLines:
    """Adds the power of long frames up per time bin while the samples go by.

    `lead` is the time from the begin of the first bin to the first sample; of the first `shared` samples
    an earlier sound tells.
    """

    def __init__(
        self, plan: Plan, transform: Transform, bins: Bins, *, lead: float = 0.0, shared: int = 0
    ) -> None:
        self.plan, self.transform = plan, transform
        self.thinner = Thinner(plan.step) if plan.step > 1 else None
        delay = self.thinner.delay / (transform.rate * plan.step) if self.thinner else 0.0
        self.sums = BinSums(transform, bins, lead + delay)
        self._apart, self._first = transform.count(shared // plan.step), 0
        self._held: NDArray[Any] = np.empty(0, np.float32)

    def add(self, samples: NDArray[Any]) -> Iterator[BinSum]:
        """Add samples; give the bins that are complete."""
        if self.thinner:
            samples = self.thinner.add(samples)
        self._held = np.concatenate((self._held, samples))
        hop, size = self.transform.hop, self.transform.size
        count, some = self.transform.count(len(self._held)), max(1, MOST_SAMPLES // size)
        for i in range(min(count, max(0, self._apart - self._first)), count, some):
            last = min(count, i + some) - 1
            power = self.transform.power(self._held[i * hop : last * hop + size])
            yield from self.sums.add(self._first + i, power)
        self._first += count
        self._held = self._held[count * hop :]

    def close(self) -> Iterator[BinSum]:
        return self.sums.close()
