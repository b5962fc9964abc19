"""Units, or fields of units, from the rows of a CSV file with a header."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from penstock.campaign import Campaign, TableSource
from penstock.csvfile import open_bytes, open_table
from penstock.errors import DefinitionError
from penstock.sources.found import Found, Problem, ScanState, Shape
from penstock.units import Value, iso, read_value, show_key, unknown_name

Key = tuple[Value, ...]
Row = tuple[int, Key, dict[str, Any]]  # line, key, fields


def scan_table(source: TableSource, campaign: Campaign, state: ScanState) -> Iterator[Found]:
    """Yield a unit for each row; rows that cannot be read go to `state.problems`."""
    before = contents_of_table(source)
    seen, again = set[Key](), dict[Key, list[int]]()
    for line, key, values in _rows(source, campaign, state):
        if key in seen:
            again.setdefault(key, []).append(line)
            continue
        seen.add(key)
        yield Found(source.level, key, values, "")
    if again:
        state.problems += _name_repeated(source, campaign, again)
    state.contents = before if before == contents_of_table(source) else None


def _name_repeated(
    source: TableSource, campaign: Campaign, again: Mapping[Key, Sequence[int]]
) -> Iterator[Problem]:
    """Name the rows that have the key of an earlier one, which another look at the table finds."""
    first: dict[Key, int] = {}
    for line, key, _ in _rows(source, campaign, ScanState(0.0)):
        if key in again:
            first.setdefault(key, line)
    for key, lines in again.items():
        shown = show_key(key, campaign.levels, campaign.formats)
        why = f"it has the same key {shown} as line {first.get(key, '?')}, which stands; remove one"
        yield from (Problem(f"{source.path.name}:{line}", why) for line in lines)


def contents_of_table(source: TableSource) -> str | None:
    """Return a digest of a table's bytes; None when they cannot be read, which a scan tells."""
    try:
        with open_bytes(source.path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, DefinitionError):
        return None


def _rows(source: TableSource, campaign: Campaign, state: ScanState) -> Iterator[Row]:
    try:
        file = open_table(source.path)
    except FileNotFoundError:
        state.missing_roots.append(str(source.path))
        return
    rows: Any = None
    with file:
        try:
            rows = csv.reader(file, delimiter=_delimiter(file, source.path))
            yield from _read_rows(rows, source, campaign, state)
        except UnicodeDecodeError:
            raise DefinitionError("the table is not UTF-8; save it as UTF-8", file=source.path) from None
        except csv.Error as error:
            message = f"the table cannot be read: {error}; save it as plain CSV"
            raise DefinitionError(message, file=source.path, line=rows.line_num) from None


def _delimiter(file: IO[str], path: Path) -> str:
    if path.suffix == ".tsv":
        return "\t"
    header = file.readline()
    file.seek(0)
    return max(",;\t", key=header.count)


def _read_rows(rows: Any, source: TableSource, campaign: Campaign, state: ScanState) -> Iterator[Row]:
    header = [str(name).strip() for name in next(rows, list[str]())]
    shape = Shape.of(source, campaign)
    _check_header(header, shape, source)
    convert = _converters(source, shape)
    width, split = len(header), shape.split
    for row in rows:
        if not row:
            continue
        try:
            if len(row) != width:
                raise ValueError(f"the row has {len(row)} cells and the header {width}; make them equal")
            values = dict(zip(header, row, strict=False))
            for name, read in convert:
                values[name] = read(values[name])
            key = split(values)
        except ValueError as error:
            state.problems.append(Problem(f"{source.path.name}:{rows.line_num}", str(error)))
            continue
        yield rows.line_num, key, values


def _check_header(header: list[str], shape: Shape, source: TableSource) -> None:
    if len({*header}) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DefinitionError(
            f"the table has two columns called {twice!r}; rename one", file=source.path, line=1
        )
    derived = {name for name, _ in shape.derive}
    for name in (*source.types, *shape.levels):
        if name not in header and name not in derived:
            raise DefinitionError(
                unknown_name(name, header, "the definition") + " in the table", file=source.path, line=1
            )


def _converters(source: TableSource, shape: Shape) -> list[tuple[str, Callable[[str], Any]]]:
    return [
        (name, _reader(kind, may_be_empty=name not in shape.levels))
        for name, kind in source.types.items()
        if kind != "str" and name not in source.derive
    ]


def _reader(kind: str, *, may_be_empty: bool) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not text and may_be_empty:
            return None
        value = read_value(text, kind)
        return iso(value) if isinstance(value, datetime) else value

    return read
