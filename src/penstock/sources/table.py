"""Units, or fields of units, from the rows of a CSV file with a header."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from penstock.campaign import Campaign, TableSource
from penstock.errors import DefinitionError
from penstock.sources.found import Found, Problem, ScanState, Shape
from penstock.units import iso, read_value, show_key, unknown_name


def scan_table(source: TableSource, campaign: Campaign, state: ScanState) -> Iterator[Found]:
    """Yield a unit for each row; rows that cannot be read go to `state.problems`."""
    try:
        file = source.path.open(encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        state.missing_roots.append(str(source.path))
        return
    with file:
        rows = csv.reader(file, delimiter=_delimiter(file, source.path))
        try:
            yield from _read_rows(rows, source, campaign, state)
        except UnicodeDecodeError:
            raise DefinitionError("the table is not UTF-8; save it as UTF-8", file=source.path) from None
        except csv.Error as error:
            line = rows.line_num
            raise DefinitionError(f"the table cannot be read: {error}", file=source.path, line=line) from None


def _delimiter(file: IO[str], path: Path) -> str:
    if path.suffix == ".tsv":
        return "\t"
    header = file.readline()
    file.seek(0)
    return max(",;\t", key=header.count)


def _read_rows(rows: Any, source: TableSource, campaign: Campaign, state: ScanState) -> Iterator[Found]:
    header = [name.strip() for name in next(rows, [])]
    shape = Shape.of(source, campaign)
    _check_header(header, shape, source)
    convert = _converters(header, source, shape)
    seen: dict[int, int] = {}
    width, level, split = len(header), source.level, shape.split
    for row in rows:
        if not row:
            continue
        try:
            if len(row) != width:
                raise ValueError(f"has {len(row)} cells; the header has {width}")
            values = dict(zip(header, row, strict=True))
            for name, read in convert:
                values[name] = read(values[name])
            key = split(values)
        except ValueError as error:
            state.problems.append(Problem(f"{source.path.name}:{rows.line_num}", str(error)))
            continue
        first = seen.setdefault(hash(key), rows.line_num)
        if first != rows.line_num:
            raise _same_key(source, campaign, key, first, rows.line_num)
        yield Found(level, key, values, blake2b("\x1f".join(row).encode(), digest_size=8).hexdigest())


def _check_header(header: list[str], shape: Shape, source: TableSource) -> None:
    if len({*header}) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DefinitionError(
            f"the table has two columns called {twice!r}; rename one", file=source.path, line=1
        )
    derived = {name for name, _ in shape.derive}
    for name in (*source.types, *(level for level in shape.levels if level not in derived)):
        if name not in header:
            raise DefinitionError(
                unknown_name(name, header, "the definition") + " in the table", file=source.path, line=1
            )


def _converters(
    header: list[str], source: TableSource, shape: Shape
) -> list[tuple[str, Callable[[str], Any]]]:
    return [
        (name, _reader(kind, may_be_empty=name not in shape.levels))
        for name, kind in source.types.items()
        if kind != "str"
    ]


def _reader(kind: str, *, may_be_empty: bool) -> Callable[[str], Any]:
    if kind == "int" and not may_be_empty:
        return _whole

    def read(text: str) -> Any:
        if not text and may_be_empty:
            return None
        value = read_value(text, kind)
        return iso(value) if kind == "datetime" else value  # type: ignore[arg-type]

    return read


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def _same_key(source: TableSource, campaign: Campaign, key: Any, first: int, second: int) -> DefinitionError:
    shown = show_key(key, campaign.levels, campaign.formats)
    return DefinitionError(
        f"lines {first} and {second} have the same key {shown}; remove one", file=source.path
    )
