"""From numbers in a file to sound pressure."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.workflows.acoustics.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

MICROPASCAL = 1e-6  # reference pressure in water, Pa (ISO 18405)
LEGACY = 1e-6  # the old scripts write 10·log10(S / 1e-12), calibrated or not
RELATIVE = {"peak": ("peak", "the highest sample"), "zscore": ("σ", "the standard deviation")}


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one digital unit becomes pascal, and what levels refer to.

    `factor` is Pa per full scale, or 1 without a calibration; `reference` is the pressure (or
    amplitude) of 0 dB; `unit` is its name.
    """

    factor: float
    reference: float
    unit: str
    source: str

    @property
    def known(self) -> bool:
        return self.unit == "Pa"

    def reference_of(self, scaling: str) -> str:
        """Name what 0 dB is, as `1 µPa²/Hz`."""
        amount = "1 µPa²" if self.known else f"1 {self.unit}²"
        return amount + ("/Hz" if scaling == "density" else "")

    def unit_of(self, scaling: str) -> str:
        """Name the linear unit, as `Pa2/Hz`."""
        power = "Pa2" if self.known else "1"
        return power + ("/Hz" if scaling == "density" else "")

    def level(self, power: float) -> float:
        """Give the level in dB of a linear power (Pa² or Pa²/Hz)."""
        return 10 * math.log10(power / self.reference**2)


def read_calibration(settings: Settings) -> Calibration:
    """Choose the calibration that the settings describe.

    With a hydrophone's sensitivity S (dB re 1 V/µPa), a gain G (dB) and the voltage of full scale:
    `x_Pa = x · Vpeak / (10^(S/20) · 1e6) / 10^(G/20)`. With an end-to-end value E, the level in
    dB re 1 µPa of a signal whose rms is full scale: `x_Pa = x · 10^(E/20) · 1e-6`.
    """
    if settings.curve is not None:
        return _by_curve(settings)
    if settings.end_to_end is not None:
        factor = 10 ** (settings.end_to_end / 20) * MICROPASCAL
        return Calibration(factor, MICROPASCAL, "Pa", f"end to end {settings.end_to_end:g} dB re 1 µPa")
    if settings.sensitivity is None:
        unit, zero = RELATIVE.get(settings.normalise, ("FS", "full scale"))
        return Calibration(
            1.0, LEGACY if settings.legacy else 1.0, unit, f"none: levels are relative to {zero}"
        )
    volts_a_pascal = 10 ** (settings.sensitivity / 20) * 1e6
    factor = settings.peak_voltage / volts_a_pascal / 10 ** (settings.gain / 20)
    source = (
        f"sensitivity {settings.sensitivity:g} dB re 1 V/µPa, gain {settings.gain:g} dB, "
        f"full scale {settings.peak_voltage:g} V"
    )
    return Calibration(factor, MICROPASCAL, "Pa", source)


def _by_curve(settings: Settings) -> Calibration:
    """Give the part of the calibration that is the same at all frequencies."""
    path = Path(settings.curve or "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    if settings.curve_kind == "end_to_end":
        return Calibration(MICROPASCAL, MICROPASCAL, "Pa", f"end-to-end curve {path.name} ({digest})")
    factor = settings.peak_voltage / 10 ** (settings.gain / 20) * MICROPASCAL
    source = f"sensitivity curve {path.name} ({digest}), gain {settings.gain:g} dB, full scale {settings.peak_voltage:g} V"
    return Calibration(factor, MICROPASCAL, "Pa", source)


def read_curve(path: str) -> list[tuple[float, float]]:
    """Read a CSV of frequency (Hz) and level (dB), with or without a header, sorted by frequency."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = sorted(_pairs(file, path))
    if not rows:
        raise ValueError(
            f"the curve {path} has no rows; write a frequency in Hz and a level in dB on each line"
        )
    return rows


def _pairs(file: Any, path: str) -> Iterator[tuple[float, float]]:
    for number, row in enumerate(csv.reader(file), start=1):
        try:
            yield float(row[0]), float(row[1])
        except (ValueError, IndexError) as error:
            if number > 1 and row:
                raise ValueError(f"line {number} of the curve {path} is not `Hz,dB`") from error


def read_response(settings: Settings, frequencies: NDArray[Any]) -> NDArray[Any] | None:
    """Give the factor of power at each frequency that the curve states; None without a curve.

    Levels between the points of the curve are on straight lines over the logarithm of frequency;
    beyond its ends they are those of the ends.
    """
    if settings.curve is None:
        return None
    import numpy as np

    known, level = np.array(read_curve(settings.curve)).T
    places = np.log(np.maximum(frequencies, 1e-9))
    decibel = np.interp(places, np.log(np.maximum(known, 1e-9)), level)
    return 10 ** ((decibel if settings.curve_kind == "end_to_end" else -decibel) / 10)
