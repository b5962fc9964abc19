"""What recorders say of themselves: in the header of a recording, or in a file beside it.

AudioMoth and icListen write a comment (RIFF's INFO), Song Meters and many bat recorders GUANO or Wildlife
Acoustics' own chunk, HARPs the head of their xwav, SoundTraps a `.log.xml` beside the recording.
"""

from __future__ import annotations

import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from xml.etree import ElementTree

from penstock.workflows.acoustics.headers import Header

MOST_LOG = 1 << 22  # bytes of a .log.xml


@dataclass(frozen=True, slots=True)
class Recorder:
    """What one recording tells; levels in dB re 1 V/µPa and V, as the options of a calibration take them."""

    make: str | None = None
    serial: str | None = None
    gain: str | None = None
    sensitivity: float | None = None
    peak_voltage: float | None = None
    battery: float | None = None  # V
    temperature: float | None = None  # °C
    latitude: float | None = None
    longitude: float | None = None
    depth: float | None = None  # m
    begin: str | None = None

    def told(self) -> dict[str, Any]:
        """Give what is known."""
        found = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in found if value is not None}


def read_recorder(path: str, header: Header | None) -> Recorder:
    """Read what a recording and the file beside it tell; what cannot be read tells nothing."""
    notes = [*(header.notes if header else ()), *_beside(path)]
    told: dict[str, Any] = {}
    for kind, text in notes:
        reader = READERS.get(kind)
        for name, value in reader(text) if reader else ():
            told.setdefault(name, value)
    return Recorder(**told)


def _beside(path: str) -> Iterator[tuple[str, bytes]]:
    log = f"{os.path.splitext(path)[0]}.log.xml"
    try:
        with open(log, "rb") as file:
            yield "log.xml", file.read(MOST_LOG)
    except OSError:
        return


Told = Iterator[tuple[str, Any]]

AUDIOMOTH = re.compile(
    r"Recorded at (?P<begin>[\d:]+ [\d/]+ \(UTC[^)]*\)).* by AudioMoth (?P<serial>[0-9A-F]{16})", re.DOTALL
)
GAIN = re.compile(r"at (?:gain setting (\d)|([a-z-]+) gain)")
ICLISTEN = re.compile(r"(?P<volt>[\d.]+) V pk, (?P<level>-?[\d.]+) dBV? re 1 ?[uµ]Pa")


def _comment(text: bytes) -> Told:
    words = text.decode("utf-8", "replace")
    if match := AUDIOMOTH.search(words):
        yield from (("make", "AudioMoth"), ("serial", match["serial"]), ("begin", match["begin"]))
        if gain := GAIN.search(words):
            yield "gain", gain[1] or gain[2]
    if match := ICLISTEN.search(words):
        yield from (("make", "icListen"), ("peak_voltage", float(match["volt"])))
        yield "sensitivity", float(match["level"])
    yield from _number("battery", r"(?:battery (?:state )?was (?:[a-z ]*)?)([\d.]+) ?V", words)
    yield from _number("temperature", r"temperature was (-?[\d.]+)C|(-?[\d.]+) deg C", words)


def _number(name: str, pattern: str, words: str) -> Told:
    if match := re.search(pattern, words):
        yield name, float(next(filter(None, match.groups())))


def _artist(text: bytes) -> Told:
    words = text.decode("utf-8", "replace")
    if match := re.match(r"(icListen|AudioMoth)\b.*?#?([0-9A-F]{16}|\d{3,})", words):
        yield from (("make", match[1]), ("serial", match[2]))


GUANO = {  # its key → ours, and how it is read
    "Make": ("make", str),
    "Serial": ("serial", str),
    "Timestamp": ("begin", str),
    "Temperature Int": ("temperature", float),
    "WA|Song Meter|Audio settings": ("gain", str),
    "WA|Gain": ("gain", str),
    "OAD|Battery Voltage": ("battery", float),
}


def _guano(text: bytes) -> Told:
    lines = (line.split(":", 1) for line in text.decode("utf-8", "replace").splitlines() if ":" in line)
    told = {key.strip(): value.strip() for key, value in lines}
    make = " ".join(told[key] for key in ("Make", "Model") if told.get(key))
    yield from _converted(GUANO, told | ({"Make": make} if make else {}))
    if match := re.fullmatch(r"(-?[\d.]+) (-?[\d.]+)", told.get("Loc Position", "")):
        yield from (("latitude", float(match[1])), ("longitude", float(match[2])))


def _converted(table: Mapping[str, tuple[str, Callable[[str], Any]]], told: Mapping[str, str]) -> Told:
    for key, (name, read) in table.items():
        try:
            if told.get(key):
                yield name, read(told[key])
        except ValueError:
            continue


WAMD = {1: "make", 2: "serial", 5: "begin"}  # of Wildlife Acoustics' chunk; 6 is the position


def _wamd(text: bytes) -> Told:
    place = 0
    while place + 6 <= len(text):
        kind, length = struct.unpack_from("<HI", text, place)
        value = text[place + 6 : place + 6 + length].rstrip(b"\0").decode("utf-8", "replace")
        if kind in WAMD:
            yield WAMD[kind], value
        if kind == 6 and (match := re.search(r"(-?[\d.]+),([NS]),(-?[\d.]+),([EW])", value)):
            yield "latitude", float(match[1]) * (-1 if match[2] == "S" else 1)
            yield "longitude", float(match[3]) * (-1 if match[4] == "W" else 1)
        place += 6 + length


def _harp(text: bytes) -> Told:
    if len(text) < 56:
        return
    instrument = text[11:15].rstrip(b"\0 ").decode("ascii", "replace")
    east, north, depth = struct.unpack_from("<iih", text, 38)
    yield from (("make", "HARP"), ("serial", instrument), ("depth", float(depth)))
    yield from (("latitude", north / 1e5), ("longitude", east / 1e5))


LOG = {"SamplingStartTimeUTC": "begin", "Gain": "gain", "HARDWARE_ID": "serial", "SerialNumber": "serial"}


def _soundtrap(text: bytes) -> Told:
    yield "make", "SoundTrap"
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return
    for element in tree.iter():
        for key, value in element.attrib.items():
            if key in LOG and value.strip():
                yield LOG[key], value.strip()


READERS: dict[str, Callable[[bytes], Told]] = {
    "ICMT": _comment,
    "IART": _artist,
    "guan": _guano,
    "wamd": _wamd,
    "harp": _harp,
    "log.xml": _soundtrap,
}


def common(recorders: Iterable[Recorder]) -> Recorder:
    """Give what most recordings tell, but for what differs by its nature."""
    found = [each for each in recorders if each.told()]
    told: dict[str, Any] = {}
    for name in ("make", "serial", "gain", "sensitivity", "peak_voltage", "latitude", "longitude", "depth"):
        values = Counter(getattr(each, name) for each in found if getattr(each, name) is not None)
        if values:
            told[name] = values.most_common(1)[0][0]
    return replace(Recorder(), **told)


def offer(told: Recorder) -> str | None:
    """Say which options a recorder's own words amount to; None if it tells no sensitivity."""
    if told.sensitivity is None:
        return None
    volts = "" if told.peak_voltage is None else f" --peak-voltage {told.peak_voltage:g}"
    return f"--sensitivity {told.sensitivity:g}{volts}"
