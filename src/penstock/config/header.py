"""The first line of a table, which tells its columns."""

from __future__ import annotations

import csv
from pathlib import Path

from penstock.errors import DefinitionError


def read_header(path: Path) -> list[str] | None:
    """Read the column names of a CSV file; None when it is not there."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline()
            delimiter = "\t" if path.suffix == ".tsv" else max(",;\t", key=line.count)
            return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), list[str]())]
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DefinitionError(f"the table cannot be read: {error}", file=path) from None
