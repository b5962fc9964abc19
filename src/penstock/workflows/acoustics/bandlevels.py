"""Levels of each time bin, in bands and over all lines, as they go into the product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics import bands
from penstock.workflows.acoustics.bands import Bands
from penstock.workflows.acoustics.calibration import Calibration
from penstock.workflows.acoustics.matrix import Store, to_level
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform

SHORT = {
    "decidecade": "level in decidecades (base-ten third octaves)",
    "third_octave": "level in third octaves (base ten)",
    "millidecade": "level in hybrid millidecades",
    "spl_band": "level in the chosen bands",
}


def wanted_bands(settings: Settings, transform: Transform) -> Iterator[Bands]:
    """Give the kinds of bands that the settings ask for."""
    top = transform.rate / 2
    for name in settings.bands:
        yield bands.KINDS[name](transform.spacing, top)
    if settings.spl_bands:
        yield bands.chosen(settings.spl_bands, top)


class BandLevels:
    """Writes the level of each band for each time bin; `bin` must be a dimension of the store."""

    def __init__(
        self, store: Store, transform: Transform, settings: Settings, calibration: Calibration
    ) -> None:
        self.transform, self.calibration = transform, calibration
        self.borders = bands.cells(len(transform.frequencies()), transform.spacing, transform.rate / 2)
        self.kinds = [(each, self._make(store, each)) for each in wanted_bands(settings, transform)]

    def _make(self, store: Store, kind: Bands) -> h5py.Dataset:
        store.dimension(kind.name, kind.centre, units="Hz", long_name="centre of the band")
        for side, edges in (("low", kind.low), ("high", kind.high)):
            store.variable(f"{kind.name}_{side}", (kind.name,), edges, units="Hz", long_name=f"{side} edge")
        reference = self.calibration.reference_of("spectrum")
        about = {"units": "dB", "long_name": SHORT[kind.name], "reference": reference}
        return store.rows(f"{kind.name}_level", ("bin", kind.name), np.float32, **about)

    def put(self, place: int, mean: NDArray[Any]) -> None:
        """Write the levels of one bin from the mean power of its lines."""
        power = mean * self.transform.line_width
        for kind, variable in self.kinds:
            inside = bands.band_power(power, self.borders, kind.low, kind.high)
            variable[place] = to_level(inside, self.calibration.reference)


def read_band_levels(file: Any) -> Sequence[str]:
    """Name the kinds of bands of an open product."""
    return [name for name in SHORT if f"{name}_level" in file]
