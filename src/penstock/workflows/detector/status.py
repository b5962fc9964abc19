"""The status of every pixel of a run: its formulas, and what they were given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DefinitionError
from penstock.workflows.detector.bits import STATUS, mask_of
from penstock.workflows.detector.gates import Gates
from penstock.workflows.detector.limits import limits, robust_limits
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.sums import Sums

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """What rms and mean of a good pixel may be, both inclusive; in the units of the data."""

    rms: tuple[float, float]
    mean: tuple[float, float]


@dataclass(frozen=True)
class Judged:
    """The pixels of a run; arrays have the detector's shape.

    `status` is the sum of the bits of `bits.BITS`, None if there were too few frames: then `why` says so.
    `mask` is 1 for pixels that are good here and were not known to be bad before.
    """

    frames: int
    mean: Values
    rms: Values
    least: NDArray[Any]
    most: NDArray[Any]
    below: Values  # fractions of all events
    above: Values
    status: NDArray[np.uint16] | None
    mask: NDArray[np.uint8] | None
    limits: Limits | None
    settings: Settings
    why: str = ""

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Give all arrays that there are, by the names that products have for them."""
        named = {"ave": self.mean, "rms": self.rms, "min": self.least, "max": self.most}
        named |= {"fraction_low": self.below, "fraction_high": self.above}
        judged = {"status": self.status, "mask": self.mask}
        return named | {name: made for name, made in judged.items() if made is not None}

    @property
    def fraction(self) -> float:
        """The share of bad pixels, 0…1; NaN if nothing was judged."""
        return math.nan if self.mask is None else float(np.mean(self.mask == 0))


def begin(shape: tuple[int, ...], dtype: Any, settings: Settings, sample: NDArray[Any] | None = None) -> Sums:
    """Begin the sums of a run; `sample` (frames × shape) sets the gates in the modes robust and dark.

    >>> sums = begin((1, 2), np.uint16, Settings(mode="classic"))
    >>> sums.add(np.full((1000, 1, 2), 1500, np.uint16))
    >>> judge(sums, Settings(mode="classic")).status
    array([[8, 8]], dtype=uint16)
    """
    kind, low, high = np.dtype(dtype), settings.int_low, settings.int_high
    if kind.kind not in "iuf":
        raise DefinitionError(f"values of type {kind} are no detector's; integers and floats are")
    if settings.mode != "classic" and sample is None:
        raise DefinitionError(f"the mode {settings.mode} needs frames to set gates by; give a sample")
    if settings.mode == "classic" or sample is None or not len(sample):
        gates = Gates.same(kind, math.prod(shape), low, high)
    else:
        gates = Gates.around(sample.reshape(len(sample), -1), low, high, spreads=settings.spreads)
    return Sums.empty(shape, kind, gates, low=low, high=high)


def judge(sums: Sums, settings: Settings, known: NDArray[np.bool_] | None = None) -> Judged:
    """Give the status of every pixel.

    Pixels that are `known` to be bad (True, in the detector's shape) are judged like others, but say nothing about the
    limits, and are bad in the mask. Inequalities are strict, and what is no number is never within a limit. Classic
    limits and bits are those of the LCLS tool `det_ndarr_data_status`.
    """
    if known is not None and known.shape != sums.shape:
        raise DefinitionError(
            f"known bad pixels are of {known.shape}, the detector of {sums.shape}; fit the mask"
        )
    mean, rms = sums.mean_and_rms()
    n = max(1, sums.frames)
    values = mean, rms, sums.least, sums.most, sums.below / n, sums.above / n
    shaped = [each.reshape(sums.shape) for each in values]
    if sums.frames < settings.enough:
        why = f"not judged: {sums.frames} frames, and the mode {settings.mode} needs {settings.enough}"
        return Judged(sums.frames, *shaped, None, None, None, settings, why)
    some = slice(None) if known is None else ~known.reshape(-1)
    found = (_limits if settings.mode == "classic" else _robust_limits)(mean[some], rms[some], n, settings)
    status = np.zeros(len(mean), STATUS)
    for bit, bad in _verdicts(sums, mean, rms, found, settings).items():
        status |= np.where(bad, STATUS(bit), STATUS(0))
    status = status.reshape(sums.shape)
    mask = mask_of(status) if known is None else mask_of(status) * (~known).astype(np.uint8)
    return Judged(sums.frames, *shaped, status, mask, found, settings)


def _limits(mean: Values, rms: Values, n: int, chosen: Settings) -> Limits:
    return Limits(
        limits(rms, chosen.rms_n_neg, chosen.rms_n_pos, chosen.rms_low, chosen.rms_high),
        limits(mean, chosen.mean_n_neg, chosen.mean_n_pos, chosen.mean_low, chosen.mean_high),
    )


def _robust_limits(mean: Values, rms: Values, n: int, chosen: Settings) -> Limits:
    """Take medians of all pixels; n frames alone spread an rms σ by σ/√(2n), a mean by σ/√n."""
    usual = float(np.median(rms)) if rms.size else 0.0
    return Limits(
        robust_limits(rms, chosen.spreads, chosen.rms_low, chosen.rms_high, least=usual / math.sqrt(2 * n)),
        robust_limits(mean, chosen.spreads, chosen.mean_low, chosen.mean_high, least=usual / math.sqrt(n)),
    )


def _verdicts(
    sums: Sums, mean: Values, rms: Values, found: Limits, chosen: Settings
) -> dict[int, NDArray[np.bool_]]:
    """Say for each bit which pixels have it."""
    n = max(1, sums.frames)
    below, above = sums.below / n, sums.above / n
    (rms_min, rms_max), (mean_min, mean_max) = found.rms, found.mean
    verdicts = {
        1: rms > rms_max,
        2: above > chosen.fraction_high,
        4: below > chosen.fraction_low,
        8: ~(rms >= rms_min),
        16: mean > mean_max,
        32: ~(mean >= mean_min),
    }
    if chosen.mode == "classic":
        return verdicts | {64: sums.most > mean_max, 128: ~(sums.least >= mean_min)}
    return verdicts | {64: above > chosen.flashes, 128: below > chosen.flashes}
