"""One-sided power spectra of frames, with every formula stated.

For the windowed frame `w·x` of N samples and `X = rfft(w·x)`:
density `P[k] = c·|X[k]|² / (fs·Σw²)`, spectrum `P[k] = c·|X[k]|² / (Σw)²`, with c = 2 except at DC
and (N even) at Nyquist, where c = 1 (Heinzel, Rüdiger & Schilling 2002, eq. 23 and 24).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

COSINES = {  # periodic sums of cosines: w[n] = Σ (-1)^i a_i cos(2πin/N)  (Harris 1978)
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
}


def make_window(name: str | Sequence[Any], size: int) -> NDArray[np.float64]:
    """Make a periodic window, which is not to be changed; any name or tuple that `scipy.signal.get_window` takes."""
    return _window(_frozen(name), size)


def _frozen(name: Any) -> Any:
    return tuple(map(_frozen, name)) if isinstance(name, (list, tuple)) else name


@lru_cache(maxsize=8)
def _window(name: str | tuple[Any, ...], size: int) -> NDArray[np.float64]:
    if isinstance(name, str) and name in COSINES:
        angle = 2 * np.pi * np.arange(size) / size
        terms = [(-1) ** i * a * np.cos(i * angle) for i, a in enumerate(COSINES[name])]
        return np.sum(terms, axis=0)
    from scipy.signal import get_window  # a second of import: only for the rarer windows

    try:
        return get_window(name, size)
    except ValueError as error:
        raise ValueError(
            f"the parameter window is {name!r}; it must be one that scipy.signal.get_window knows ({error})"
        ) from error


@dataclass(frozen=True, slots=True)
class Transform:
    """Frames of a signal to one-sided power.

    `dtype` is that of the arithmetic; `factor` turns samples into the unit of the result.

    >>> Transform.of(rate=8, size=4, hop=2).times(3)
    array([0.25, 0.5 , 0.75])
    """

    rate: float
    hop: int
    window: NDArray[Any]  # scaled, so that |rfft|² is the power of an inner line
    scaling: str
    noise_bandwidth: float  # fs·Σw²/(Σw)², Hz: spectrum = density × this
    response: NDArray[Any] | None = None  # factor of the power of each line
    legacy: bool = False  # as the old scripts: DC and Nyquist doubled, the last frame lost

    @classmethod
    def of(
        cls,
        *,
        rate: float,
        size: int,
        hop: int,
        window: str | tuple[Any, ...] = "hann",
        scaling: str = "density",
        factor: float = 1.0,
        dtype: Any = np.float32,
    ) -> Transform:
        """Make a transform of frames of `size` samples, `hop` apart, at `rate` Hz.

        `scaling`: power per hertz (density) or per line (spectrum). Raises ValueError for a window that nobody knows.
        """
        w = make_window(window, size)
        bandwidth = rate * np.sum(w**2) / np.sum(w) ** 2
        divisor = rate * np.sum(w**2) if scaling == "density" else np.sum(w) ** 2
        scaled = (w * factor * np.sqrt(2 / divisor)).astype(dtype)
        return cls(rate, hop, scaled, scaling, float(bandwidth))

    @classmethod
    def osmose(
        cls, *, rate: float, size: int, hop: int, factor: float = 1.0, dtype: Any = np.float32
    ) -> Transform:
        """Make the transform of the OSmOSE scripts 0.2: symmetric Hamming, `|rfft|²·2/(fs·Σw²)` throughout."""
        w = np.hamming(size)
        scaled = (w * factor * np.sqrt(2 / (rate * np.sum(w**2)))).astype(dtype)
        bandwidth = rate * np.sum(w**2) / np.sum(w) ** 2
        return cls(rate, hop, scaled, "density", float(bandwidth), legacy=True)

    def shaped(self, response: NDArray[Any] | None) -> Transform:
        """Give the same with a factor for the power of each line."""
        return self if response is None else replace(self, response=response.astype(self.window.dtype))

    @property
    def size(self) -> int:
        """Samples in a frame."""
        return len(self.window)

    @property
    def spacing(self) -> float:
        """Distance of two lines, Hz."""
        return self.rate / self.size

    def frequencies(self) -> NDArray[np.float64]:
        """Give the frequencies of the lines, Hz: `size // 2 + 1` from 0 to half the rate."""
        return np.arange(self.size // 2 + 1) * self.spacing

    def count(self, samples: int) -> int:
        """Say how many full frames `samples` hold."""
        return max(0, (samples - self.size) // self.hop + (0 if self.legacy else 1))

    def times(self, count: int, first: int = 0) -> NDArray[np.float64]:
        """Give the centres of frames, seconds from the first sample: `(m·hop + N/2)/fs`."""
        return (np.arange(first, first + count) * self.hop + self.size / 2) / self.rate

    def power(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Give the power of every full frame of `samples`: (frames, `size // 2 + 1`), in squares of the result's unit.

        It is per hertz for a density. There must be a full frame.
        """
        frames = sliding_window_view(samples, self.size)[:: self.hop] * self.window
        lines = scipy.fft.rfft(frames, axis=1, overwrite_x=True)
        power = lines.real**2
        power += lines.imag**2
        if not self.legacy:
            power[:, 0] *= 0.5
            if self.size % 2 == 0:
                power[:, -1] *= 0.5
        if self.response is not None:
            power *= self.response
        return power

    def blocks(self, samples: Iterable[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
        """Give the power of all full frames, `count` rows at a time (the last block: what is left)."""
        return map(self.power, stretches(samples, self.size, self.hop, count))

    def broadband(self, power: NDArray[Any]) -> NDArray[Any]:
        """Give the mean square over all lines: ΣP·Δf of a density."""
        return power.sum(axis=-1, dtype=np.float64) * self.line_width

    @property
    def line_width(self) -> float:
        """What turns a line's value into the mean square that it stands for: Δf, for a density."""
        return self.spacing if self.scaling == "density" else self.spacing / self.noise_bandwidth


def stretches(samples: Iterable[NDArray[Any]], size: int, hop: int, count: int) -> Iterator[NDArray[Any]]:
    """Cut a stream of pieces of any length into stretches that hold `count` frames each."""
    full, step = (count - 1) * hop + size, count * hop
    held: NDArray[Any] = np.empty(0, dtype=np.float32)
    for piece in samples:
        held = np.concatenate((held, piece)) if len(held) else piece
        while len(held) >= full:
            yield held[:full]
            held = held[step:]
    if len(held) >= size:
        yield held[: (len(held) - size) // hop * hop + size]
