"""A campaign of cells, frozen: functions as modules, tables as files, and the rest as plain data for the conductor."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from penstock import config
from penstock.campaign import Campaign
from penstock.config.draft import Draft
from penstock.config.saved import CELLS, save_draft
from penstock.disk import write_file
from penstock.errors import DefinitionError
from penstock.ledger.stored import last_copy
from penstock.notebook.gathering import Module, gather
from penstock.notebook.tracebacks import remember

TYPES = {"i": "int", "u": "int", "f": "float"}  # of a table's columns; others are texts


def leave(draft: Draft, overrides: Sequence[str]) -> Campaign:
    """Leave the definition in its folder, and read it from there as the conductor will.

    Raises DefinitionError for what cannot travel, or is wrong.
    """
    if not draft.root.is_dir():
        raise DefinitionError(f"there is no folder {draft.root}; make it, or correct the campaign's `root`")
    try:
        tables = {name: delivered(table, draft.root) for name, table in draft.tables.items()}
        file = save_draft(draft.root, tables)
    except OSError as error:
        place, why = error.filename or draft.root, error.strerror or error
        raise DefinitionError(
            f"{place} cannot be written ({why}); make room, or name another folder as the campaign's `root`"
        ) from error
    with of_cells():
        return config.load(file, overrides, known=last_copy(draft.root))


@contextmanager
def of_cells() -> Generator[None]:
    """Say what is wrong without the file that was made of the cells."""
    try:
        yield
    except DefinitionError as error:
        raise DefinitionError(error.message) from None


def delivered(value: Any, root: Path) -> Any:
    """Return plain data: of a function the module that was made of it, of a table of units its file."""
    if not isinstance(value, Mapping):
        return save_frame(value, root) if hasattr(value, "to_csv") else value
    given = cast("Mapping[str, Any]", value)
    table = {name: delivered(inner, root) for name, inner in given.items()}
    if has_frame(given):
        table["types"] = types_of(given["table"]) | table.get("types", {})
    functions = [name for name, inner in given.items() if callable(inner)]
    if not functions:
        return table
    modules = [gather(given[name], given.get("pickled", ())) for name in functions]
    for name, module in zip(functions, modules, strict=True):
        module.save(root)
        remember(module)
        table[name] = f"{CELLS}.{module.name}:{given[name].__name__}"
        if module.files and "each" in table:  # a source is read here, where they are
            table["needs"] = [*table.get("needs", ()), *(f"{CELLS}/{file}" for file in module.files)]
    if "each" in table:
        table |= python_for(table, modules)
    return table


def python_for(table: dict[str, Any], modules: Sequence[Module]) -> dict[str, str]:
    """Return the Python that a stage needs: unless it says so, one as new as this; for what was pickled this very one."""
    here = "{}.{}".format(*sys.version_info)
    asked: Sequence[str] = table.pop("pickled", ())
    if unused := [name for name in asked if not any(name in module.pickled for module in modules)]:
        raise DefinitionError(
            f"`pickled` has {unused[0]!r}, which {table['python'].rpartition(':')[2]!r} does not use; correct it"
        )
    return {"requires_python": f"=={here}" if asked else table.get("requires_python", f">={here}")}


def has_frame(table: Mapping[str, Any]) -> bool:
    """Whether units are the rows of a table that a notebook has."""
    return hasattr(table.get("table"), "to_csv")


def as_columns(frame: Any) -> Any:
    """Return a table whose index is columns, too, where it has names: that of a series, or of results."""
    frame = frame if hasattr(frame, "columns") else frame.to_frame()
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(named) if named else frame


def types_of(frame: Any) -> dict[str, str]:
    """Return the types of the columns that are numbers."""
    frame = as_columns(frame)
    kinds = {str(name): column.kind for name, column in frame.dtypes.items()}
    return {name: TYPES[kind] for name, kind in kinds.items() if kind in TYPES}


def save_frame(frame: Any, root: Path) -> str:
    """Write a table of units into the campaign's folder, and return its path there; an index without a name is left out."""
    content = as_columns(frame).to_csv(index=False).encode()
    path = Path(CELLS, f"units_{hashlib.sha256(content).hexdigest()[:12]}.csv")
    (root / CELLS).mkdir(parents=True, exist_ok=True)
    write_file(root / path, content)
    return str(path)
