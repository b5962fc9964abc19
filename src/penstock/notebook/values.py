"""Values that functions take from a notebook, as Python text: what a person could have typed, and arrays beside it."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import PurePath
from typing import Any, NamedTuple, cast

from penstock.display import show_bytes

MOST_TEXT = 100_000  # characters
MOST_BYTES = 16 << 20  # of an array


class Unwritable(Exception):
    """A value that does not travel, and why."""


class Unpickled(Unwritable):
    """A value that would travel as a pickle, which nobody asked for."""


class Written(NamedTuple):
    """An expression, the imports that it needs, and files beside the module."""

    text: str
    imports: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = {}


@dataclass
class Writing:
    """What the expression of a value needs: imports, and the files of arrays, which are called after its name."""

    name: str
    imports: set[str] = field(default_factory=set[str])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])


def write(value: Any, name: str) -> Written:
    """Write a value as an expression; `name` is for the files of arrays. Raises Unwritable.

    >>> write({"cut": 0.5, "bands": (1, 2)}, "options").text
    "{'cut': 0.5, 'bands': (1, 2)}"
    """
    writing = Writing(name)
    try:
        text = literal(value, writing)
    except Unpickled as why:
        raise Unwritable(f"{why}, or let it go as a pickle with `pickled=[{name!r}]`") from None
    except RecursionError:
        raise Unwritable("has itself in it; make it in the function") from None
    if len(text) > MOST_TEXT:
        raise Unwritable(
            f"has {len(text):,} characters when it is written down, and {MOST_TEXT:,} are the most"
        )
    return Written(text, frozenset(writing.imports), writing.files)


def literal(value: Any, writing: Writing) -> str:
    """Return the expression of a value, and note what it needs."""
    kind: Any = value.__class__
    if kind in SIMPLE:
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f"float({str(value)!r})"
    if kind in GROUPED:
        return grouped(value, writing)
    if isinstance(value, PurePath):
        writing.imports.add("import pathlib")
        return f"pathlib.Path({str(value)!r})"
    if kind in (datetime, date, timedelta):
        if kind is datetime and value.tzinfo is not None:
            raise Unwritable("is a time with a zone; write it as a text in ISO format")
        writing.imports.add("import datetime")
        return repr(value)
    if kind in SPELLED:
        writing.imports.add(f"import {SPELLED[kind][0]}")
        return SPELLED[kind][1](value)
    if is_array(value):
        return array(value, writing)
    if hasattr(value, "dtype") and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return scalar(value, writing)
    raise why_not(value)


def grouped(value: Any, writing: Writing) -> str:
    """Write what has other values in it; one of them that cannot be written is said to be in it."""
    try:
        return GROUPED[value.__class__](value, writing)
    except Unwritable as why:
        raise type(why)(str(why).replace("is ", "has in it ", 1)) from None


def listed(values: Any, writing: Writing) -> str:
    return ", ".join(literal(one, writing) for one in values)


def in_order(values: Any, writing: Writing) -> str:
    """Sets have another order in every process."""
    return ", ".join(sorted(literal(one, writing) for one in values))


def pairs(values: Any, writing: Writing) -> str:
    written = (f"{literal(key, writing)}: {literal(one, writing)}" for key, one in values.items())
    return ", ".join(written)


SIMPLE = (type(None), bool, int, str, bytes, complex, range, type(...))
GROUPED: Mapping[type, Callable[[Any, Writing], str]] = {
    list: lambda value, writing: f"[{listed(value, writing)}]",
    tuple: lambda value, writing: f"({listed(value, writing)}{',' * (len(value) == 1)})",
    set: lambda value, writing: f"{{{in_order(value, writing)}}}" if value else "set()",
    frozenset: lambda value, writing: f"frozenset([{in_order(value, writing)}])",
    dict: lambda value, writing: f"{{{pairs(value, writing)}}}",
}
# The module that makes it again, and how.
SPELLED: Mapping[type, tuple[str, Callable[[Any], str]]] = {
    re.Pattern: ("re", lambda value: f"re.compile({value.pattern!r}, {int(value.flags)})"),
    logging.Logger: ("logging", lambda value: f"logging.getLogger({value.name!r})"),
}


def scalar(value: Any, writing: Writing) -> str:
    """Write one number of numpy's with its type."""
    if value.dtype.kind not in "biufc":
        raise Unwritable(f"is a {type(value).__name__} of numpy; write it as a text")
    writing.imports.add("import numpy")
    return f"numpy.dtype({value.dtype.name!r}).type({literal(value.item(), writing)})"


def is_array(value: Any) -> bool:
    """Whether it is an array of numpy's, which may never have been imported here."""
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def array(value: Any, writing: Writing) -> str:
    """Write an array as a `.npy` file, called by what it holds."""
    import numpy as np

    array = cast("np.ndarray[Any, Any]", value)
    if array.dtype.hasobject:
        raise Unwritable("is an array of Python objects; give it a dtype of numbers or texts")
    if array.nbytes > MOST_BYTES:
        raise Unwritable(
            f"is an array of {show_bytes(array.nbytes)}, and {show_bytes(MOST_BYTES)} are the most"
        )
    held = io.BytesIO()
    np.save(held, array, allow_pickle=False)
    content = held.getvalue()
    file = f"{writing.name}_{hashlib.sha256(content).hexdigest()[:12]}.npy"
    writing.files[file] = content
    writing.imports |= {"import numpy", "import pathlib"}
    return f"numpy.load(pathlib.Path(__file__).with_name({file!r}))"


def is_open(value: Any) -> bool:
    """Whether it is a file, a lock or a connection, which this process alone has."""
    kind: Any = value.__class__
    return any(hasattr(kind, name) for name in ("fileno", "acquire", "cursor", "__exit__")) or (
        hasattr(kind, "fetchone") and hasattr(kind, "close")
    )


def why_not(value: Any) -> Unwritable:
    """Say what a value is that does not travel, and what to do in place of that."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    if is_open(value):
        return Unwritable(
            f"is an open {kind}, which means nothing in another process; open it in the function"
        )
    if hasattr(value, "to_csv"):
        return Unwritable(
            f"is a {kind}; write it to a file, name that in `needs`, and read it in the function"
        )
    return Unpickled(
        f"is a {kind}, which cannot be written down; make it in the function, put it in a module"
    )
