"""Tables as text: separated by spaces, tabs, commas or semicolons, with points or commas in numbers, with a header or none."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.tracking.faults import Unreadable

COMMA_NUMBER = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?").fullmatch


@dataclass(frozen=True)
class Table:
    """Lines of a file: `names` of its columns (empty without a header), `rows` as text, of which `first` is the number."""

    path: Path
    names: tuple[str, ...]
    rows: Sequence[str]
    delimiter: str | None  # None is any white space
    decimal: str
    first: int

    def column_numbers(self) -> Mapping[str, int]:
        """Give the place of each column that has a name."""
        return {name: i for i, name in reversed([*enumerate(self.names)])}

    def below(self, header: int) -> Table:
        """Leave out so many more lines of a header."""
        return Table(
            self.path, self.names, self.rows[header:], self.delimiter, self.decimal, self.first + header
        )

    def read(self, places: Sequence[int]) -> NDArray[np.float64]:
        """Give columns as numbers (rows × columns); what is empty is NaN. Raises Unreadable, with the line, for text."""
        rows = [row.replace(",", ".") for row in self.rows] if self.decimal == "," else self.rows
        if not rows:
            return np.empty((0, len(places)))
        try:
            return np.loadtxt(rows, delimiter=self.delimiter, usecols=places, ndmin=2, comments=None)
        except (ValueError, IndexError):
            return np.array([self._numbers(i, row, places) for i, row in enumerate(rows)])

    def _numbers(self, i: int, row: str, places: Sequence[int]) -> list[float]:
        fields = split(row, self.delimiter)
        try:
            return [float(fields[place].strip() or math.nan) for place in places]
        except (ValueError, IndexError):
            text = row if len(row) < 60 else f"{row[:60]}…"
            raise Unreadable(
                f"{self.path}, row {self.first + i}: {text!r} has no number where one is needed"
            ) from None


def read_table(path: Path) -> Table:
    """Read a file and find out how it is written; empty lines and those that begin with # are left out."""
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise Unreadable(f"{path} is empty")
    delimiter = find_delimiter(lines[0])
    head = [field.strip() for field in split(lines[0], delimiter)]
    names = () if all(map(is_number, head)) else tuple(head)
    rows = lines[1:] if names else lines
    return Table(path, names, rows, delimiter, _decimal(rows[:20], delimiter), 2 if names else 1)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")  # µ as Windows programs write it


def find_delimiter(line: str) -> str | None:
    """Say what separates the fields of a line; None is white space.

    >>> find_delimiter("1;2,5;3"), find_delimiter("1,2.5,3"), find_delimiter("1 2,5 3")
    (';', ',', None)
    """
    for each in (";", "\t"):
        if each in line:
            return each
    fields = line.split()
    spaced = len(fields) > 1 and all(is_number(field) for field in fields)
    return "," if "," in line and not spaced else None


def split(line: str, delimiter: str | None) -> list[str]:
    """Give the fields of a line, without their quotes."""
    return line.split() if delimiter is None else next(csv.reader([line], delimiter=delimiter), [])


def is_number(field: str) -> bool:
    """Say whether a field is a number, or nothing."""
    try:
        float(field or "nan")
    except ValueError:
        return COMMA_NUMBER(field) is not None
    return True


def _decimal(rows: Sequence[str], delimiter: str | None) -> str:
    if delimiter == ",":
        return "."
    return "," if any(COMMA_NUMBER(field.strip()) for row in rows for field in split(row, delimiter)) else "."
