"""From numbers in a file to sound pressure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from penstock.workflows.acoustics.settings import Settings

MICROPASCAL = 1e-6  # reference pressure in water, Pa (ISO 18405)


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
        return self.unit != "FS"

    def reference_of(self, scaling: str) -> str:
        """Name what 0 dB is, as `1 µPa²/Hz`."""
        amount = "1 µPa²" if self.known else "1 FS²"
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
    if settings.end_to_end is not None:
        factor = 10 ** (settings.end_to_end / 20) * MICROPASCAL
        return Calibration(factor, MICROPASCAL, "Pa", f"end to end {settings.end_to_end:g} dB re 1 µPa")
    if settings.sensitivity is None:
        return Calibration(1.0, 1.0, "FS", "none: levels are relative to full scale")
    volts_a_pascal = 10 ** (settings.sensitivity / 20) * 1e6
    factor = settings.peak_voltage / volts_a_pascal / 10 ** (settings.gain / 20)
    source = (
        f"sensitivity {settings.sensitivity:g} dB re 1 V/µPa, gain {settings.gain:g} dB, "
        f"full scale {settings.peak_voltage:g} V"
    )
    return Calibration(factor, MICROPASCAL, "Pa", source)
