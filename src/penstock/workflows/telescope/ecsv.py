"""Tables in ECSV, read strictly and without astropy, whose import takes longer than to plan a night.

The values are those that astropy gives; columns of arrays, times or objects are refused, and what astropy would guess.
Source: Astropy Proposal for Enhancement 6, https://github.com/astropy/astropy-APEs/blob/main/APE6.rst
"""

from __future__ import annotations

import csv
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from penstock.errors import DefinitionError

Value = str | int | float | bool
Read = Callable[[str], Value]

FIRST = re.compile(r"#\s*%ECSV\s+1\.[0-9]+\s*").fullmatch
KNOWN = frozenset(("datatype", "delimiter", "schema", "meta"))
WHOLE = re.compile(r"[+-]?[0-9]+").fullmatch
NUMBER = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?(?:nan|inf|infinity)", re.IGNORECASE
).fullmatch


@dataclass(frozen=True, slots=True)
class Column:
    """What the header says of a column; `line` is where it says so."""

    name: str
    datatype: str
    unit: str
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table, by the names of its columns; an empty cell is None. `lines` is where each of them ends."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Value | None]]
    lines: Sequence[int]


class _Fault(Exception):
    """What cannot be read, and its line in the file, counted from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_ecsv(path: Path) -> Table:
    """Read a table of numbers, truth values and texts; raises DefinitionError with the line that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        why = f"the table is not UTF-8 ({error.reason}): save it as UTF-8"
        raise DefinitionError(why, file=path) from None
    lines = text.split("\n")
    length = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    try:
        columns, delimiter = _read_header(lines[:length])
        rows = list(_read_rows(lines[length:], length, delimiter, columns))
    except _Fault as fault:
        raise DefinitionError(str(fault), file=path, line=fault.line) from None
    return Table(columns, [row for _, row in rows], [line for line, _ in rows])


def _read_header(lines: Sequence[str]) -> tuple[list[Column], str]:
    """Return the columns, and what stands between cells."""
    if not FIRST(lines[0] if lines else ""):
        raise _Fault('it is no ECSV table: the first line must be "# %ECSV 1.0"', 1)
    text = "\n".join(["", *(line[1:].removeprefix(" ") for line in lines[1:])])
    try:
        header = _pairs(yaml.SafeLoader(text).get_single_node())
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise _Fault("the header is not YAML", mark.line + 1 if mark else 1) from None
    for key, node in header.items():
        if key not in KNOWN:
            raise _Fault(f"the key {key!r} of the header is not known here", _line(node))
    if "__serialized_columns__" in _pairs(header.get("meta")):
        raise _Fault("columns of times, coordinates or masks are not read here", _line(header["meta"]))
    delimiter = _text(header["delimiter"]) if "delimiter" in header else " "
    if delimiter not in (" ", ","):
        raise _Fault("the delimiter must be a space or a comma", _line(header["delimiter"]))
    return list(_columns(header.get("datatype"), len(lines))), delimiter


def _columns(listed: yaml.Node | None, last: int) -> Iterator[Column]:
    if not isinstance(listed, yaml.SequenceNode) or not listed.value:
        raise _Fault("the header has no list `datatype`, which names the columns", last)
    names = set[str]()
    for node in listed.value:
        said = _pairs(node)
        if not {"name", "datatype"} <= said.keys():
            raise _Fault("a column needs a `name` and a `datatype`", _line(node))
        unit = _text(said["unit"]) if "unit" in said else ""
        column = Column(_text(said["name"]), _text(said["datatype"]), unit, _line(node))
        if column.name in names:
            raise _Fault(f"two columns are called {column.name!r}", column.line)
        if "subtype" in said or column.datatype not in READERS:
            kind = _text(said.get("subtype", said["datatype"]))
            raise _Fault(f"the column {column.name!r} is of the type {kind}, not read here", column.line)
        names.add(column.name)
        yield column


def _pairs(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """Return what a mapping, or an ordered one, holds; nothing for anything else."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return {_text(k): value for one in nodes if isinstance(one, yaml.MappingNode) for k, value in one.value}


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Fault("a text must stand here", _line(node))
    return str(node.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _read_rows(
    lines: Sequence[str], skipped: int, delimiter: str, columns: Sequence[Column]
) -> Iterator[tuple[int, Mapping[str, Value | None]]]:
    """Yield line and values of each row below the names of the columns."""
    names, readers = [column.name for column in columns], [READERS[column.datatype] for column in columns]
    rows = _split(lines, skipped, delimiter)
    line, found = next(rows, (skipped + 1, list[str]()))
    if found != names:
        here = ", ".join(found) or "none"
        raise _Fault(
            f"the columns are {here} here and {', '.join(names)} in the header: make them equal", line
        )
    for line, cells in rows:
        if len(cells) != len(names):
            raise _Fault(f"the row has {len(cells)} cells and the table {len(names)} columns", line)
        each = zip(columns, readers, cells, strict=True)
        yield line, {one.name: _read_cell(one, read, cell, line) for one, read, cell in each}


def _split(lines: Sequence[str], skipped: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each row; lines without anything are none."""
    stripped = (line.strip(" ") + "\n" for line in lines)  # also within quotes, as astropy does
    rows, begin = csv.reader(stripped, delimiter=delimiter, skipinitialspace=True, strict=True), 0
    try:
        for row in rows:
            if lines[begin].lstrip().startswith("#"):
                raise _Fault(
                    "a row begins with #, which astropy takes for a comment: quote it", skipped + begin + 1
                )
            begin = rows.line_num
            if row:
                yield skipped + begin, row
    except csv.Error as error:
        raise _Fault(f"the row cannot be read: {error}", skipped + begin + 1) from None


def _read_cell(column: Column, read: Read, cell: str, line: int) -> Value | None:
    try:
        return read(cell) if cell else None
    except (ValueError, KeyError, OverflowError):
        raise _Fault(f"{cell!r} in the column {column.name!r} is not {column.datatype}", line) from None


def _integers(bits: int, *, signed: bool) -> Read:
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def read(text: str) -> int:
        if not WHOLE(text) or not least <= (value := int(text)) <= most:
            raise ValueError(text)
        return value

    return read


def _floats(code: str) -> Read:
    def read(text: str) -> float:
        if not NUMBER(text):
            raise ValueError(text)
        return struct.unpack(code, struct.pack(code, float(text)))[0]  # as precise as the column is

    return read


READERS: Mapping[str, Read] = {
    "bool": {"True": True, "False": False, "1": True, "0": False}.__getitem__,
    "string": str,
    "str": str,
    **{f"{u}int{bits}": _integers(bits, signed=not u) for u in ("", "u") for bits in (8, 16, 32, 64)},
    **{name: _floats(code) for name, code in (("float16", "e"), ("float32", "f"), ("float64", "d"))},
}
