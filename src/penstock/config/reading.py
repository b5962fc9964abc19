"""Finding and reading a definition: `penstock.toml`, or a Python file that holds one campaign."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.config.draft import Draft
from penstock.config.places import find_lines
from penstock.config.saved import FILE as NOTEBOOK
from penstock.config.saved import read_notebook
from penstock.errors import DefinitionError

FILES = ("penstock.toml", "campaign.py")


def read_draft(where: Path, overrides: Sequence[str] = ()) -> Draft:
    """Read the definition at `where`, a folder or a file."""
    file = find_file(where)
    read = {".py": _read_python, ".json": read_notebook}.get(file.suffix, _read_toml)
    draft = read(file)
    draft.overrides = tuple(overrides)
    return draft


def find_file(where: Path) -> Path:
    """Return the definition's file; DefinitionError when there is none."""
    where = where.absolute()
    candidates = [where / name for name in FILES] if where.is_dir() else [where]
    found = [file for file in candidates if file.is_file()]
    if len(found) > 1:
        raise DefinitionError(
            f"{where} has two definitions, {' and '.join(FILES)}; remove or rename one of them"
        )
    if found:
        return found[0]
    if (left := where / NOTEBOOK).is_file():
        return left
    place = (
        f"{where} has neither penstock.toml nor campaign.py" if where.is_dir() else f"{where} does not exist"
    )
    raise DefinitionError(f"{place}; create a campaign with `penstock init`")


def _read_toml(file: Path) -> Draft:
    text = _read_text(file)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line = _toml_place(str(error))
        lines = text.splitlines()
        shown = (
            f": {lines[line - 1].strip()[:100]}"
            if line and line <= len(lines) and lines[line - 1].strip()
            else ""
        )
        raise DefinitionError(f"this is not TOML: {message}{shown}", file=file, line=line) from None
    return Draft(tables, file.parent, file, find_lines(text))


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DefinitionError("the definition is not UTF-8; save it as UTF-8", file=file) from None
    except OSError as error:
        raise DefinitionError(f"the definition cannot be read: {error.strerror}", file=file) from None


def _toml_place(message: str) -> tuple[str, int | None]:
    text, found, place = message.partition(" (at line ")
    line = place.partition(",")[0] if found else ""
    return text.lower(), int(line) if line.isdigit() else None


def _read_python(file: Path) -> Draft:
    module = _run(file)
    drafts = {id(value): value for value in vars(module).values() if isinstance(value, Draft)}
    if len(drafts) != 1:
        number = "no campaign" if not drafts else f"{len(drafts)} campaigns"
        raise DefinitionError(
            f"there is {number} here; assign one penstock.Campaign(…) to one name", file=file
        )
    (draft,) = drafts.values()
    return Draft(draft.tables, file.parent, file, draft.lines)


def _run(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None:
        raise DefinitionError("this file is not Python", file=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.parent))
    try:
        # Not its bytecode, which a change within the same second leaves as it is.
        exec(compile(file.read_bytes(), file, "exec", dont_inherit=True), vars(module))  # noqa: S102
    except DefinitionError:
        raise
    except Exception as error:
        raise DefinitionError(
            f"running it fails: {type(error).__name__}: {error}", file=file, line=_line(error, file)
        ) from error
    finally:
        sys.path.remove(str(file.parent))
    return module


def _line(error: Exception, file: Path) -> int | None:
    if isinstance(error, SyntaxError):
        return error.lineno
    line: int | None = None
    trace: Any = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
