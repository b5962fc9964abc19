"""One pass over the frames of a run: chunk by chunk, never the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.detector.frames import Run, sentinel_of
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.status import Judged, begin, judge
from penstock.workflows.detector.sums import Sums


@dataclass(frozen=True)
class Measured:
    """What a run says of its pixels, and what is to be known about its frames, a sentence each."""

    judged: Judged
    told: list[str] = field(default_factory=list)


def measure(
    run: Run, settings: Settings, known: NDArray[np.bool_] | None = None, *, size: int | None = None
) -> Measured:
    """Read a run once, at most `size` frames at a time, and judge its pixels; `known` are bad before.

    In the modes robust and dark, the frames that set the gates are read before.

    >>> made = measure(open_run([Path("e1234-r0059-s00-c00.h5")]), Settings())
    """
    sums = sum_part(run, settings, size=size)
    return Measured(judge(sums, settings, known), [*run.told, *tell_sentinels(sums)])


def sum_part(
    run: Run, settings: Settings, *, first: int = 0, last: int | None = None, size: int | None = None
) -> Sums:
    """Sum the frames of a run from `first` to before `last`, by gates that are the same for all parts."""
    sums = begin(run.shape, run.dtype, settings, gate_frames(run, settings))
    for frames in run.blocks(size, first=first, last=last):
        sums.add(frames)
    return sums


def gate_frames(run: Run, settings: Settings) -> NDArray[Any] | None:
    """Read the frames that set the gates of a mode; None if it has none."""
    if settings.mode == "classic":
        return None
    return run.first(settings.first) if settings.mode == "dark" else run.sample(settings.sample)


def tell_sentinels(sums: Sums) -> list[str]:
    """Say how many pixels have the value that stands for none, always or at times; they count as above the range."""
    value = sentinel_of(sums.dtype)
    if value is None or not sums.frames:
        return []
    always = int(np.count_nonzero(sums.least == value))
    ever = int(np.count_nonzero(sums.most == value)) - always
    counts = (always, "in every frame: masked by the detector, or saturated"), (ever, "at times")
    return [
        f"{number} pixel{' is' if number == 1 else 's are'} {value} {when}"
        for number, when in counts
        if number
    ]
