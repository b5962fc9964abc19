"""What the parameters of the stages mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from penstock.errors import DefinitionError
from penstock.workflows.tracking.dividing import Windows
from penstock.workflows.tracking.inference import Settings
from penstock.workflows.tracking.regions import LABEL
from penstock.workflows.tracking.tessellation import Tessellation
from penstock.workflows.tracking.units import Scales

OF_SCALES = ("pixel_size", "frame_interval", "length", "time")
WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*").fullmatch
OF_WINDOWS = ("window", "shift")
SUPPORTS = ("own", "shared")


@dataclass(frozen=True, slots=True)
class Loading:
    """How files are read, and what of them is used: `link`, `side` in µm, `max_gap` in s; see `reading` and `dividing`.

    Regions that overlap have supports of their `own`, or a `shared` one.
    """

    scales: Scales = field(default_factory=Scales)
    columns: tuple[str, ...] = ()
    link: float | None = None
    max_gap: float | None = None
    regions: tuple[str, ...] = (LABEL,)  # labels of the files of regions beside the data
    side: float | None = None
    support: str = "own"
    windows: Windows | None = None


OWN = tuple(each.name for each in fields(Loading) if each.name not in ("scales", "windows"))


def read_loading(params: Mapping[str, Any]) -> tuple[Loading, Tessellation]:
    """Read the parameters of `tessellate`. Raises DefinitionError, which names the nearest right word."""
    of_cells = [each.name for each in fields(Tessellation)]
    _check_words(params, (*OF_SCALES, *OF_WINDOWS, *OWN, *of_cells), "tessellate")
    given = {name: params[name] for name in OWN if name in params}
    given["columns"] = _names(params.get("columns", ()))
    given["regions"] = read_labels(params.get("regions", LABEL))
    if (support := params.get("support", "own")) not in SUPPORTS:
        raise DefinitionError(f"support = {support!r} is unknown; say {', '.join(SUPPORTS)}")
    scales = Scales(**{name: params[name] for name in OF_SCALES if name in params})
    windows = _windows(params)
    how = Tessellation(**{name: params[name] for name in of_cells if name in params})
    return Loading(scales, windows=windows, **given), how


def read_settings(params: Mapping[str, Any]) -> Settings:
    """Read the parameters of `infer`. Raises DefinitionError, which names the nearest right word."""
    _check_words(params, tuple(each.name for each in fields(Settings)), "infer")
    return Settings(**params)


def read_labels(given: Any) -> tuple[str, ...]:
    """Read the labels of files of regions: one, several, or none, each in words that a file may be named by.

    >>> read_labels("roi"), read_labels([])
    (('roi',), ())
    """
    labels = _names(given)
    for label in labels:
        if not WORD(label):
            raise DefinitionError(
                f"regions = {label!r} cannot be; use letters and digits, as in X-{LABEL}.txt"
            )
    return labels


def _names(columns: Any) -> tuple[str, ...]:
    return tuple(columns.split()) if isinstance(columns, str) else tuple(columns)


def _windows(params: Mapping[str, Any]) -> Windows | None:
    if "window" not in params:
        if "shift" in params:
            raise DefinitionError("shift = … is of windows in time; give their duration, window, in s")
        return None
    return Windows(params["window"], params.get("shift", params["window"]))


def _check_words(params: Mapping[str, Any], known: tuple[str, ...], stage: str) -> None:
    for word in params:
        if word not in known:
            near = get_close_matches(word, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise DefinitionError(f"{word} is no parameter of {stage}; {remedy}")
