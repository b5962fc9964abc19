"""The definition that a notebook left for the conductor, which never imports the notebook: its tables as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from penstock.config.draft import Draft
from penstock.disk import make_private, read_whole, write_file
from penstock.errors import DefinitionError
from penstock.host import Process, this_process

FILE = Path(".penstock", "notebook.json")
CELLS = "penstock_cells"  # in the campaign's folder: modules that were made of cells, and what they read


def save_draft(root: Path, tables: Mapping[str, Any]) -> Path:
    """Leave a definition in the campaign's folder, in place of the last one of this notebook.

    Raises DefinitionError if the folder has another definition, or another living kernel left one.
    """
    from penstock.config.reading import FILES

    for name in FILES:
        if (other := root / name).exists():
            raise DefinitionError(
                f"{other} already defines a campaign there; give the one of the notebook a folder of its own, with root=…"
            )
    file, kernel = root / FILE, this_process()
    text = json.dumps({"kernel": asdict(kernel), "tables": tables}, indent=1, default=str)
    if before := read_saved(file):
        if before[0] == json.loads(text)["tables"]:
            return file
        if before[1] != kernel and not before[1].dead:
            raise DefinitionError(
                f"the notebook of process {before[1].pid} on {before[1].host} defines the campaign in {root} in another"
                " way; shut its kernel down, or give this one a folder of its own, with root=…"
            )
    make_private(file.parent)
    write_file(file, text.encode())
    return file


def read_saved(file: Path) -> tuple[dict[str, Any], Process] | None:
    """Return the tables that a notebook left, and its kernel; None where none did."""
    content = read_whole(file)
    if content is None:
        return None
    try:
        saved = json.loads(content)
        return saved["tables"], Process(**saved["kernel"])
    except (ValueError, KeyError, TypeError):
        raise DefinitionError("this is not what a notebook leaves; run its cell again", file=file) from None


def is_saved(file: Path | None) -> bool:
    """Whether a definition is one that a notebook left."""
    return file is not None and file.parts[-2:] == FILE.parts


def read_notebook(file: Path) -> Draft:
    """Read the definition that a notebook left."""
    found = read_saved(file)
    return Draft(found[0] if found else {}, file.parents[1], file)
