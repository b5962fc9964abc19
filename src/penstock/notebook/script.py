"""A notebook, or a script, run up to where its campaign runs: what it defines is left for a conductor."""

from __future__ import annotations

import json
import linecache
import os
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import DefinitionError, PenstockError

MAGIC = ("%", "!", "?")


class Reached(BaseException):
    """The campaign of a script was to run: nothing after that is for the shell."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = root


def run_cells(file: Path) -> Path:
    """Run the cells of a file until a campaign runs, and return that one's folder.

    Raises DefinitionError for a cell that fails, and if no campaign runs.
    """
    from penstock.notebook import running

    running.only_defined = True
    sys.modules["__main__"] = ModuleType("__main__")
    around: dict[str, Any] = vars(sys.modules["__main__"])
    if file.suffix != ".ipynb":
        around["__file__"] = str(file)
    sys.argv = [str(file)]
    sys.path.insert(0, str(file.parent))
    os.chdir(file.parent)
    for number, text in enumerate(cells_of(file), 1):
        name = f"cell {number} of {file.name}" if file.suffix == ".ipynb" else file.name
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        try:
            exec(compile(text, name, "exec", dont_inherit=True), around)  # noqa: S102
        except Reached as reached:
            return reached.root
        except PenstockError:
            raise
        except Exception as error:
            traceback.print_exc()
            raise DefinitionError(f"{name} fails: {type(error).__name__}: {error}") from error
    raise DefinitionError(f"no campaign runs in {file}; end it with `campaign.run()`")


def cells_of(file: Path) -> Iterator[str]:
    """Yield the texts of a file's cells as Python; a script is one cell."""
    text = read_text(file)
    if file.suffix != ".ipynb":
        yield text
        return
    try:
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    except (ValueError, KeyError, TypeError):
        raise DefinitionError("this is no notebook; save it again", file=file) from None
    yield from (as_python(source, file) for kind, source in cells if kind == "code")


def read_text(file: Path) -> str:
    """Return the text of a file."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"this cannot be read: {error}", file=file) from None


def as_python(source: str, file: Path) -> str:
    """Return a cell without what only IPython understands, which it translates where it is installed."""
    if not any(line.lstrip().startswith(MAGIC) for line in source.splitlines()):
        return source
    try:
        manager: Any = import_module("IPython.core.inputtransformer2").TransformerManager()
    except ModuleNotFoundError:
        message = "a cell has lines with % or !, which need IPython: pip install ipython, or remove them"
        raise DefinitionError(message, file=file) from None
    return manager.transform_cell(source)


def main(file: str, descriptor: str) -> int:
    """Run a file, and write to a descriptor where its campaign is, or what is wrong."""
    try:
        told = {"root": str(run_cells(Path(file).absolute()))}
    except PenstockError as error:
        told = {"error": str(error)}
    with open(int(descriptor), "w", encoding="utf-8") as news:
        json.dump(told, news)
    return 0 if "root" in told else 2
