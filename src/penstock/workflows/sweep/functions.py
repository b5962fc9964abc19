"""Functions of people that a sweep names as `MODULE:FUNCTION`: in a file of its folder, or installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from penstock.errors import DefinitionError


def load_function(reference: str, folder: Path) -> Callable[..., Any]:
    """Return the function that `MODULE:FUNCTION` means. Raises DefinitionError if there is none."""
    module, _, name = reference.partition(":")
    try:
        function = getattr(_load(module, folder), name, None)
    except ImportError as error:
        raise DefinitionError(f"{reference} cannot be imported: {error}") from error
    if not callable(function):
        raise DefinitionError(f"{module} has no function {name!r}; write 'MODULE:FUNCTION'")
    return cast("Callable[..., Any]", function)


def _load(module: str, folder: Path) -> ModuleType:
    file = folder / f"{module}.py"
    if not file.exists():
        return import_module(module)
    spec = spec_from_file_location(module, file)
    assert spec
    assert spec.loader
    loaded = module_from_spec(spec)
    with _importing_from(folder):
        spec.loader.exec_module(loaded)
    return loaded


@contextmanager
def _importing_from(folder: Path) -> Generator[None]:
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path.pop(0)


def plain_of(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    return value.item() if hasattr(value, "item") else value
