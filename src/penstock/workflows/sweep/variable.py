"""A variable of a program: its type, what it may be, and how it is written."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from penstock.errors import DefinitionError
from penstock.units.formats import format_of
from penstock.workflows.sweep.place import Place
from penstock.workflows.sweep.value import Typed, Value, number, real, shown, whole, words

TYPES = ("int", "float", "str", "bool", "choice", "path_with_int")
NUMERIC = frozenset({"int", "float", "path_with_int"})
DOUBLE = "d0"
"""The format of Fortran's double precision: 0.5d0, 1d-07."""

#: key → whether a value keeps to it, and how that is said
BOUNDS: dict[str, tuple[Callable[[Decimal, Decimal], bool], str]] = {
    "min": (operator.ge, "at least"),
    "above": (operator.gt, "above"),
    "max": (operator.le, "at most"),
    "below": (operator.lt, "below"),
}


class Bound(NamedTuple):
    """An end of what is allowed; `word` says which, and whether it is itself allowed."""

    word: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable; `around` is the text before and after the number of a `path_with_int`."""

    name: str
    type: str
    default: Value | None = None
    unit: str = ""
    help: str = ""
    bounds: tuple[Bound, ...] = ()
    choices: tuple[Value, ...] = ()
    truths: tuple[str, str] = ("true", "false")
    format: str = ""
    around: tuple[str, str] = ("", "")
    places: tuple[Place, ...] = ()

    @property
    def quoted(self) -> bool:
        """Whether formats that quote text quote its values."""
        return self.type in ("str", "choice", "path_with_int")

    @property
    def plain_type(self) -> str:
        """The type of its values in a table: `int`, `float`, `bool` or `str`."""
        return {"path_with_int": "int", "choice": "str"}.get(self.type, self.type)

    def read(self, given: object) -> Value:
        """Read a value that a person typed and check it. Raises ValueError."""
        value = self.parse(given)
        for bound in self.bounds:
            keeps, said = BOUNDS[bound.word]
            if not keeps(Decimal(value.identity), Decimal(bound.value.identity)):
                raise ValueError(f"{value.text} is not {said} {bound.value.text}")
        if self.choices and value.identity not in {choice.identity for choice in self.choices}:
            raise ValueError(f"{shown(value.text)} is not one of {', '.join(c.text for c in self.choices)}")
        return value

    def parse(self, given: object) -> Value:
        """Read a value of its type, whatever it may be. Raises ValueError."""
        if self.type == "bool":
            return self._truth(given)
        if isinstance(given, bool) or not isinstance(given, (int, str)):
            raise ValueError(f"{shown(str(given))} is not {NOUNS[self.type]}")
        text = str(given)
        if isinstance(given, Typed):
            text = text.replace("_", "")
        match self.type:
            case "int":
                return whole(text)
            case "float":
                return real(text)
            case "path_with_int":
                before, after = self.around
                return whole(text.removeprefix(before).removesuffix(after))
            case _:
                return words(text)

    def _truth(self, given: object) -> Value:
        known = {"true": True, "false": False, self.truths[0]: True, self.truths[1]: False}
        text = str(given).lower() if isinstance(given, bool) else str(given)
        if text not in known:
            raise ValueError(f"{shown(text)} is not true or false")
        text = "true" if known[text] else "false"
        return Value(text, known[text], text)

    def write(self, value: Value) -> str:
        """Write a value as the program reads it: as it was typed, unless the variable has a format."""
        if self.type == "bool":
            return self.truths[0 if value.plain else 1]
        text = value.text
        if self.format == DOUBLE:
            text = as_double(text)
        elif self.format:
            text = format_of(self.format).write(value.plain)
        return self.around[0] + text + self.around[1] if self.type == "path_with_int" else text

    def describe_allowed(self) -> str:
        """Write what it may be; empty if that is anything of its type."""
        if self.type == "bool":
            return "true, false"
        if self.choices:
            return ", ".join(choice.text for choice in self.choices)
        return ", ".join(f"{BOUNDS[bound.word][1]} {bound.value.text}" for bound in self.bounds)

    def every(self) -> tuple[Value, ...]:
        """Return all that it may be, if it has choices or is a bool. Raises ValueError."""
        if self.type == "bool":
            return tuple(map(self.read, (False, True)))
        if not self.choices:
            raise ValueError(f"{self.name} has no choices; list its values")
        return self.choices


NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "choice": "text",
    "path_with_int": "a whole number",
}


def as_double(text: str) -> str:
    """Write a number as Fortran's double precision.

    >>> as_double("1E-07"), as_double("0.5")
    ('1d-07', '0.5d0')
    """
    number(text)
    mantissa, exponent = (*re.split("[eEdD]", text), "0")[:2]
    return f"{mantissa}d{exponent}"


def around(path: str) -> tuple[str, str]:
    """Split a path at its last whole number. Raises ValueError if it has none.

    >>> around("./seed/25")
    ('./seed/', '')
    """
    found = re.fullmatch(r"(.*?)([0-9]+)([^0-9]*)", path, re.DOTALL)
    if not found:
        raise ValueError(f"{shown(path)} has no whole number in it")
    return found[1], found[3]


def check_format(spec: str, type_name: str) -> None:
    """Raise ValueError if values of a type cannot be written so."""
    fitting = {"float": ("float",), "int": ("int", "float"), "path_with_int": ("int",)}.get(
        type_name, ("str",)
    )
    try:
        fits = type_name == "float" if spec == DOUBLE else format_of(spec).type in fitting
    except DefinitionError as error:
        raise ValueError(f"{error.message}, or {DOUBLE} for Fortran's double precision") from None
    if spec and not fits:
        raise ValueError(f"the format {spec!r} does not write {NOUNS[type_name]}")
