"""What the stages ask of a machine: memory and time, from what was measured (`bench/acoustics.py`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from penstock.workflows.acoustics.recordings import Dataset
from penstock.workflows.acoustics.settings import Settings

SECONDS_A_SAMPLE = 8e-8  # of one core, twice what a busy one took: 14 s for an hour at 48 kHz
SECONDS_A_FILE = 0.1
SECONDS_A_PRODUCT = 0.02  # of each of the stages over all products
MARGIN = 10  # slow disks, slow nodes
LEAST = 120.0
START_MB, LINE_KB = 160, 0.7


@dataclass(frozen=True, slots=True)
class Load:
    """The largest sound of a campaign in samples, how many sounds there are, and lines of their spectra."""

    samples: float
    sounds: int
    lines: int

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings, *, segments: bool = False) -> Load:
        headers = [each.header for each in dataset.recordings if each.header]
        rate = max((header.rate for header in headers), default=48_000)
        total = sum(header.duration for header in headers)
        longest = settings.segment if segments else max((header.duration for header in headers), default=0.0)
        sounds = math.ceil(total / settings.segment) if segments else len(dataset.recordings)
        return cls(longest * rate, sounds, settings.nfft // 2 + 1)

    def each(self) -> dict[str, str]:
        """Give the resources of a stage of one sound."""
        return _resources(SECONDS_A_FILE + self.samples * SECONDS_A_SAMPLE, self.lines)

    def all(self) -> dict[str, str]:
        """Give the resources of a stage over all products."""
        return _resources(self.sounds * SECONDS_A_PRODUCT * (1 + self.lines / 20_000), self.lines)


def _resources(seconds: float, lines: int) -> dict[str, str]:
    minutes = math.ceil(max(LEAST, MARGIN * seconds) / 60)
    memory = math.ceil((START_MB + LINE_KB * lines / 1000) / 10) * 10
    return {"memory": f"{memory}MB", "walltime": f"{minutes}min"}


STEPS = (0.1, 0.2, 0.5, 1.0)  # dB
MOST_SHARE = 0.33  # of the recordings' bytes: tables and counts take some more
BITS, MORE_BITS = 4.65, 1.1  # a stored level at steps of 1 dB, and more for each half of that


def share_of(step: float, dataset: Dataset, settings: Settings) -> float:
    """Estimate the bytes of the matrices, as a share of those of the recordings."""
    headers = [each.header for each in dataset.recordings if each.header and each.header.frames]
    samples = sum(header.frames for header in headers)
    if not samples:
        return 0.0
    bits = sum(header.size for header in headers) * 8 / samples
    thinned = settings.resample / headers[0].rate if settings.resample else 1.0
    values = thinned * (settings.nfft // 2 + 1) / settings.hop
    return values * (BITS + MORE_BITS * math.log2(1 / step)) / bits


def choose_step(dataset: Dataset, settings: Settings) -> float:
    """Choose the finest step of stored levels with which matrices stay small beside the recordings."""
    fits = (step for step in STEPS if share_of(step, dataset, settings) <= MOST_SHARE)
    return next(fits, STEPS[-1])


def say_step(dataset: Dataset, settings: Settings) -> str:
    """Say how fine levels are stored, and what finer ones would take."""
    step, fine = settings.step_db, STEPS[0]
    said = f"levels are stored in steps of {step:g} dB"
    if step <= fine:
        return said
    share = share_of(fine, dataset, settings)
    return f"{said}; steps of {fine:g} dB (step_db) would take about {share:.2f} of the recordings' bytes"
