"""Values exactly as people typed them, and what makes two of them the same."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

Plain = bool | int | float | str

NUMBER_TYPES = frozenset({"int", "float"})

_WHOLE = re.compile(r"[+-]?[0-9]+").fullmatch
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search
LONGEST = 1000


class Typed(str):
    """A float of a TOML file as its text: `1E-07` stays `1E-07`."""

    __slots__ = ()


class Value(NamedTuple):
    """A value: the text that was typed, what expressions see, and what is equal for equal values."""

    text: str
    plain: Plain
    identity: str


def number(text: str) -> Decimal:
    """Read a finite decimal number, exactly; an exponent may be Fortran's `d`. Raises ValueError.

    >>> number("1d-7") == number("1E-07")
    True
    """
    if not _NUMBER(text) or len(text) > LONGEST:
        raise ValueError(f"{shown(text)} is not a number")
    usual = text.replace("d", "e").replace("D", "e")
    if not isfinite(float(usual)):
        raise ValueError(f"{shown(text)} is larger than any number of a program")
    return Decimal(usual)


def identity_of(exact: Decimal) -> str:
    """Write a number so that equal numbers have equal texts.

    >>> identity_of(Decimal("0.10")), identity_of(Decimal("1E-1")), identity_of(Decimal("-0.0"))
    ('1e-1', '1e-1', '0')
    """
    sign, digits, exponent = exact.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    if not kept or not isinstance(exponent, int):
        return "0"
    return f"{'-' if sign else ''}{kept}e{exponent + len(text) - len(kept)}"


def whole(text: str) -> Value:
    """Read a whole number, never through a float. Raises ValueError."""
    if not _WHOLE(text) or len(text) > LONGEST:
        raise ValueError(f"{shown(text)} is not a whole number")
    return Value(text, int(text), identity_of(Decimal(text)))


def real(text: str) -> Value:
    """Read a number. Raises ValueError."""
    exact = number(text)
    return Value(text, float(exact), identity_of(exact))


def measured(text: str) -> float:
    """Read what a program wrote: a number, or one of its words for what is none. Raises ValueError.

    >>> measured("1.5d-3"), measured("-Infinity")
    (0.0015, -inf)
    """
    usual = text.strip().lower()
    if usual.lstrip("+-") in ("nan", "inf", "infinity"):
        return float(usual)
    return float(number(text.strip()))


def words(text: str) -> Value:
    """Read text of one line. Raises ValueError."""
    if _CONTROL(text):
        raise ValueError(
            f"{shown(text)} has a line break or another control character; give one line of text"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{shown(text)} is not valid text") from None
    return Value(text, text, text)


def shown(text: str) -> str:
    """Show a text in a message."""
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}…"
