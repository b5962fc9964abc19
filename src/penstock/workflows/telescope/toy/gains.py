"""Gains by the excess-noise (F-factor) method, from a run of flat fields and pedestals.

With N photo-electrons a flash in each pixel the charge Q (counts ns) has the mean g N and, beside that of the pedestal, the
variance g² F² N. So N = F² <Q>² / (var Q - var pedestal), and g = <Q> / N. The light is the same for all pixels: the median
of their N is taken for each. What the lamp varies from flash to flash is that of the camera's mean, and divided out.

Source: R. Mirzoyan and E. Lorenz, Proc. 25th ICRC, Durban, vol. 7, p. 265 (1997).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.extraction import CONTAINED, extract
from penstock.workflows.telescope.toy.faults import Unusable
from penstock.workflows.telescope.toy.files import about_of, check_camera, open_file, read, write_file
from penstock.workflows.telescope.toy.pedestals import Pedestals, common_about, raw_blocks, read_pedestals
from penstock.workflows.telescope.toy.pulse import EXCESS_NOISE, SAMPLES
from penstock.workflows.telescope.toy.simulator import FLATFIELD, SKY_PEDESTAL

Array = NDArray[np.float64]

LEAST = 20  # flat fields, and pedestals, of which variances mean something
MIDDLE = SAMPLES // 2  # where the charge of a pedestal is taken
FAR = 5.0  # times the usual spread from the median gain: the pixel is unusable


@dataclass(frozen=True)
class Gains:
    """What calibrates each pixel: `gain` (counts ns a pe, of the whole pulse), `n_pe` a flash as the pixel alone has it, the
    charge of a pedestal and its rms (counts ns), `delay` (ns), and whether it is usable.
    """

    gain: Array
    n_pe: Array
    pedestal_charge: Array
    pedestal_rms: Array
    delay: Array
    usable: NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """All that turns raw events of one camera into images."""

    pedestals: Pedestals
    gains: Gains
    about: dict[str, Any]
    path: Path


def measure_gains(flat: NDArray[Any], times: NDArray[Any], pedestal: NDArray[Any]) -> Gains:
    """Measure gains from charges of flat fields and of pedestals (events × pixels, counts ns), and times of flat fields.

    Raises Unusable if there are too few of either.
    """
    for name, found in (("flat fields", flat), ("pedestals", pedestal)):
        if len(found) < LEAST:
            raise Unusable(
                f"{len(found)} {name} are too few for gains, {LEAST} are the least; take a longer run"
            )
    charge, noise = flat.astype(np.float64), pedestal.astype(np.float64)
    signal = charge - noise.mean(axis=0)
    mean = signal.mean(axis=0)
    lit = mean > 5 * noise.std(axis=0, ddof=1)
    if not lit.any():
        raise Unusable(
            "no pixel sees the flat fields: the lamp was off, or the pedestals are of another time"
        )
    flash = (signal[:, lit] / mean[lit]).mean(axis=1)
    variance = (signal / flash[:, None]).var(axis=0, ddof=1) - noise.var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_pe = np.where(variance > 0, EXCESS_NOISE * mean**2 / variance, np.nan)
    light = (
        np.nanmedian(n_pe[lit]) * (1 - 2 / (9 * (len(charge) - 1))) ** 3
    )  # that is the median of a sample variance
    gain = mean / light / CONTAINED
    middle = float(np.median(gain[lit]))
    spread = 1.4826 * float(np.median(np.abs(gain[lit] - middle)))
    usable = lit & (np.abs(gain - middle) <= FAR * max(spread, 0.02 * middle))
    delay = times.astype(np.float64).mean(axis=0)
    delay -= np.median(delay[lit])
    return Gains(gain, n_pe, noise.mean(axis=0), noise.std(axis=0, ddof=1), delay, usable)


def make_calibration(paths: Iterable[Path], pedestals: Path, product: Path) -> Gains:
    """Measure the gains of a run of flat fields and pedestals, and write them with the capacitors' pedestals."""
    files = [*paths]
    about = common_about(files)
    capacitors, of = read_pedestals(pedestals)
    check_camera(files[0], about, pedestals, of)
    flat: list[tuple[NDArray[Any], NDArray[Any]]] = []
    dark: list[NDArray[Any]] = []
    for path in files:
        with open_file(path, "r0") as file:
            types = read(file, "events")["event_type"]
        bright, noise = (np.flatnonzero(types == each) for each in (FLATFIELD, SKY_PEDESTAL))
        flat += [extract(capacitors.subtract(raw)) for raw in raw_blocks(path, bright)]
        dark += [extract(capacitors.subtract(raw), MIDDLE)[0] for raw in raw_blocks(path, noise)]
    empty = np.empty((0, len(capacitors.rms)))
    charges, times = (np.concatenate([empty, *(each[i] for each in flat)]) for i in range(2))
    made = measure_gains(charges, times, np.concatenate([empty, *dark]))
    about |= {"pedestal_run_id": of["run_id"], "events": capacitors.events}
    about |= {"flatfields": len(charges), "median_n_pe": float(np.nanmedian(made.n_pe))}
    arrays = {each.name: getattr(made, each.name) for each in fields(made)}
    arrays |= {"capacitor_mean": capacitors.mean, "capacitor_rms": capacitors.rms}
    write_file(product, "charge_calibration", about, arrays)
    return made


def read_calibration(path: Path) -> Calibration:
    """Read what `make_calibration` wrote."""
    with open_file(path, "charge_calibration") as file:
        about = about_of(file)
        gains = Gains(**{each.name: read(file, each.name) for each in fields(Gains)})
        pedestals = Pedestals(read(file, "capacitor_mean"), read(file, "capacitor_rms"), int(about["events"]))
    return Calibration(pedestals, gains, about, path)
