"""Checks of recordings: of their headers, their times and their samples.

A *fault* keeps a file out unless the user forces it in; a *warning* is only told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from penstock.workflows.acoustics.headers import Header
from penstock.workflows.acoustics.timeline import Span, between

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = {
    "missing": "named in the table of times, but missing",
    "badly_named": "the name has no time of the given form",
    "unreadable": "no header could be read",
    "empty": "the header promises no samples",
    "truncated": "the file holds less than its header promises",
    "rate": "sample rate unlike the majority",
    "channels": "number of channels unlike the majority",
    "short": "not one full frame fits",
    "coverage": "too little of the segment is recorded",
    "not_finite": "NaN or infinite samples",
    "silent": "all samples are the same",
    "unknown_length": "the header does not give its length; all data in the file are used",
    "other_rate": "sample rate unlike the majority; the file is resampled",
    "bits": "sample format unlike the majority",
    "duration": "duration unlike the median",
    "gap": "nothing recorded before this file",
    "calibration_tones": "begins with tones of the recorder's own calibration, left out",
    "pauses": "nothing recorded between blocks of this file",
    "overlap": "begins before the previous one has ended",
    "duplicate_time": "begins at the same time as another file",
    "clipping": "samples at full scale, three or more in a row",
    "dc_offset": "the mean is far from zero",
}
FAULTS = (
    "missing",
    "badly_named",
    "unreadable",
    "empty",
    "truncated",
    "rate",
    "channels",
    "short",
    "coverage",
    "not_finite",
    "silent",
)
CLIP_RUN = 3  # samples at full scale in a row
DC_OF_FULL_SCALE = 0.01
DC_BESIDE_SIGNAL = 0.001  # where the offset is larger than the signal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one file; `why` is a sentence, `amount` its number if it has one."""

    kind: str
    why: str
    amount: float | None = None

    @property
    def fault(self) -> bool:
        return self.kind in FAULTS


@dataclass(frozen=True, slots=True)
class Usual:
    """What most files of a campaign are like."""

    rate: int | None = None
    channels: int | None = None
    bits: int | None = None
    duration: float | None = None


def find_usual(headers: Sequence[Header]) -> Usual:
    """Take the majority of rate, channels and bits, and the median duration."""
    sound = [header for header in headers if header.promised]
    if not sound:
        return Usual()
    rate, channels, bits = (
        Counter(getattr(header, name) for header in sound).most_common(1)[0][0]
        for name in ("rate", "channels", "bits")
    )
    return Usual(rate, channels, bits, median(header.duration for header in sound))


def check_header(
    header: Header, usual: Usual, tolerance: float = 0.05, *, resample: int | None = None
) -> list[Finding]:
    """Compare one header with itself and with the majority; `resample` is the rate that all will have."""
    found: list[Finding] = []
    if header.promised == 0:
        return [Finding("empty", "the header promises no samples")]
    if header.frames < header.promised:
        missing = header.promised - header.frames
        why = f"the file is truncated: its header promises {header.promised} samples, {missing} are missing"
        found.append(Finding("truncated", why, missing))
    if not header.told:
        why = f"the header does not give its length; the data in the file are used, {header.frames} samples"
        found.append(Finding("unknown_length", why, header.frames))
    if len(header.blocks) > 1:
        apart = header.length - sum(block.count for block in header.blocks) / header.rate
        why = f"it pauses {len(header.blocks) - 1} times, {apart:.6g} s in total"
        found.append(Finding("pauses", why, apart))
    if usual.rate and header.rate != usual.rate:
        why = f"the sample rate is {header.rate} Hz, the campaign's is {usual.rate} Hz"
        found.append(Finding("other_rate" if resample else "rate", why, header.rate))
    if usual.channels and header.channels != usual.channels:
        why = f"the file has {header.channels} channels, the campaign's have {usual.channels}"
        found.append(Finding("channels", why, header.channels))
    if usual.bits and header.bits != usual.bits:
        found.append(
            Finding("bits", f"samples have {header.bits} bits, most files' have {usual.bits}", header.bits)
        )
    if usual.duration and abs(header.duration - usual.duration) > tolerance * usual.duration:
        why = f"it lasts {header.duration:.6g} s, the median is {usual.duration:.6g} s"
        found.append(Finding("duration", why, header.duration))
    return found


