"""Cells of CSV (RFC 4180) in which missing is nothing between its commas, and an empty text is `""`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

_PLAIN = re.compile(r'[^",\r\n]+').fullmatch
_CELLS = re.compile(r'("(?:[^"]|"")*"|[^,"]*)(?:,|$)').finditer


def cell(text: str | None) -> str:
    """Write a cell.

    >>> cell(None), cell(""), cell("a, b"), cell("1E-07")
    ('', '""', '"a, b"', '1E-07')
    """
    if text is None:
        return ""
    return text if _PLAIN(text) else '"' + text.replace('"', '""') + '"'


def line(texts: Iterable[str | None]) -> str:
    """Write a row."""
    return f"{','.join(map(cell, texts))}\n"


def read_rows(lines: Iterable[str]) -> Iterator[Sequence[str | None]]:
    """Read rows, none of whose cells has a line break. Raises csv.Error.

    >>> [*read_rows(['a,,"","b, c"'])]
    [['a', None, '', 'b, c']]
    """
    latest = ""

    def remembered() -> Iterator[str]:
        nonlocal latest
        for each in lines:
            latest = each
            yield each

    for row in csv.reader(remembered(), strict=True):
        yield row if "" not in row else _told_apart(row, latest)


def _told_apart(row: list[str], text: str) -> list[str | None]:
    """Return a row with None for those of its empty cells that are nothing at all."""
    if '""' not in text:
        return [each or None for each in row]
    quoted = [found[1].startswith('"') for found in _CELLS(text.rstrip("\r\n"))]
    return [each if each or quoted[place] else None for place, each in enumerate(row)]
