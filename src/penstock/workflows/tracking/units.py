"""What the numbers of a file mean: lengths become µm, times s; a pixel or a frame needs to be told how large it is."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import DefinitionError

LENGTHS = {  # in µm
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3, "mm": 1e3, "m": 1e6,
}  # fmt: skip
TIMES = {  # in s
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3,
    "µs": 1e-6, "us": 1e-6, "min": 60.0,
}  # fmt: skip
PIXELS = ("px", "pixel", "pixels", "pix", "camera pixel")
FRAMES = ("frame", "frames")


@dataclass(frozen=True, slots=True)
class Scales:
    """How large a pixel is (µm) and how far apart frames are (s); None if nobody has said.

    `length` and `time` name the units of a file that does not name them itself.
    """

    pixel_size: float | None = None
    frame_interval: float | None = None
    length: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        for name in ("pixel_size", "frame_interval"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise DefinitionError(f"{name} = {value} cannot be; give a positive number")

    def micrometres(self, unit: str) -> float:
        """Give a length unit in µm. Raises DefinitionError for a pixel of unknown size and for an unknown unit.

        >>> Scales(pixel_size=0.16).micrometres("pixel"), Scales().micrometres("nm")
        (0.16, 0.001)
        """
        if unit.lower() in PIXELS:
            return _known(self.pixel_size, "positions are in pixels; give pixel_size, in µm")
        return _looked_up(LENGTHS, unit, "length")

    def seconds(self, unit: str) -> float:
        """Give a time unit in s. Raises DefinitionError for a frame of unknown length and for an unknown unit."""
        if unit.lower() in FRAMES:
            return _known(self.frame_interval, "times are in frames; give frame_interval, in s")
        return _looked_up(TIMES, unit, "time")


def _known(value: float | None, question: str) -> float:
    if value is None:
        raise DefinitionError(question)
    return value


def _looked_up(table: dict[str, float], unit: str, what: str) -> float:
    try:
        return table[unit.lower()]
    except KeyError:
        raise DefinitionError(f"the {what} unit {unit!r} is unknown; say one of {', '.join(table)}") from None
