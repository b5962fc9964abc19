"""Values that functions take from a notebook, as Python text: what a person could have typed, and arrays beside it."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Mapping
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


def write(value: Any, name: str) -> Written:
    """Write a value as an expression; `name` is for the file of an array. Raises Unwritable.

    >>> write({"cut": 0.5, "bands": (1, 2)}, "options").text
    "{'cut': 0.5, 'bands': (1, 2)}"
    """
    if is_array(value):
        return write_array(value, name)
    imports = set[str]()
    try:
        text = literal(value, imports)
    except Unpickled as why:
        raise Unwritable(f"{why}, or let it go as a pickle with `pickled=[{name!r}]`") from None
    if len(text) > MOST_TEXT:
        raise Unwritable(
            f"has {len(text):,} characters when it is written down, and {MOST_TEXT:,} are the most"
        )
    return Written(text, frozenset(imports))


def literal(value: Any, imports: set[str]) -> str:
    """Return the expression of a value that is not an array, and note what it needs."""
    kind: Any = value.__class__
    if kind in SIMPLE:
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f"float({str(value)!r})"
    if kind in GROUPED:
        return GROUPED[kind](value, imports)
    if isinstance(value, PurePath):
        imports.add("import pathlib")
        return f"pathlib.Path({str(value)!r})"
    if kind in (datetime, date, timedelta):
        if kind is datetime and value.tzinfo is not None:
            raise Unwritable("is a time with a zone; write it as a text in ISO format")
        imports.add("import datetime")
        return repr(value)
    if hasattr(value, "dtype") and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return scalar(value, imports)
    raise why_not(value)


def listed(values: Any, imports: set[str]) -> str:
    return ", ".join(literal(one, imports) for one in values)


def in_order(values: Any, imports: set[str]) -> str:
    """Sets have another order in every process."""
    return ", ".join(sorted(literal(one, imports) for one in values))


def pairs(values: Any, imports: set[str]) -> str:
    written = (f"{literal(key, imports)}: {literal(one, imports)}" for key, one in values.items())
    return ", ".join(written)


SIMPLE = (type(None), bool, int, str, bytes, complex, range, type(...))
GROUPED: Mapping[type, Callable[[Any, set[str]], str]] = {
    list: lambda value, imports: f"[{listed(value, imports)}]",
    tuple: lambda value, imports: f"({listed(value, imports)}{',' * (len(value) == 1)})",
    set: lambda value, imports: f"{{{in_order(value, imports)}}}" if value else "set()",
    frozenset: lambda value, imports: f"frozenset([{in_order(value, imports)}])",
    dict: lambda value, imports: f"{{{pairs(value, imports)}}}",
}


def scalar(value: Any, imports: set[str]) -> str:
    """Write one number of numpy's with its type."""
    if value.dtype.kind not in "biufc":
        raise Unwritable(f"is a {type(value).__name__} of numpy; write it as a text")
    imports.add("import numpy")
    return f"numpy.dtype({value.dtype.name!r}).type({literal(value.item(), imports)})"


def is_array(value: Any) -> bool:
    """Whether it is an array of numpy's, which may never have been imported here."""
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def write_array(value: Any, name: str) -> Written:
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
    file = f"{name}_{hashlib.sha256(content).hexdigest()[:12]}.npy"
    where = f"pathlib.Path(__file__).with_name({file!r})"
    return Written(f"numpy.load({where})", frozenset(["import numpy", "import pathlib"]), {file: content})


def why_not(value: Any) -> Unwritable:
    """Say what a value is that does not travel, and what to do in place of that."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    if hasattr(value, "fileno") or hasattr(value, "acquire") or hasattr(value, "cursor"):
        return Unwritable(
            f"is an open {kind}, which means nothing in another process; open it in the function"
        )
    if hasattr(value, "to_parquet"):
        return Unwritable(
            f"is a {kind}; write it to a file, name that in `needs`, and read it in the function"
        )
    return Unpickled(
        f"is a {kind}, which cannot be written down; make it in the function, put it in a module"
    )
