"""Units from a Python generator of dicts: the levels' values, and any fields beside."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from penstock.campaign import Campaign, FunctionSource
from penstock.errors import DefinitionError
from penstock.functions import Folder, InFile, find_function
from penstock.sources.fingerprints import fingerprint_of
from penstock.sources.found import Found, Problem, ScanState, Shape
from penstock.units import Value, iso, read_value, show_key


def scan_function(source: FunctionSource, campaign: Campaign, state: ScanState) -> Iterator[Found]:
    """Yield a unit for each dict that the function gives; wrong ones, and errors that it gives, go to `state.problems`.

    Raises DefinitionError if the function itself fails.
    """
    function = import_function(source.function, campaign.root)
    shape = Shape.of(source, campaign)
    seen: set[tuple[Value, ...]] = set()
    for given in _call(function, source, campaign):
        if isinstance(given, DefinitionError):  # about what has no unit, while others have
            state.problems.append(Problem(source.function, str(given)))
            continue
        try:
            values = _plain(given, source)
            json.dumps(values, allow_nan=False, ensure_ascii=False).encode()
            key = shape.split(values)
        except (KeyError, TypeError, ValueError) as error:
            why = f"gave {_shortened(given)}, which is not a unit: {_reason(error)}"
            state.problems.append(Problem(source.function, why))
            continue
        before = len(seen)
        seen.add(key)
        if len(seen) == before:
            shown = show_key(key, campaign.levels, campaign.formats)
            why = f"gave the key {shown} twice; keys name one unit each, and the first stands"
            state.problems.append(Problem(source.function, why))
            continue
        paths = [values["path"]] if "path" in values else values.get("paths", [])
        yield Found(source.level, key, values, fingerprint_of(campaign.root, paths))


def _shortened(given: Any) -> str:
    try:
        text = repr(given)
    except Exception as error:
        return f"what cannot be shown ({type(error).__name__})"
    return text if len(text) <= 200 else f"{text[:200]}…"


def import_function(reference: str, root: Path) -> Callable[..., Any]:
    """Import `module:function`; modules in the campaign's folder come first."""
    function = find_function(reference, Folder(root))
    if isinstance(function, InFile):
        _forget_others(function.module, root)
    try:
        with _first_on_path(root):
            module = importlib.import_module(function.module)
        return getattr(module, function.name)
    except Exception as error:  # whatever the module does when it is imported
        raise DefinitionError(f"the function {reference!r} cannot be imported: {error}") from error


def _forget_others(module: str, root: Path) -> None:
    """Forget the modules of another campaign in this process that have this one's name, or are of its package."""
    package = module.partition(".")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if not Path(file).is_relative_to(root):
            del sys.modules[name]


@contextmanager
def _first_on_path(root: Path) -> Generator[None]:
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))


def _call(function: Callable[..., Any], source: FunctionSource, campaign: Campaign) -> Iterator[Any]:
    """Yield what the function gives; whatever it raises is reported as its own."""
    try:
        wants_campaign = bool(inspect.signature(function).parameters)
        yield from function(campaign) if wants_campaign else function()
    except Exception as error:
        raise DefinitionError(f"{source.function} fails: {type(error).__name__}: {error}") from error


def _plain(given: Any, source: FunctionSource) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise TypeError("a unit is a dict of its levels' values and fields")
    values: dict[str, Any] = {
        str(name): _json_able(value) for name, value in cast("Mapping[Any, Any]", given).items()
    }
    for name, kind in source.types.items():
        if isinstance(values.get(name), str):
            values[name] = _json_able(read_value(values[name], kind))
    return values


def _json_able(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return os.fspath(cast("os.PathLike[str]", value)) if isinstance(value, os.PathLike) else value


def _reason(error: Exception) -> str:
    return f"it has no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
