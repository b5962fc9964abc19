"""Format specs: how a value is written and read back (`05d`, `.3f`, `>8`, `%Y%m%d`).

A small language of our own, because `str.format` reaches into attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from penstock.errors import DefinitionError
from penstock.units.values import Value, from_iso, iso

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Directive:
    """One `%` letter: what it matches, and how it is written."""

    regex: str
    write: Callable[[datetime], str]


DIRECTIVES = {
    "Y": Directive(r"[0-9]{4}", lambda t: f"{t.year:04d}"),
    "y": Directive(r"[0-9]{2}", lambda t: f"{t.year % 100:02d}"),
    "m": Directive(r"[0-9]{2}", lambda t: f"{t.month:02d}"),
    "b": Directive("|".join(MONTHS), lambda t: MONTHS[t.month - 1]),
    "d": Directive(r"[0-9]{2}", lambda t: f"{t.day:02d}"),
    "j": Directive(r"[0-9]{3}", lambda t: f"{t.timetuple().tm_yday:03d}"),
    "H": Directive(r"[0-9]{2}", lambda t: f"{t.hour:02d}"),
    "M": Directive(r"[0-9]{2}", lambda t: f"{t.minute:02d}"),
    "S": Directive(r"[0-9]{2}", lambda t: f"{t.second:02d}"),
    "f": Directive(r"[0-9]{6}", lambda t: f"{t.microsecond:06d}"),
    "z": Directive(r"[+-][0-9]{4}", lambda t: t.strftime("%z")),
}


@dataclass(frozen=True, slots=True)
class Format:
    """A parsed spec: `type` is that of the values it reads, `regex` what their text looks like."""

    spec: str
    type: str
    regex: str
    write: Callable[[Any], str]
    read: Callable[[str], Value]


@lru_cache(maxsize=1024)
def format_of(spec: str) -> Format:
    """Parse `spec`; DefinitionError if it is not one of ours."""
    if not spec:
        return Format("", "str", "[^/]+?", plain_text, str)
    if "%" in spec:
        return _time_format(spec)
    if re.fullmatch(r"(0[0-9]{1,3})?d", spec):
        return Format(spec, "int", r"-?[0-9]+?", _writer(spec, int), int)
    if re.fullmatch(r"([0-9]{1,3})?(\.[0-9]{1,2})?[fge]", spec):
        number = r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
        return Format(spec, "float", number, _writer(spec, float), float)
    if re.fullmatch(r"[<>^]?[0-9]{1,3}s?", spec):
        return Format(spec, "str", "[^/]+?", _writer(spec, str), str.strip)
    raise DefinitionError(
        f"the format {spec!r} is not known; use 05d for whole numbers, .3f .3g or .3e for numbers, "
        "a width such as >8 for text, or a time such as %Y%m%d_%H%M%S"
    )


def plain_text(value: Any) -> str:
    """Write a value that has no spec."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return iso(value) if isinstance(value, datetime) else str(value)


def _writer(spec: str, kind: type) -> Callable[[Any], str]:
    wanted = {int: "a whole number", float: "a number", str: "text"}[kind]
    accepted = (int, float) if kind is float else (kind,)

    def write(value: Any) -> str:
        if value.__class__ is kind:
            return format(value, spec)
        if not isinstance(value, accepted) or isinstance(value, bool):
            raise DefinitionError(f"the format {spec!r} wants {wanted}, not {value!r}")
        try:
            return format(value, spec)
        except OverflowError:
            raise DefinitionError(f"the format {spec!r} has no room for so large a number") from None

    return write


def time_parts(spec: str) -> list[tuple[str, str]]:
    """Cut a time spec into ("text", …) and ("%", letter) parts."""
    parts: list[tuple[str, str]] = []
    for text, letter in re.findall(r"([^%]+)|%(.?)", spec, re.DOTALL):
        if letter == "%" or text:
            parts.append(("text", text or "%"))
        elif letter in DIRECTIVES:
            parts.append(("%", letter))
        else:
            raise DefinitionError(
                f"%{letter} in the time {spec!r} is not known; use one of %{' %'.join(DIRECTIVES)}"
            )
    return parts


def time_components(spec: str) -> Callable[[str], dict[str, str]]:
    """Return the function that cuts a text written by `spec` into its components by letter."""
    parts = time_parts(spec)
    letters = [letter for kind, letter in parts if kind == "%"]
    find = re.compile("".join(_component(kind, text) for kind, text in parts)).fullmatch

    def cut(text: str) -> dict[str, str]:
        match = find(text)
        if not match:
            raise ValueError(f"{text!r} is not a time like {spec}")
        return dict(zip(letters, match.groups(), strict=True))

    return cut


