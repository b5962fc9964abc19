"""How many of the planted bad pixels each mode finds, and how many good ones it flags, on detectors made up at random.

    python bench/detector_faults.py [--detectors 1000] [--frames 200]

Each detector has 32 × 32 pixels of its own: pedestals 1500 ± 20, noise 3 ± 10 %. Fourteen pixels are bad, each kind by
a random amount; two others see one flash, which is no fault of theirs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.status import begin, judge

SIDE = 32
MODES = {
    "classic": Settings(mode="classic"),
    "classic, 5 σ": Settings(mode="classic", rms_n_neg=5, rms_n_pos=5, mean_n_neg=5, mean_n_pos=5),
    "robust": Settings(),
    "dark": Settings(mode="dark"),
}
Fault = Callable[[NDArray[Any], np.random.Generator], Any]
FAULTS: Mapping[str, Fault] = {  # each gives a pixel's values in time from good ones
    "dead": lambda good, rng: np.zeros_like(good),
    "saturated": lambda good, rng: np.full_like(good, 16383),
    "frozen": lambda good, rng: np.full_like(good, round(float(good[0]))),
    "zeros, 10-50 %": lambda good, rng: good * (rng.random(len(good)) > rng.uniform(0.1, 0.5)),
    "noisy, 3-40 ×": lambda good, rng: good + rng.normal(0, 3 * rng.uniform(3, 40), len(good)),
    "offset, 200-600": lambda good, rng: good + rng.choice([-1, 1]) * rng.uniform(200, 600),
    "two states, 50-500": lambda good, rng: good + rng.uniform(50, 500) * (rng.random(len(good)) < 0.5),
}
FLASHES: Mapping[str, Fault] = {
    "a flash": lambda good, rng: np.where(np.arange(len(good)) == rng.integers(len(good)), 16383, good),
    "a spike in range": lambda good, rng: np.where(
        np.arange(len(good)) == rng.integers(len(good)), 9000, good
    ),
}


def make_detector(frames: int, seed: int) -> tuple[NDArray[np.uint16], dict[int, str]]:
    """Make frames, and say which pixel has what."""
    rng = np.random.default_rng(seed)
    pedestal, noise = rng.normal(1500, 20, SIDE**2), 3 * rng.normal(1, 0.1, SIDE**2)
    values = pedestal + noise * rng.standard_normal((frames, SIDE**2))
    names = [*FAULTS, *FAULTS, *FLASHES]
    places = dict(zip(rng.choice(SIDE**2, len(names), replace=False).tolist(), names, strict=True))
    for place, name in places.items():
        values[:, place] = ({**FAULTS, **FLASHES}[name])(values[:, place], rng)
    return values.round().clip(0, 65535).astype(np.uint16).reshape(frames, SIDE, SIDE), places


def flagged(frames: NDArray[Any], settings: Settings) -> set[int]:
    """Give the places of pixels that a mode calls bad."""
    chosen = (
        frames[: settings.first] if settings.mode == "dark" else frames[:: len(frames) // settings.sample]
    )
    sums = begin(frames.shape[1:], frames.dtype, settings, chosen)
    sums.add(frames)
    status = judge(sums, settings).status
    return set() if status is None else {int(place) for place in np.flatnonzero(status)}


def count(detectors: int, frames: int) -> dict[str, Counter[str]]:
    """Count for each mode the flagged pixels by what they have, over all detectors."""
    found: dict[str, Counter[str]] = {mode: Counter() for mode in MODES}
    for seed in range(detectors):
        values, places = make_detector(frames, seed)
        for mode, settings in MODES.items():
            found[mode].update(places.get(place, "good") for place in flagged(values, settings))
    return found


def table(found: Mapping[str, Counter[str]], detectors: int) -> Iterator[str]:
    """Write Markdown: per cent of each kind that were flagged, good pixels in a million."""
    yield f"| flagged, % | {' | '.join(found)} |"
    yield f"|---|{'---:|' * len(found)}"
    for name in FAULTS:
        yield f"| {name} | {' | '.join(f'{counts[name] / detectors / 2:.1%}' for counts in found.values())} |"
    for name in FLASHES:
        shares = (f"{counts[name] / detectors:.1%}" for counts in found.values())
        yield f"| *{name}, of a good pixel* | {' | '.join(shares)} |"
    good = detectors * (SIDE**2 - 2 * len(FAULTS) - len(FLASHES))
    rates = (f"{counts['good']} of {good}" for counts in found.values())
    yield f"| *other good pixels* | {' | '.join(rates)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--detectors", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=200)
    chosen = parser.parse_args()
    print(*table(count(chosen.detectors, chosen.frames), chosen.detectors), sep="\n")


if __name__ == "__main__":
    main()
