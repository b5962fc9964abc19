"""Functions that a definition names as `module:function`: where they are, what they mean, how a runner gets them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from penstock.errors import DefinitionError

REFERENCE = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


@dataclass(frozen=True, slots=True)
class Imported:
    """A function of an installed module."""

    module: str
    name: str

    def meaning(self) -> tuple[str, str]:
        """Return the module and the name from which a digest follows the campaign's own code."""
        return self.module, self.name

    def deliver(self) -> str:
        """Return what a spec tells the runner: an import finds it."""
        return f"{self.module}:{self.name}"


@dataclass(frozen=True, slots=True)
class InFile:
    """A function in a file of the campaign's folder."""

    module: str
    name: str
    file: str

    def meaning(self) -> tuple[str, str]:
        """Return the module and the name from which a digest follows the campaign's own code."""
        return self.module, self.name

    def deliver(self) -> dict[str, str]:
        """Return what a spec tells the runner: an import must find this file, and no module of the same name elsewhere."""
        return {"function": f"{self.module}:{self.name}", "file": self.file}


Function = Imported | InFile


def find_function(reference: str, files: Container[str]) -> Function:
    """Return the function that a reference means where the campaign has these files.

    >>> find_function("lab.fits:fit", ["lab/fits.py"])
    InFile(module='lab.fits', name='fit', file='lab/fits.py')
    >>> find_function("json:loads", [])
    Imported(module='json', name='loads')
    """
    module, _, name = reference.partition(":")
    file = next((file for file in map(str, candidates(module)) if file in files), None)
    return InFile(module, name, file) if file else Imported(module, name)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files that are in a folder now, by their paths from there."""

    root: Path

    def __contains__(self, file: object) -> bool:
        return (self.root / str(file)).is_file()


def candidates(module: str, folder: Path = Path()) -> tuple[Path, ...]:
    """Return the files that an import of `module` may mean, compiled ones last; the first one that is there counts."""
    base = folder.joinpath(*module.split("."))
    return base / "__init__.py", *(base.with_name(base.name + end) for end in (".py", *EXTENSION_SUFFIXES))


def reference_of(target: Callable[..., Any]) -> str:
    """Return the reference by which runners import `target`."""
    name, module = getattr(target, "__qualname__", ""), getattr(target, "__module__", "")
    if not name.isidentifier():
        message = f"the function {name or target!r} cannot be imported by its name; define it at the top of a module"
        raise DefinitionError(message)
    if module == "__main__":
        file = getattr(sys.modules["__main__"], "__file__", None)
        if file is None:
            raise DefinitionError(f"the function {name!r} is in no file; put it in a module and import it")
        module = Path(file).stem
    return f"{module}:{name}"
