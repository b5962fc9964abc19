"""Pedestals of the capacitors of a ring (as in DRS4 chips), from a run in the dark.

Sample s of an event that begins at capacitor c is taken from capacitor c + s, modulo the ring: the pedestal of each is the
mean of all samples taken from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import MODULES, PER_MODULE, PIXELS
from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.files import (
    about_of,
    check_camera,
    find,
    open_file,
    read,
    write_file,
)
from penstock.workflows.telescope.toy.pulse import CAPACITORS, SAMPLES

BLOCK = 16  # events at once
RING = CAPACITORS + SAMPLES  # with its beginning once more behind its end

PIXEL = np.arange(PIXELS)


@dataclass(frozen=True)
class Raw:
    """Some raw events: waveforms (events × pixels × samples), and the capacitor at which each module began."""

    waveform: NDArray[np.uint16]
    first: NDArray[np.uint16]  # events × modules


@dataclass(frozen=True)
class Pedestals:
    """Means (pixels × capacitors, counts) and the rms of samples about them (pixels, counts), from how many events."""

    mean: NDArray[np.float32]
    rms: NDArray[np.float64]
    events: int

    def subtract(self, raw: Raw) -> NDArray[np.float32]:
        """Give waveforms without their pedestals."""
        ring = np.concatenate([self.mean, self.mean[:, :SAMPLES]], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(ring, SAMPLES, axis=1)
        taken = windows[PIXEL, raw.first[:, PIXEL // PER_MODULE]]
        return np.subtract(raw.waveform, taken, dtype=np.float32)


def raw_blocks(path: Path, some: NDArray[Any] | None = None) -> Iterator[Raw]:
    """Read a file of raw events block by block; `some` are the only events wanted, ascending."""
    with open_file(path, "r0") as file:
        waveform, first = find(file, "waveform"), find(file, "first_capacitor")
        if waveform.shape[1:] != (PIXELS, SAMPLES) or first.shape[1:] != (MODULES,):
            shape = " × ".join(map(str, waveform.shape[1:]))
            raise Unusable(
                f"{path} has waveforms of {shape}, not of {PIXELS} pixels × {SAMPLES} samples; it is no file of"
                " this camera"
            )
        chosen = np.arange(len(waveform)) if some is None else some
        for start in range(0, len(chosen), BLOCK):
            at = chosen[start : start + BLOCK]
            if at[-1] - at[0] == len(at) - 1:
                at = slice(int(at[0]), int(at[-1]) + 1)
            yield Raw(waveform[at], first[at])


def measure_pedestals(blocks: Iterable[Raw]) -> Pedestals:
    """Measure pedestals. Raises Unusable if some capacitor was never read out twice: there are too few events."""
    sums, squares = np.zeros(PIXELS * RING), 0.0
    counts, events = np.zeros(MODULES * RING), 0
    sample = np.arange(SAMPLES)
    for raw in blocks:
        start = raw.first.astype(np.int64)[:, :, None] + sample
        place = start[:, PIXEL // PER_MODULE] + RING * PIXEL[:, None]
        sums += np.bincount(place.ravel(), raw.waveform.ravel(), minlength=len(sums))
        module = start + RING * np.arange(MODULES)[:, None]
        counts += np.bincount(module.ravel(), minlength=len(counts))
        squares = squares + np.square(raw.waveform, dtype=np.float64).sum(axis=(0, 2))
        events += len(raw.waveform)
    number = _fold(counts.reshape(MODULES, RING))[PIXEL // PER_MODULE]
    if number.min() < 2:
        raise Unusable(
            f"{events} events of a pedestal run are too few: some of the {CAPACITORS} capacitors were not read"
            " out twice; take more"
        )
    total = _fold(sums.reshape(PIXELS, RING))
    left = squares - (total**2 / number).sum(axis=1)
    rms = np.sqrt(np.maximum(left, 0) / (number.sum(axis=1) - CAPACITORS))
    return Pedestals((total / number).astype(np.float32), rms, events)


def _fold(values: NDArray[Any]) -> NDArray[Any]:
    """Add what is behind the end of the ring to its beginning."""
    folded = values[:, :CAPACITORS].copy()
    folded[:, :SAMPLES] += values[:, CAPACITORS:]
    return folded


def make_pedestals(paths: Iterable[Path], product: Path) -> Pedestals:
    """Measure the pedestals of a run and write them."""
    files = [*paths]
    about = common_about(files)
    made = measure_pedestals(raw for path in files for raw in raw_blocks(path))
    about |= {"events": made.events}
    write_file(product, "drs4_pedestal", about, {"mean": made.mean, "rms": made.rms})
    return made


def read_pedestals(path: Path) -> tuple[Pedestals, dict[str, Any]]:
    """Read what `make_pedestals` wrote, with what is known of the run."""
    with open_file(path, "drs4_pedestal") as file:
        about = about_of(file)
        return Pedestals(read(file, "mean"), read(file, "rms"), int(about["events"])), about


def common_about(paths: list[Path]) -> dict[str, Any]:
    """Give what all files of a run say alike. Raises Unusable if there are none, or of several cameras or runs."""
    if not paths:
        raise Unusable("a calibration has no raw files; name those of its run")
    abouts: list[dict[str, Any]] = []
    for path in paths:
        with open_file(path, "r0") as file:
            abouts.append(about_of(file))
        check_camera(paths[0], abouts[0], path, abouts[-1])
    return {name: abouts[0][name] for name in ("camera", "run_id") if name in abouts[0]}
