"""A table as a file: opened, and its first line, which names its columns."""

from __future__ import annotations

import csv
import os
from io import BufferedReader, StringIO, TextIOWrapper
from pathlib import Path
from stat import S_ISREG
from typing import TextIO

from penstock.errors import DefinitionError
from penstock.runner.kinds import kind_of


def read_header(path: Path) -> list[str] | None:
    """Read the column names of a CSV file; None when it does not exist."""
    try:
        with open_table(path) as file:
            line = StringIO(file.buffer.readline().decode("utf-8-sig"), newline="").readline()
            delimiter = "\t" if path.suffix == ".tsv" else max(",;\t", key=line.count)
            return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), list[str]())]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DefinitionError(f"the table cannot be read: {error}", file=path) from None


def open_table(path: Path) -> TextIO:
    """Open a CSV file."""
    return TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


def open_bytes(path: Path) -> BufferedReader:
    """Open a table as bytes; what is not a file, such as a pipe that nobody writes to, is refused and not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(descriptor)
    if not S_ISREG(status.st_mode):
        os.close(descriptor)
        raise DefinitionError(f"the table is {kind_of(status)}, not a file; name a file", file=path)
    return open(descriptor, "rb")
