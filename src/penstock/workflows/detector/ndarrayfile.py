"""Arrays as text, as LCLS keeps calibration constants: a header of `#` lines, then the rows of the last axis."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.detector.faults import Unreadable

HEADER = ("DTYPE", "NDIM", "DIM:")


def text_of(array: NDArray[Any], about: Mapping[str, Any], *, digits: int = 3) -> bytes:
    """Write an array of any shape; `about` becomes lines of the header, a name and a value each.

    Integers are written whole, floats with so many `digits` after the point.

    >>> print(text_of(np.array([[1, 2]], np.uint16), {"RUN": 59}).decode(), end="")
    # RUN         59
    <BLANKLINE>
    # DTYPE       uint16
    # NDIM        2
    # DIM:0       1
    # DIM:1       2
    <BLANKLINE>
    1 2
    """
    lines = [f"# {name:<11} {_one_line(value)}".rstrip() for name, value in about.items()] + [""]
    lines += [f"# DTYPE       {array.dtype}", f"# NDIM        {array.ndim}"]
    lines += [f"# DIM:{i}       {size}" for i, size in enumerate(array.shape)]
    made = io.StringIO("\n".join([*lines, "", ""]))
    made.seek(0, io.SEEK_END)
    form = "%d" if array.dtype.kind in "iub" else f"%.{digits}f"
    np.savetxt(made, array.reshape(-1, array.shape[-1]), fmt=form)
    return made.getvalue().encode()


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


def read_text(path: Path) -> tuple[NDArray[Any], dict[str, str]]:
    """Read an array that is kept as text, with its header. Raises Unreadable if it is none.

    A file whose header has no shape (older ones had none) is taken as rows and columns.
    """
    text = path.read_text("utf-8", errors="replace")
    about = dict(_header(text))
    try:
        values = np.loadtxt(io.StringIO(text), dtype=np.float64, comments="#", ndmin=2)
        kind = np.dtype(about.get("DTYPE", np.float64))
        shape = _shape(about) or values.shape
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"{path} holds no array as text: {error}") from error
    if values.size != math.prod(shape):
        raise Unreadable(f"{path} has {values.size} values; its header says {shape}")
    if kind.kind in "iu" and not np.array_equal(values, values.astype(kind)):
        raise Unreadable(f"{path} has values that are no {kind}, which its header says they are")
    return values.astype(kind).reshape(shape), about


def _header(text: str) -> list[tuple[str, str]]:
    lines = (line[1:].split(None, 1) for line in text.splitlines() if line.startswith("#"))
    return [(words[0], words[1].strip() if len(words) > 1 else "") for words in lines if words]


def _shape(about: Mapping[str, str]) -> tuple[int, ...]:
    """Give the shape; dimensions are counted from 0, or from 1."""
    if "NDIM" not in about:
        return ()
    count = int(about["NDIM"])
    first = 0 if "DIM:0" in about else 1
    return tuple(int(about[f"DIM:{i}"]) for i in range(first, first + count))
