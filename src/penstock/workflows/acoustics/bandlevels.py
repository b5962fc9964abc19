"""Levels of each time bin, in bands and over all lines, as they go into the product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.acoustics import bands
from penstock.workflows.acoustics.bands import Bands
from penstock.workflows.acoustics.calibration import Calibration
from penstock.workflows.acoustics.fine import FineLines, Plan
from penstock.workflows.acoustics.matrix import to_level
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.timeline import Bins
from penstock.workflows.stores.netcdf import Store

SHORT = {
    "decidecade": "level in decidecades (base-ten third octaves)",
    "third_octave": "level in third octaves (base ten)",
    "millidecade": "level in hybrid millidecades",
    "spl_band": "level in the chosen bands",
}


Power = NDArray[Any] | None  # of the lines of a bin, mean over its frames; None without frames


class Spectrum:
    """The power of a time bin over all frequency: fine lines up to a border, the spectrogram's above it."""

    def __init__(self, coarse: Transform, fine: Transform | None = None, top: float = 0.0) -> None:
        self.coarse, self.fine, self.borders = coarse, fine, _cells(coarse)
        self.border = 0.0
        if fine is not None:
            own, self._above = _cells(fine), int(np.searchsorted(self.borders, top - 1e-9))
            self.border = float(self.borders[self._above])
            self._below = min(int(np.searchsorted(own, self.border - 1e-9)), len(own) - 1)
            low, high = own[self._below - 1 : self._below + 1]
            self._share = min(1.0, (self.border - low) / (high - low))
            self.borders = np.concatenate((own[: self._below], self.borders[self._above :]))

    def power(self, kind: Bands, coarse: Power, fine: Power) -> NDArray[np.float64]:
        """Give the power in each band; NaN where one needs lines that are not there."""
        found = bands.band_power(self._joined(coarse, fine), self.borders, kind.low, kind.high)
        if fine is None:
            found[kind.low < self.border] = np.nan
        if coarse is None:
            found[kind.high > self.border] = np.nan
        return found

    def _joined(self, coarse: Power, fine: Power) -> NDArray[Any]:
        lines = len(self.coarse.frequencies())
        above = np.zeros(lines) if coarse is None else coarse * self.coarse.line_width
        if self.fine is None:
            return above
        below = np.zeros(self._below) if fine is None else fine[: self._below] * self.fine.line_width
        below[-1] *= self._share
        return np.concatenate((below, above[self._above :]))


def _cells(transform: Transform) -> NDArray[np.float64]:
    return bands.cells(len(transform.frequencies()), transform.spacing, transform.rate / 2)


@dataclass(slots=True)
class Side:
    """Bins that one transform has told, and how far it has come."""

    means: dict[int, NDArray[Any]]
    reached: float = -1

    def put(self, place: int, mean: NDArray[Any]) -> None:
        self.means[place], self.reached = mean, place


class Group:
    """Kinds of bands that are measured from one spectrum; a bin is written once all its lines are there."""

    def __init__(self, spectrum: Spectrum, fine: FineLines | None, reference: float) -> None:
        self.spectrum, self.fine, self.reference = spectrum, fine, reference
        self.kinds: list[tuple[Bands, h5py.Dataset]] = []
        self._coarse, self._fine = Side({}), Side({}, -1 if fine else math.inf)

    def listen(self, samples: NDArray[Any]) -> None:
        for each in self.fine.add(samples) if self.fine else ():
            self._fine.put(each.place, each.total / each.frames)

    def put(self, place: int, mean: NDArray[Any]) -> None:
        self._coarse.put(place, mean)
        self._write(min(self._coarse.reached, self._fine.reached))

    def close(self) -> None:
        for each in self.fine.close() if self.fine else ():
            self._fine.put(each.place, each.total / each.frames)
        self._write(math.inf)

    def _write(self, upto: float) -> None:
        for place in sorted({*self._coarse.means, *self._fine.means}):
            if place <= upto:
                coarse, fine = (side.means.pop(place, None) for side in (self._coarse, self._fine))
                for kind, variable in self.kinds:
                    variable[place] = to_level(self.spectrum.power(kind, coarse, fine), self.reference)


class BandLevels:
    """Writes the level of each band for each time bin; `bin` must be a dimension of the store.

    `lead` is the time from the begin of the first bin to the first sample; of the first `shared` samples
    an earlier sound tells.
    """

    def __init__(
        self,
        store: Store,
        transform: Transform,
        settings: Settings,
        calibration: Calibration,
        *,
        bins: Bins,
        lead: float,
        shared: int,
    ) -> None:
        self.store, self.calibration = store, calibration
        self.groups: list[Group] = []
        rate, spacing = transform.rate, transform.spacing
        for names, plan in (
            (("decidecade", "third_octave"), Plan.beside(spacing, rate, settings.bin)),
            (("millidecade",), Plan.of_hertz(spacing, rate)),
        ):
            least = 1 / plan.seconds if plan else spacing
            kinds = [bands.KINDS[name](least, rate / 2) for name in names if name in settings.bands]
            if settings.spl_bands and "decidecade" in names:
                kinds.append(bands.chosen(settings.spl_bands, rate / 2, least))
            if kinds:
                own = plan.transform(rate, settings) if plan else None
                fine = FineLines(plan, own, bins, lead=lead, shared=shared) if plan and own else None
                group = Group(
                    Spectrum(transform, own, plan.top if plan else 0.0), fine, calibration.reference
                )
                group.kinds = [(each, self._make(each, group.spectrum)) for each in kinds]
                self.groups.append(group)

    def _make(self, kind: Bands, spectrum: Spectrum) -> h5py.Dataset:
        self.store.dimension(kind.name, kind.centre, units="Hz", long_name="centre of the band")
        for side, edges in (("low", kind.low), ("high", kind.high)):
            long_name = f"{side} edge"
            self.store.variable(f"{kind.name}_{side}", (kind.name,), edges, units="Hz", long_name=long_name)
        reference = self.calibration.reference_of("spectrum")
        about = {"units": "dB", "long_name": SHORT[kind.name], "reference": reference}
        comment = source_of(spectrum)
        return self.store.rows(f"{kind.name}_level", ("bin", kind.name), np.float32, comment=comment, **about)

    def listen(self, samples: NDArray[Any]) -> None:
        """Take samples as they go by, for the fine lines."""
        for group in self.groups:
            group.listen(samples)

    def put(self, place: int, mean: NDArray[Any]) -> None:
        """Take the mean power of the spectrogram's lines in one bin."""
        for group in self.groups:
            group.put(place, mean)

    def close(self) -> None:
        for group in self.groups:
            group.close()


def source_of(spectrum: Spectrum) -> str:
    """Say which lines the bands are measured from."""
    if spectrum.fine is None:
        return "from the lines of the spectrogram"
    seconds = spectrum.fine.size / spectrum.fine.rate
    above = "" if spectrum.border >= spectrum.coarse.rate / 2 else f" below {spectrum.border:g} Hz"
    return f"from frames of {seconds:.4g} s{above}; no value where no such frame has its centre in the bin"


def read_band_levels(file: Any) -> Sequence[str]:
    """Name the kinds of bands that a product has, an open HDF5 file."""
    return [name for name in SHORT if f"{name}_level" in file]