def _component(kind: str, text: str) -> str:
    return f"({DIRECTIVES[text].regex})" if kind == "%" else re.escape(text)


def time_from(components: Mapping[str, str]) -> datetime:
    """Put a moment together from components by letter; its zone is kept, UTC if there is none.

    Raises ValueError for what is no moment between the years 1 and 9999 of UTC.
    """
    try:
        moment = _moment(components)
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the years 1 to 9999") from None
    return moment


def _moment(components: Mapping[str, str]) -> datetime:
    get = components.get
    year = int(get("Y") or _century(get("y", "")))
    zone = UTC if "z" not in components else _zone(components["z"])
    if "j" in components:
        first = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=int(components["j"]) - 1)
        month, day = first.month, first.day
    else:
        month = int(get("m") or 0) or (MONTHS.index(components["b"]) + 1 if "b" in components else 1)
        day = int(get("d") or 1)
    clock = (int(get("H") or 0), int(get("M") or 0), int(get("S") or 0), int(get("f") or 0))
    return datetime(year, month, day, *clock, tzinfo=zone)


def _century(two_digits: str) -> str:
    if not two_digits:
        raise ValueError("a time without its year")
    # POSIX: 69-99 are of the last century.
    return f"{'19' if int(two_digits) >= 69 else '20'}{two_digits}"


def iso_reader(spec: str) -> Callable[[str], str] | None:
    """Return a fast function from a text that has the shape of `spec` to ISO text; None for what needs `time_from`.

    Only for directives of fixed width that stand once: what they read is then written the same.
    """
    places: dict[str, slice] = {}
    end = 0
    for kind, text in time_parts(spec):
        start, end = end, end + (len(text) if kind == "text" else 4 if text == "Y" else 2)
        if kind == "%":
            if text not in "YmdHMS" or text in places:
                return None
            places[text] = slice(start, end)
    if "Y" not in places:
        return None
    # What is not written is taken from this text behind it: 01 for month and day, 00 for the clock.
    one, nought = slice(end, end + 2), slice(end + 2, end + 4)
    y, m, d = places["Y"], places.get("m", one), places.get("d", one)
    hour, minute, second = (places.get(letter, nought) for letter in "HMS")

    def read(text: str) -> str:
        text += "0100"
        written = f"{text[y]}-{text[m]}-{text[d]}T{text[hour]}:{text[minute]}:{text[second]}"
        _valid(written)
        return written + "Z"

    return read


_valid = datetime.fromisoformat


def _zone(text: str) -> timezone:
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return timezone(-offset if text[0] == "-" else offset)


def _time_format(spec: str) -> Format:
    parts = time_parts(spec)
    regex = "".join(
        f"(?:{DIRECTIVES[text].regex})" if kind == "%" else re.escape(text) for kind, text in parts
    )
    writers = [DIRECTIVES[text].write if kind == "%" else text for kind, text in parts]
    cut = time_components(spec)

    quick = _iso_writer(parts)

    def write(value: Any) -> str:
        if quick is not None and value.__class__ is str and len(value) == ISO_LENGTH and value[-1] == "Z":
            return quick(value)
        moment = moment_of(value, spec)
        return "".join([part if isinstance(part, str) else part(moment) for part in writers])

    return Format(spec, "datetime", regex, write, lambda text: time_from(cut(text)))


ISO_LENGTH = len("2020-01-17T22:15:00Z")
ISO_PLACES = {"Y": (0, 4), "m": (5, 7), "d": (8, 10), "H": (11, 13), "M": (14, 16), "S": (17, 19)}


def _iso_writer(parts: list[tuple[str, str]]) -> Callable[[str], str] | None:
    """Return a fast function from our own ISO text, by position; None for what needs a moment."""
    if any(kind == "%" and text not in ISO_PLACES for kind, text in parts):
        return None
    literal = "".join("%s" if kind == "%" else text.replace("%", "%%") for kind, text in parts)
    places = [slice(*ISO_PLACES[text]) for kind, text in parts if kind == "%"]

    def write(text: str) -> str:
        try:
            _valid(text)
        except ValueError:
            raise DefinitionError(f"the format of a time is for times, not {text!r}") from None
        return literal % tuple([text[place] for place in places])

    return write


def moment_of(value: Any, spec: str) -> datetime:
    """Return `value` as a moment; ISO text is read."""
    if isinstance(value, datetime):
        return value
    try:
        return from_iso(value)
    except (TypeError, ValueError):
        raise DefinitionError(f"the format {spec!r} wants a time, not {value!r}") from None
