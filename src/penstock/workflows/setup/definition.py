"""The text of a `penstock.toml`, table by table."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

from penstock.config.editors import begin_definition
from penstock.errors import DefinitionError

FILE = "penstock.toml"
BARE = re.compile(r"[A-Za-z0-9_-]+").fullmatch


def definition_in(folder: Path) -> Path:
    """Return where the definition of a new campaign goes. Raises DefinitionError if there is one already."""
    definition = folder / FILE
    if definition.exists():
        raise DefinitionError(f"{definition} already exists; choose another folder, or edit it")
    return definition


def write_definition(definition: Path, tables: Iterable[str]) -> Path:
    """Write the tables of a `penstock.toml`; editors are told where its schema is."""
    return write_tables(definition, tables, first=begin_definition(definition.parent))


def write_tables(file: Path, tables: Iterable[str], *, first: str = "") -> Path:
    """Write tables, with an empty line between them; make the folder if there is none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(first + "\n".join(tables), encoding="utf-8")
    return file


def campaign_name(folder: Path, otherwise: str = "campaign") -> str:
    """Name a campaign as its folder is called, as far as a name may have these letters."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).lstrip("._-") or otherwise


def table(name: str, keys: Mapping[str, Any], *, note: str = "") -> str:
    """Write a table of TOML, a key a line; what is None is left out.

    `note` is a comment above it.

    >>> print(table("stage.fit", {"each": "run", "after": ["calibrate"], "batch": None}, note="one a run"), end="")
    # one a run
    [stage.fit]
    each = "run"
    after = ["calibrate"]
    """
    lines = [f"{key(word)} = {toml(value)}\n" for word, value in keys.items() if value is not None]
    head = ".".join(map(key, name.split(".")))
    return "".join([f"# {note}\n" if note else "", f"[{head}]\n", *lines])


def key(word: str) -> str:
    """Write a key, quoted where it must be."""
    return word if BARE(word) else toml(word)


def toml(value: Any) -> str:
    """Write a value as TOML.

    >>> toml({"memory": "2GB", "ok": [True, 0.5]})
    '{ memory = "2GB", ok = [true, 0.5] }'
    """
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case int():
            return str(value)
        case date():  # datetime is one, too
            return value.isoformat()
        case Path():
            return toml(str(value))
        case Mapping():
            pairs = cast("Mapping[str, Any]", value).items()
            inside = ", ".join(f"{key(word)} = {toml(each)}" for word, each in pairs if each is not None)
            return f"{{ {inside} }}" if inside else "{}"
        case list() | tuple():
            return f"[{', '.join(map(toml, cast('Iterable[Any]', value)))}]"
        case _:
            raise TypeError(f"{value!r} cannot be written as TOML")
