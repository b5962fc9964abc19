"""Results as CSV (RFC 4180), with what its columns are beside it (CSV on the Web, W3C 2015)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.workflows.sweep.cells import line
from penstock.workflows.sweep.columns import Column
from penstock.workflows.sweep.results import Results

METADATA = "-metadata.json"
DATATYPES = {"float": "number", "int": "integer", "bool": "boolean", "str": "string"}


def write_csv(file: Path, results: Results, *, metadata: Path | None = None) -> None:
    """Write a table and, beside it, its metadata: names, types and units.

    Numbers stand as they stood in their files. What is missing is nothing at all between its commas; an empty text is `""`.
    """
    names = [column.name for column in results.columns]
    lines = [names, *([row.get(name) for name in names] for row in results.rows)]
    file.write_text("".join(map(line, lines)), encoding="utf-8", newline="")
    described = json.dumps(describe_table(file.name, results.columns), indent=1, ensure_ascii=False)
    (metadata or file.with_name(file.name + METADATA)).write_text(described + "\n", encoding="utf-8")


def describe_table(name: str, columns: Sequence[Column]) -> Mapping[str, Any]:
    """Return the metadata of a table."""
    described = [
        {"name": each.name, "titles": each.name, "datatype": DATATYPES[each.type]}
        | ({"schema:unitText": each.unit} if each.unit else {})
        for each in columns
    ]
    return {
        "@context": "http://www.w3.org/ns/csvw",
        "url": name,
        "tableSchema": {"columns": described, "primaryKey": columns[0].name},
    }
