"""The templates of Batch-Manager, eight columns with a row for each line of the input, as a program of today.

Its columns: `Line Number,Value,Is Var?,Table-Relevant?,Name,Type,Names,Allowed Values`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import DefinitionError
from penstock.workflows.setup.definition import table, write_tables

COLUMNS = ("Line Number", "Value", "Is Var?", "Table-Relevant?", "Name", "Type", "Names", "Allowed Values")
DASHES = "-" * 50
TYPES = {"int": "int", "float": "float", "str": "str", "bool": "bool", "int/str": "path_with_int"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*").fullmatch
_ENDS = {">": ("above", "min"), "<": ("below", "max"), ">=": ("min", "min"), "<=": ("max", "max")}


class Imported(NamedTuple):
    """What a template became: the tables of a program's file, the input file, and what was changed on the way."""

    tables: list[str]
    input: str
    notes: list[str]


class Old(NamedTuple):
    """One variable of a template: its line, which word of it, and what the columns say."""

    line: int
    word: int
    value: str
    type: str
    name: str
    allowed: str


def import_template(file: Path, name: str, *, input_name: str) -> Imported:
    """Read a template. Raises DefinitionError, with the line.

    A bound that the template's own value breaks, as `>3` with the value 3, is taken to include it, and a note says so.
    """
    if not _NAME(name) or not _NAME(input_name):
        raise DefinitionError(
            f"{name!r} or {input_name!r} is no name of a file; use letters, digits and . _ -"
        )
    rows = _read(file)
    notes = list[str]()
    tables = [
        table("program", {"executable": f"{name}.x"}),
        f'[input."{input_name}"]\n',
    ]
    names = set[str]()
    for number, row in enumerate(rows, 1):
        for old in _variables(number, row, file):
            tables.append(table(f"variable.{_unused(old.name, names)}", _keys(old, notes)))
    lines = (DASHES if row["Value"] == "dashes" else row["Value"] for row in rows)
    return Imported(tables, "".join(f"{line}\n" for line in lines), notes)


def write_program(folder: Path, name: str, imported: Imported, *, input_name: str) -> Path:
    """Write the program and its input; DefinitionError if there is one of the name."""
    file = folder / f"{name}.toml"
    for path in (file, folder / input_name):
        if path.exists():
            raise DefinitionError(f"{path} already exists; choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / input_name).write_text(imported.input, encoding="utf-8")
    return write_tables(file, imported.tables)


def _read(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            rows = [dict(row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DefinitionError(f"the template cannot be read: {error}", file=file) from None
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise DefinitionError(
            f"the template does not have the columns {','.join(COLUMNS)}", file=file, line=1
        )
    for number, row in enumerate(rows, 1):
        if row["Line Number"] != str(number) or None in row or None in row.values():
            raise DefinitionError(
                f"this should be line number {number}, with eight cells", file=file, line=number + 1
            )
    return rows


def _variables(number: int, row: Mapping[str, str], file: Path) -> Iterator[Old]:
    if row["Is Var?"] != "True":
        return
    dual = row["Type"].startswith("dual ")
    kind = row["Type"].removeprefix("dual ")
    names = row["Names"].split(";") if dual else [row["Name"]]
    allowed = (
        row["Allowed Values"].split(";") if dual and kind != "bool" else [row["Allowed Values"]] * len(names)
    )
    values = row["Value"].split() if dual else [row["Value"]]
    if kind not in TYPES or not len(names) == len(values) == len(allowed):
        message = (
            f"{row['Name']} has the type {row['Type']!r} with {len(values)} values; it cannot be imported"
        )
        raise DefinitionError(message, file=file, line=number + 1)
    for word, (name, value, may) in enumerate(zip(names, values, allowed, strict=True), 1):
        yield Old(number, word, value, TYPES[kind], name, may)


def _keys(old: Old, notes: list[str]) -> dict[str, Any]:
    unit = re.search(r"\(([^)]*)\)", old.name) if old.type == "float" else None
    place: dict[str, Any] = {"line": old.line} | ({"word": old.word} if old.word > 1 else {})
    keys: dict[str, Any] = {"type": old.type, "unit": unit and unit[1], "help": old.name, "place": place}
    if old.type == "path_with_int":
        keys["default"] = old.value
    if old.type == "bool":
        return keys | {"true": 1, "false": 0}
    if old.allowed in ("None", ""):
        return keys
    bound = re.fullmatch(r"([<>]=?)\s*(-?[0-9.eE+-]+)", old.allowed)
    if not bound:
        return keys | {"type": "choice", "choices": old.allowed.split(";")}
    return keys | _bound(bound[1], bound[2], old, notes)


def _bound(sign: str, end: str, old: Old, notes: list[str]) -> dict[str, Any]:
    exclusive, inclusive = _ENDS[sign]
    value = re.findall(r"-?[0-9.]+(?:[eE][+-]?[0-9]+)?", old.value)[-1]
    key = exclusive
    if float(value) == float(end) and key != inclusive:
        key = inclusive
        notes.append(
            f"{old.name} may be {end}, which is its own value, although the template says {sign}{end}"
        )
    return {key: float(end) if old.type == "float" else int(end)}


def _unused(label: str, names: set[str]) -> str:
    """Make a variable's name of a label, which none of the others has."""
    words = re.sub(r"\([^)]*\)", "", label).lower()
    stem = re.sub(r"[^a-z0-9]+", "_", words).strip("_") or "variable"
    stem = f"v_{stem}" if stem[0].isdigit() else stem
    name, number = stem, 1
    while name in names:
        number += 1
        name = f"{stem}_{number}"
    names.add(name)
    return name
