"""What a person may choose, read from a stage's parameters."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import DefinitionError

SHARED = ("audio",)  # read by the report and the command line, not by the signal processing


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of one campaign; times in seconds, levels in dB.

    >>> Settings.read({"sample_rate": 48000, "nfft": 2048}).hop
    1024
    """

    sample_rate: int | None = None
    channels: int | None = None
    channel: int = 1
    nfft: int = 1024
    overlap: float = 0.5
    window: str | tuple[Any, ...] = "hann"
    scaling: str = "density"
    bin: float = 10.0
    ltas_bin: float | None = None
    step_db: float = 1.0
    sensitivity: float | None = None
    gain: float = 0.0
    peak_voltage: float = 1.0
    end_to_end: float | None = None
    gap_tolerance: float = 1.0
    duration_tolerance: float = 0.05
    picture_width: int = 1200
    picture_height: int = 512
    colours: str = "viridis"
    db_range: tuple[float, float] | None = None
    force: bool = False

    @property
    def hop(self) -> int:
        return max(1, self.nfft - round(self.nfft * self.overlap))

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Settings:
        names = {field.name for field in dataclasses.fields(cls)}
        for name in params:
            _refuse_misspelt(name, names)
        chosen = {name: _frozen(value) for name, value in params.items() if name in names}
        settings = cls(**chosen)
        _check(settings)
        return settings


def read_settings(params: Mapping[str, Any]) -> Settings:
    """Read what a person typed: a mistake is a DefinitionError."""
    try:
        return Settings.read(params)
    except (TypeError, ValueError) as error:
        raise DefinitionError(str(error)) from error


def _refuse_misspelt(name: str, names: set[str]) -> None:
    if name in names or name in SHARED:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    if near:
        raise ValueError(
            f"the parameter {name!r} is not known to the acoustics stages; did you mean {near[0]!r}?"
        )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(settings: Settings) -> None:
    rules = (
        (settings.nfft >= 2, f"nfft is {settings.nfft}; it must be at least 2 samples"),
        (0 <= settings.overlap < 1, f"overlap is {settings.overlap}; it must be from 0 to below 1"),
        (settings.bin > 0, f"bin is {settings.bin}; it must be a positive number of seconds"),
        (settings.step_db > 0, f"step_db is {settings.step_db}; it must be a positive number of dB"),
        (settings.channel >= 1, f"channel is {settings.channel}; the first channel is 1"),
        (
            settings.scaling in SCALINGS,
            f"scaling is {settings.scaling!r}; it must be one of {', '.join(SCALINGS)}",
        ),
        (
            settings.sensitivity is None or settings.end_to_end is None,
            "sensitivity and end_to_end are both given; keep the one that your calibration sheet states",
        ),
    )
    for holds, sentence in rules:
        if not holds:
            raise ValueError(f"the parameter {sentence}")


SCALINGS = {
    "density": "power per hertz: compare noise between different nfft",
    "spectrum": "power per bin: read the level of a tone",
}
