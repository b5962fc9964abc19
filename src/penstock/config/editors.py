"""The JSON Schema beside a definition, by which editors complete keys and mark what is wrong while one types."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from penstock.disk import make_private, read_whole, write_file
from penstock.errors import LedgerError

FILE = Path(".penstock", "schema.json")
DIRECTIVE = "#:schema"  # taplo, and what builds on it, reads it in the comments at the top
LINE = f"{DIRECTIVE} ./{FILE}\n"


def begin_definition(folder: Path) -> str:
    """Put the schema into a new campaign, and return the line with which its definition begins."""
    make_private(folder / FILE.parent)
    write_file(folder / FILE, published())
    return LINE


def renew_schema(definition: Path | None) -> None:
    """Make the schema that a definition names that of this penstock; where we may not write, it stays as it is."""
    if definition is None or not names_it(definition) or read_whole(definition.parent / FILE) == published():
        return
    # Whoever looks at another's campaign must not leave a folder in it that its owner cannot use.
    if (definition.parent / FILE.parent).exists() or definition.parent.stat().st_uid == os.geteuid():
        with suppress(OSError, LedgerError):
            begin_definition(definition.parent)


def names_it(definition: Path) -> bool:
    """Whether one of the comments at the top names the schema."""
    with definition.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.split() == LINE.split():
                return True
            if line.strip() and not line.startswith("#"):
                return False
    return False


def published() -> bytes:
    """Return the schema of this penstock."""
    return files("penstock.config").joinpath("schema.json").read_bytes()
