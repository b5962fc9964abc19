"""An axis of a sweep: a variable and the values that it takes, as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from penstock.errors import DefinitionError
from penstock.units import Expression
from penstock.workflows.sweep import ranges
from penstock.workflows.sweep.value import Typed, Value, number, shown
from penstock.workflows.sweep.variable import Variable

EVERY = "all"
_LIKE_A_RANGE = re.compile(r"[\d.]+ *(:|\.\.|to|by) *[\d.]+").match
_SPAN = re.compile(r"\s*(-?[0-9]+)\s*\.\.\s*(-?[0-9]+)\s*").fullmatch

Ends = Callable[[str], str]
"""Turns a text that is no number into one: in a nested sweep an expression over the variables before."""


class Axis(NamedTuple):
    """A variable and its values, each once."""

    variable: Variable
    values: tuple[Value, ...]


class Extent(NamedTuple):
    """From where to where a variable is drawn; of one with `values`, one of these is."""

    variable: Variable
    low: Value | None
    high: Value | None
    logarithmic: bool = False
    values: tuple[Value, ...] = ()


def list_values(variable: Variable, given: object, ends: Ends | None = None) -> Axis:
    """Read the values of an axis: a list, a range, `"1..5"`, or `"all"`. Raises ValueError.

    A range is `{ start, stop, step }`, or with `count` in place of `step`, and `scale = "log"`.
    """
    if isinstance(given, Mapping):
        texts: Sequence[object] = _range(cast("Mapping[str, Any]", given), ends or _no_number)
    elif isinstance(given, list):
        texts = cast("list[object]", given)
    elif isinstance(given, str) and (span := _SPAN(given)):
        texts = ranges.stepped(span[1], span[2], "1")
    elif given == EVERY:
        return Axis(variable, variable.every())
    else:
        raise ValueError(f'{given!r} is neither a list, nor a range, nor "all"; one value belongs into [set]')
    if not texts:
        raise ValueError("the list is empty; give at least one value")
    return Axis(variable, distinct(variable, [read_one(variable, text) for text in texts]))


def read_one(variable: Variable, text: object) -> Value:
    """Read one value of a list; raises ValueError, which explains ranges where one was meant."""
    try:
        return variable.read(text)
    except ValueError as error:
        if isinstance(text, str) and _LIKE_A_RANGE(text):
            example = "{ start = 0.1, stop = 2, step = 0.1 }"
            raise ValueError(f"{error}; a range is written {example}, without brackets") from None
        raise


def distinct(variable: Variable, values: Sequence[Value]) -> tuple[Value, ...]:
    """Return the values; ValueError if two are the same, or are written the same way."""
    if twins := _twins(values, [value.identity for value in values]):
        raise ValueError(f"{twins[0]} and {twins[1]} are the same value; remove one")
    written = [variable.write(value) for value in values]
    if twins := _twins(values, written):
        raise ValueError(f"{twins[0]} and {twins[1]} are written the same, {twins[2]}; change the format")
    return tuple(values)


def _twins(values: Sequence[Value], texts: Sequence[str]) -> tuple[str, str, str] | None:
    """Return two values that have the same text, and that."""
    known = dict[str, Value]()
    for value, text in zip(values, texts, strict=True):
        first = known.setdefault(text, value)
        if first is not value:
            return shown(first.text), shown(value.text), text
    return None


def _no_number(text: str) -> str:
    raise ValueError(f"{shown(text)} is not a number; only a nested sweep takes expressions")


def _range(given: Mapping[str, Any], ends: Ends) -> list[str]:
    _refuse_unknown(given, ("start", "stop", "step", "count", "scale"))
    start, stop = _end(given, "start", ends), _end(given, "stop", ends)
    scale = given.get("scale", "linear")
    if ("step" in given) == ("count" in given):
        raise ValueError("a range has a start, a stop, and either a step or a count")
    if scale not in ("linear", "log") or (scale == "log" and "step" in given):
        raise ValueError('the scale of a range is "linear", or "log" with a count')
    if "step" in given:
        return ranges.stepped(start, stop, _end(given, "step", ends))
    count = given["count"]
    if not isinstance(count, int) or isinstance(count, bool):
        raise ValueError(f"the count is a whole number, not {count!r}")
    return (ranges.logarithmic if scale == "log" else ranges.counted)(start, stop, count)


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str]) -> None:
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is unknown in a range; there are {', '.join(known)}")


def _end(given: Mapping[str, Any], key: str, ends: Ends) -> str:
    value = given.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"a range has no {key}" if value is None else f"{key} is a number, not {value!r}")
    text = str(value).replace("_", "") if isinstance(value, Typed) else str(value)
    try:
        number(text)
    except ValueError:
        return ends(text)
    return text


def read_extent(variable: Variable, given: object) -> Extent:
    """Read from where to where a variable is drawn: `{ low, high }`, or a list to choose from. Raises ValueError."""
    if not isinstance(given, Mapping):
        return Extent(variable, None, None, values=list_values(variable, given).values)
    table = cast("Mapping[str, Any]", given)
    _refuse_unknown(table, ("low", "high", "scale"))
    low, high = (variable.read(_end(table, key, _no_number)) for key in ("low", "high"))
    scale = table.get("scale", "linear")
    if variable.type not in ("int", "float", "path_with_int") or scale not in ("linear", "log"):
        raise ValueError('numbers are drawn with the scale "linear" or "log"; of others, list what there is')
    if not number(low.text) < number(high.text) or (scale == "log" and number(low.text) <= 0):
        raise ValueError(f"nothing can be drawn between {low.text} and {high.text} on a {scale} scale")
    return Extent(variable, low, high, scale == "log")


def computed_end(expression: Expression, values: Mapping[str, Any]) -> str:
    """Work an end of a range out. Raises ValueError."""
    try:
        return text_of(expression.evaluate(values))
    except DefinitionError as error:
        raise ValueError(error.message) from None


def text_of(computed: Any) -> str:
    """Write what an expression gave: floats so that they read back the same. Raises ValueError."""
    if isinstance(computed, (bool, int, str)):
        return str(computed).lower() if isinstance(computed, bool) else str(computed)
    if isinstance(computed, float):
        return repr(computed)
    raise ValueError(f"the expression gives {computed!r}, which is no value")
