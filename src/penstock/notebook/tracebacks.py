"""The cell and its line in tracebacks of functions that ran elsewhere."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any

from penstock.config.saved import CELLS
from penstock.notebook.gathering import Module

FRAME = re.compile(rf'File "[^"]*{CELLS}/(\w+)\.py", line (\d+)')

_modules: dict[str, Module] = {}  # of this kernel, by their names


def remember(module: Module) -> None:
    """Remember where the lines of a module were typed, until the kernel ends."""
    _modules[module.name] = module


def with_cells(text: str) -> str:
    """Return a traceback that names the cell and its line beside the module's.

    What an earlier kernel typed is left as it is.
    """
    return FRAME.sub(lambda found: found[0] + place_of(found[1], int(found[2])), text)


def place_of(name: str, line: int) -> str:
    """Return ` (cell In[3], line 5)` for a line of a module; nothing where that is not known."""
    for origin in _modules[name].origins if name in _modules else ():
        if origin.line <= line < origin.line + origin.lines:
            return f" ({called(origin.cell)}, line {origin.typed + line - origin.line})"
    return ""


def called(cell: str) -> str:
    """Return what IPython calls a cell."""
    shell: Any = import_module("IPython").get_ipython() if "IPython" in sys.modules else None
    names = shell and shell.compile.format_code_name(cell)
    return f"cell {names[1]}" if names else cell
