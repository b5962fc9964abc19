"""Values of keys and fields: their types, their text, and the forms that specs give them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from penstock.errors import DefinitionError

FAN = "fan"
"""The placeholder that spreads products over 256 folders."""

Value = str | int | float | bool | datetime

TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
IMPOSSIBLE = frozenset(("", ".", ".."))


def iso(moment: datetime) -> str:
    """Write `moment` as ISO text in UTC with a Z: `2020-01-17T22:15:00Z`."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return text + "Z"


def from_iso(text: str) -> datetime:
    """Read ISO text; without a zone it is taken as UTC. Raises ValueError if it is no moment."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the years 1 to 9999") from None


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{value!r} cannot be part of a key")


_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain, check_circular=False
).encode
_encode_field = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode

#: how the commonest values are written, which spares them the way through an encoder
_WRITERS: Mapping[type, Callable[[Any], str]] = {str: encode_basestring, int: int.__repr__}


def canonical(values: Iterable[Value]) -> str:
    """Write a key as its identity, compact JSON; `[]` is the campaign.

    >>> canonical(("2020-01-17", 1807))
    '["2020-01-17",1807]'
    """
    return "[" + ",".join([_WRITERS.get(value.__class__, _encode)(value) for value in values]) + "]"


def identities(key: Iterable[Value]) -> list[str]:
    """Write the identities of the groups above a key, from the coarsest, and its own.

    >>> identities(("2020-01-17", 1807))
    ['["2020-01-17"]', '["2020-01-17",1807]']
    """
    text, found = "[", list[str]()
    for value in key:
        text += _WRITERS.get(value.__class__, _encode)(value)
        found.append(text + "]")
        text += ","
    return found


def compact(fields: Mapping[str, Any]) -> str:
    """Write the fields of a unit as compact JSON.

    >>> compact({"path": "a.wav", "size": 7})
    '{"path":"a.wav","size":7}'
    """
    write, quote = _WRITERS.get, encode_basestring
    return (
        "{"
        + ",".join([f"{quote(n)}:{write(v.__class__, _encode_field)(v)}" for n, v in fields.items()])
        + "}"
    )


def fan(key: Iterable[Value]) -> str:
    """Return what `{fan}` is for a key: the first two hex digits of the SHA-256 of its canonical text in UTF-8.

    It spreads products over 256 folders. It is part of the names of products, so it never changes.

    >>> fan(("2020-01-17", 1807))
    '4a'
    """
    from hashlib import sha256

    return sha256(canonical(key).encode()).hexdigest()[:2]


def escape(text: str) -> str:
    """Make `text` one part of a path, reversibly: `/`, `%` and newlines become %2F, %25 and %0A."""
    if "%" in text:
        text = text.replace("%", "%25")
    if "/" in text:
        text = text.replace("/", "%2F")
    return text.replace("\n", "%0A") if "\n" in text else text


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("%0A", "\n").replace("%2F", "/").replace("%25", "%")


_WHOLE = re.compile(r" *(-?[0-9]+) *").fullmatch
_NUMBER = re.compile(r" *([+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?) *").fullmatch


def whole(text: str) -> int:
    """Read a whole number, `-?[0-9]+`: Python alone would also take `1_1` and the digits of every script."""
    if text.isascii() and text.isdigit():  # nearly always, and quicker
        return int(text)
    if found := _WHOLE(text):
        return int(found[1])
    raise ValueError(text)


def number(text: str) -> float:
    """Read a number as TOML writes it, without `_`; one that is not finite is none."""
    found = _NUMBER(text)
    if found and isfinite(read := float(found[1])):
        return read
    raise ValueError(text)


def read_value(text: str, type_name: str) -> Value:
    """Read `text` as an "int", "float", "bool", "datetime" or "str"; ValueError says what is wrong."""
    if type_name == "str":
        return text
    try:
        return READERS[type_name](text)
    except (ValueError, KeyError):
        raise ValueError(f"{_shortened(text)!r} is not {NOUNS[type_name]}") from None


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


READERS: Mapping[str, Callable[[str], Value]] = {
    "int": whole,
    "float": number,
    "bool": lambda text: TRUTHS[text.strip().lower()],
    "datetime": from_iso,
    "str": str,
}
NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "datetime": "a time such as 2020-01-17T22:15:00Z",
    "str": "text",
}


def name_part(value: str) -> str:
    """Return `value` as a part of a path; DefinitionError for what no file can be called."""
    if value in IMPOSSIBLE or "\0" in value:
        raise DefinitionError(f"the value {value!r} cannot be part of a path; give the unit another name")
    return escape(value)
