"""The columns of a sweep's tables: what type a text is of, its unit, and where that is written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from penstock.workflows.sweep.program import Program
from penstock.workflows.sweep.value import NUMBER_TYPES, Plain, measured, whole

FILE = "columns.json"


class Column(NamedTuple):
    """A column: its name, its type (`int`, `float`, `bool` or `str`), its unit."""

    name: str
    type: str = "float"
    unit: str = ""

    @property
    def title(self) -> str:
        """The name with the unit, for people: `temperature (K)`."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def is_number(self) -> bool:
        """Whether it has numbers."""
        return self.type in NUMBER_TYPES

    def read(self, text: str | None) -> Plain | None:
        """Return the value of a cell; None if it is missing, or not of the column's type."""
        if text is None:
            return None
        try:
            return READERS[self.type](text)
        except (ValueError, KeyError):
            return None


def _truth(text: str) -> Plain:
    return {"true": True, "false": False}[text]


def _whole(text: str) -> Plain:
    return whole(text.strip()).plain


READERS: dict[str, Callable[[str], Plain]] = {"float": measured, "int": _whole, "bool": _truth, "str": str}


class Columns(NamedTuple):
    """What a sweep's tables have: variables and results by name, and which variable repeats count up.

    `functions` names those that take a result out of the files of a point, `rules` say how others are taken out.
    """

    variables: Mapping[str, Column] = {}
    results: Mapping[str, Column] = {}
    seed: str = ""
    functions: Mapping[str, str] = {}
    rules: Mapping[str, Mapping[str, Any]] = {}


def columns_of(program: Program) -> Columns:
    """Return the columns of a program's sweeps."""
    return Columns(
        {name: Column(name, each.plain_type, each.unit) for name, each in program.variables.items()},
        {name: Column(name, each.type, each.unit) for name, each in program.results.items()},
        program.seed or "",
        {name: each.rule["python"] for name, each in program.results.items() if "python" in each.rule},
        program.rules,
    )


def write_columns(folder: Path, columns: Columns) -> bool:
    """Write what the columns of a sweep are; whether that is something new."""
    content = {
        "seed": columns.seed,
        "functions": columns.functions,
        "rules": columns.rules,
        "variables": _to_json(columns.variables.values()),
        "results": _to_json(columns.results.values()),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    file = folder / FILE
    if file.exists() and file.read_text("utf-8") == text:
        return False
    file.write_text(text, encoding="utf-8")
    return True


def _to_json(columns: Iterable[Column]) -> dict[str, Any]:
    return {each.name: {"type": each.type, "unit": each.unit} for each in columns}


def read_columns(folder: Path) -> Columns:
    """Read what the columns of a sweep are; of one that was laid out without, nothing is known."""
    try:
        content = json.loads((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return Columns()
    variables, results = (
        {name: Column(name, each["type"], each["unit"]) for name, each in content[part].items()}
        for part in ("variables", "results")
    )
    return Columns(variables, results, content["seed"], content["functions"], content["rules"])