def check_times(spans: Sequence[Span], tolerance: float = 1.0) -> list[list[Finding]]:
    """Find gaps, overlaps and equal begins among spans sorted by begin, a list a span."""
    found: list[list[Finding]] = [[] for _ in spans]
    for place, distance in between(spans):
        if spans[place].begin == spans[place - 1].begin:
            why = "it begins at the same time as the previous file"
            found[place].append(Finding("duplicate_time", why))
        elif distance > tolerance:
            found[place].append(
                Finding("gap", f"nothing was recorded for {distance:.6g} s before it", distance)
            )
        elif distance < -tolerance:
            why = f"it begins {-distance:.6g} s before the previous one has ended"
            found[place].append(Finding("overlap", why, -distance))
    return found


class SampleCheck:
    """Watches samples go by, a block at a time, and says in the end what is wrong with them.

    >>> import numpy as np
    >>> check = SampleCheck(bits=16)
    >>> check.add(np.zeros(100, "float32"))
    >>> [finding.kind for finding in check.findings()]
    ['silent']
    """

    def __init__(self, bits: int, *, floating: bool = False) -> None:
        self.full_scale = 1.0 if floating else 1.0 - 2.0 ** (1 - min(bits, 24))
        self.count = self.not_finite = self.clipped = 0
        self.low, self.high = float("inf"), float("-inf")
        self._origin: float | None = None  # sums are taken about it, or a strong offset eats the digits
        self._sum = self._squares = 0.0
        self._run = 0

    def add(self, samples: NDArray[Any]) -> None:
        import numpy as np

        self.count += len(samples)
        low, high = float(samples.min()), float(samples.max())
        if not np.isfinite((low, high)).all():
            good = np.isfinite(samples)
            self.not_finite += int(len(samples) - good.sum())
            samples, self._run = samples[good], 0
            if not len(samples):
                return
            low, high = float(samples.min()), float(samples.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._add_moments(samples)
        if high >= self.full_scale or low <= -self.full_scale or self._run:
            self._count_clipped(np.abs(samples) >= self.full_scale)

    def _add_moments(self, samples: NDArray[Any]) -> None:
        import numpy as np

        if self._origin is None:
            self._origin = float(samples.mean(dtype=np.float64))
        centred = samples - samples.dtype.type(self._origin)
        self._sum += float(centred.sum(dtype=np.float64))
        self._squares += float(np.square(centred, out=centred).sum(dtype=np.float64))

    def _count_clipped(self, full: NDArray[Any]) -> None:
        """Count runs; one that the block's end cuts goes on in the next block."""
        import numpy as np

        edges = np.flatnonzero(np.diff(full, prepend=False, append=False))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            before = self._run if start == 0 else 0
            length = before + int(stop - start)
            if length >= CLIP_RUN:
                self.clipped += length - (before if before >= CLIP_RUN else 0)
            if stop == len(full):
                self._run = length
        if not full[-1]:
            self._run = 0

    @property
    def mean(self) -> float:
        return (self._origin or 0.0) + self._shift

    @property
    def rms(self) -> float:
        """Root mean square about the mean."""
        return max(0.0, self._squares / self._finite - self._shift**2) ** 0.5

    @property
    def _shift(self) -> float:
        return self._sum / self._finite

    @property
    def _finite(self) -> int:
        return max(1, self.count - self.not_finite)

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        if self.not_finite:
            why = f"{self.not_finite} samples are NaN or infinite"
            found.append(Finding("not_finite", why, self.not_finite))
        if self.count > self.not_finite and self.low == self.high:
            found.append(Finding("silent", f"all samples are {self.low:g}"))
            return found
        if self.clipped:
            why = f"{self.clipped} samples are clipped (three or more in a row at full scale)"
            found.append(Finding("clipping", why, self.clipped))
        if abs(self.mean) > (DC_BESIDE_SIGNAL if abs(self.mean) > self.rms else DC_OF_FULL_SCALE):
            why = f"the mean is {self.mean:.4g} of full scale (the rest has an rms of {self.rms:.4g})"
            found.append(Finding("dc_offset", why, self.mean))
        return found
