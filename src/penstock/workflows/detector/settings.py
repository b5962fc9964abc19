"""What a person may choose about the status of pixels, and what is chosen if nobody does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Self

from penstock.errors import DefinitionError

MODES = {
    "classic": "values in [int_low, int_high]; limits from mean and spread of all pixels; one event may flag a pixel",
    "robust": "values in each pixel's gate, from frames all over the run; limits from median and MAD of all pixels",
    "dark": "as robust, with gates from the first frames: averages of a dark run",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All thresholds of the pixel status; values in the units of the data.

    Raises DefinitionError for a threshold that cannot be.
    """

    mode: str = "robust"
    int_low: float = 1.0  # the range: what is outside goes into no mean and no rms
    int_high: float = 16000.0
    fraction_low: float = 0.2  # of events below the range that a pixel may have
    fraction_high: float = 0.2
    rms_low: float = 0.1  # limits of rms and mean, within which computed ones are kept
    rms_high: float = 16000.0
    mean_low: float = 1.0
    mean_high: float = 16000.0
    rms_n_neg: float = (
        0.0  # classic: limits are so many standard deviations from the mean of all pixels; 0: none
    )
    rms_n_pos: float = 0.0
    mean_n_neg: float = 0.0
    mean_n_pos: float = 0.0
    spreads: float = 8.0  # robust: limits and gates are so many spreads from the median
    flashes: float = 0.05  # robust: fraction of events outside of its gate that a pixel may have
    least: int = 50  # robust: frames without which nothing is judged
    sample: int = 32  # robust: frames from all over the run that set the gates
    first: int = 50  # dark: frames from its begin that set the gates

    def __post_init__(self) -> None:
        for wrong in _faults(self):
            raise DefinitionError(wrong)

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Self:
        """Read them from parameters of a stage. Raises DefinitionError for a word that is none of them."""
        check_words(cls, params, "setting of the pixel status")
        for word, value in params.items():
            if word != "mode" and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise DefinitionError(f"{word} = {value!r} must be a number")
        return cls(**params)

    @property
    def enough(self) -> int:
        """The frames without which nothing is judged; one flash of them is never too many."""
        return 1 if self.mode == "classic" else max(self.least, math.ceil(1 / self.flashes))

    def told(self) -> dict[str, Any]:
        """Give all of them, as a mapping of plain values."""
        return asdict(self)


def check_words(kind: Any, params: Mapping[str, Any], what: str) -> None:
    """Return if all words are fields of a dataclass. Raises DefinitionError, which names the nearest right one."""
    known = [each.name for each in fields(kind)]
    for word in params:
        if word not in known:
            near = get_close_matches(word, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise DefinitionError(f"{word} is no {what}; {remedy}")


def _faults(chosen: Settings) -> list[str]:
    found: list[str] = []
    if chosen.mode not in MODES:
        found.append(f"mode {chosen.mode!r} is unknown; choose {', '.join(MODES)}")
    for name in ("int", "rms", "mean"):
        low, high = getattr(chosen, f"{name}_low"), getattr(chosen, f"{name}_high")
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            found.append(f"{name}_low = {low:g} must be below {name}_high = {high:g}, both finite")
    for name in ("fraction_low", "fraction_high", "flashes"):
        if not 0 < getattr(chosen, name) <= 1:
            found.append(f"{name} = {getattr(chosen, name):g} must be a fraction, above 0 and up to 1")
    for name in ("rms_n_neg", "rms_n_pos", "mean_n_neg", "mean_n_pos", "spreads"):
        if not getattr(chosen, name) >= 0:
            found.append(f"{name} = {getattr(chosen, name):g} must be 0 or more")
    for name in ("least", "sample", "first"):
        if getattr(chosen, name) < 2:
            found.append(f"{name} = {getattr(chosen, name)} must be 2 frames or more")
    return found
