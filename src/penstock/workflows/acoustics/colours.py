"""One range of colours for all pictures of a campaign, from a look at a few recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.workflows.acoustics.headers import Unreadable
from penstock.workflows.acoustics.recordings import Dataset, Recording
from penstock.workflows.acoustics.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKS = 12  # recordings, from all over the campaign
FRAMES, MOST_SAMPLES = 200, 1 << 19  # of each, from its middle


def choose_range(dataset: Dataset, settings: Settings) -> tuple[float, float] | None:
    """Give the levels that colours span in all pictures; None if no recording can be heard."""
    fit = [each for each in dataset.recordings if each.header and not each.faults]
    chosen = [fit[i * len(fit) // LOOKS] for i in range(LOOKS)] if len(fit) > LOOKS else fit
    ranges = [found for each in chosen if (found := _look(each, settings))]
    if not ranges:
        return None
    lows, highs = zip(*ranges, strict=True)
    return 5.0 * math.floor(min(lows) / 5), 5.0 * math.ceil(_usual(highs) / 5)


def _usual(highs: Sequence[float]) -> float:
    """Give the highest but for one in ten: a clipped recording is off the scale."""
    return sorted(highs)[(9 * len(highs) - 1) // 10]


def _look(recording: Recording, settings: Settings) -> tuple[float, float] | None:
    """Give the range that suits some frames from the middle of a recording; None if it cannot be read."""
    from penstock.workflows.acoustics.calibration import read_calibration
    from penstock.workflows.acoustics.matrix import to_level
    from penstock.workflows.acoustics.measure import make_transform
    from penstock.workflows.acoustics.signal import condition
    from penstock.workflows.reports.palette import robust_range

    assert recording.header is not None
    rate = recording.header.rate
    try:
        sound = _samples(recording, settings)
    except Unreadable:
        return None
    parts = list(condition([sound], settings, rate))
    samples = _normal(parts, settings)
    transform = make_transform(settings, settings.resample or rate)
    if not transform.count(len(samples)):
        return None
    power = transform.power(samples)
    return robust_range(to_level(power, read_calibration(settings).reference))


def _samples(recording: Recording, settings: Settings) -> NDArray[Any]:
    from penstock.workflows.acoustics.reading import read_blocks

    header = recording.header
    assert header is not None
    ratio = header.rate / (settings.resample or header.rate)
    wanted = math.ceil(min(MOST_SAMPLES, settings.nfft + FRAMES * settings.hop) * ratio)
    skip = max(0, (header.frames - max(wanted, math.ceil(settings.nfft * ratio))) // 2)
    more = {"skip": skip} if skip else {}
    return next(iter(read_blocks(recording.path, settings.channel, wanted * header.channels, **more)))


def _normal(parts: list[NDArray[Any]], settings: Settings) -> NDArray[Any]:
    import numpy as np

    from penstock.workflows.acoustics.normal import Moments, Normal

    samples = np.concatenate(parts)
    normal = Normal.by(settings.normalise, Moments.of(samples))
    return np.concatenate(list(normal.apply([samples])))
