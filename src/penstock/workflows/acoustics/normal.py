"""Bringing recordings to a normal size: mean, spread and peak of samples, and what is done with them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from penstock.workflows.acoustics.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean, sum of squares about the mean, and largest absolute value of samples."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    peak: float = 0.0

    @classmethod
    def of(cls, samples: NDArray[Any]) -> Moments:
        import numpy as np

        good = samples[np.isfinite(samples)].astype(np.float64)
        if not len(good):
            return cls()
        mean = float(good.mean())
        return cls(len(good), mean, float(np.square(good - mean).sum()), float(np.abs(good).max()))

    def __add__(self, other: Moments) -> Moments:
        """Join two sets of samples (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * other.count / count
        squares = self.squares + other.squares + apart**2 * self.count * other.count / count
        return Moments(count, mean, squares, max(self.peak, other.peak))

    @property
    def deviation(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def total(parts: Iterable[Moments]) -> Moments:
    return sum(parts, Moments())


@dataclass(frozen=True, slots=True)
class Normal:
    """Samples become `(x − offset) · factor`."""

    offset: float = 0.0
    factor: float = 1.0

    @classmethod
    def by(cls, mode: str, moments: Moments) -> Normal:
        """Choose what brings samples of these moments to the normal that `mode` names.

        >>> Normal.by("peak", Moments(10, 0.1, 0.4, 0.5))
        Normal(offset=0.0, factor=2.0)
        """
        if mode == "dc":
            return cls(moments.mean)
        if mode == "peak":
            return cls(0.0, 1 / moments.peak if moments.peak else 1.0)
        if mode == "zscore":
            return cls(moments.mean, 1 / moments.deviation if moments.deviation else 1.0)
        return cls()

    def apply(self, blocks: Iterable[NDArray[Any]]) -> Iterable[NDArray[Any]]:
        return blocks if self == Normal() else self._applied(blocks)

    def _applied(self, blocks: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        for block in blocks:
            yield (block - block.dtype.type(self.offset)) * block.dtype.type(self.factor)


def normals(parts: Sequence[tuple[float, Moments]], settings: Settings) -> dict[str, Normal]:
    """Give what normalises the files of each period, or of the whole: name of the period → Normal.

    `parts` are the begin of each file (seconds since 1970) and its moments.
    """
    groups: dict[str, Moments] = {}
    for begin, moments in parts:
        name = period_of(begin, settings)
        groups[name] = groups.get(name, Moments()) + moments
    return {name: Normal.by(settings.normalise, moments) for name, moments in groups.items()}


def period_of(begin: float, settings: Settings) -> str:
    """Name the period in which a file begins; periods are counted from 1970-01-01 UTC."""
    if settings.normalise_over == "whole":
        return "whole"
    return f"{math.floor(begin / settings.period) * settings.period:.0f}"
