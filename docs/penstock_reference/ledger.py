"""The tables of the record, from its schema."""

import re
from dataclasses import dataclass
from importlib.resources import files

from penstock_reference.markdown import code, join, sentence, table

_TABLE = re.compile(
    r"(?P<above>(?:^--[^\n]*\n)*)^CREATE TABLE (?P<name>\w+) \((?P<body>.*?)\)(?: WITHOUT ROWID)?;(?: *-- (?P<beside>[^\n]*))?$",
    re.MULTILINE | re.DOTALL,
)
_COLUMN = re.compile(r"(\w+) (INTEGER|BLOB|TEXT|REAL)\b([^,]*)")
_CONSTRAINT = re.compile(r"^\s*(?:PRIMARY KEY|UNIQUE) \(([^)]*)\)", re.MULTILINE)

INTRODUCTION = """# The ledger

`.penstock/ledger.sqlite` is the record of a campaign. Any SQLite reads it while penstock writes:
`sqlite3 'file:.penstock/ledger.sqlite?mode=ro'`. On a [file system that hosts share](../howto/shared.md) there is the
copy `.penstock/ledger.<n>.sqlite` instead: `sqlite3 'file:.penstock/ledger.7.sqlite?immutable=1'`. Only penstock may
write them. Times are seconds since 1970, sizes are bytes, keys are JSON. A task is named by the ids of its stage and its
unit; unit 1 is the whole campaign."""

MEANINGS = {
    "meta": "Single facts: the campaign's name, its levels, the present definition.",
    "stage": "The stages of the definition, and former ones.",
    "task": "One stage for one unit: its state and what led to it. Its rows are what `penstock units` lists.",
    "product": "The files that tasks produce.",
    "attempt": "Every try of a task: outcome, usage, place, log and what was decided after it.",
    "job": "What was submitted to a site.",
    "element": "The states of array elements in their queue.",
    "batch": "Tasks that were submitted together.",
    "request": "What people requested while a conductor was running; it applies them first in each turn.",
    "veto": "Vetoes, including lifted ones.",
}


@dataclass(frozen=True)
class Column:
    """One column, as the schema writes it."""

    name: str
    kind: str
    note: str


@dataclass(frozen=True)
class Made:
    """One table, as the schema writes it."""

    name: str
    note: str
    columns: tuple[Column, ...]
    key: str


def read_tables() -> list[Made]:
    """Read the tables of the schema, with its comments."""
    schema = files("penstock.ledger").joinpath("schema.sql").read_text("utf-8")
    return [_read(found) for found in _TABLE.finditer(schema)]


def _read(found: re.Match[str]) -> Made:
    body, columns = found["body"], list[Column]()
    for line in body.splitlines() or [body]:
        definition, _, note = line.partition("--")
        for name, kind, rest in _COLUMN.findall(definition):
            columns.append(
                Column(
                    name,
                    kind.lower() + ("" if "NOT NULL" in rest or "PRIMARY" in rest else ", or NULL"),
                    note.strip(),
                )
            )
    above = " ".join(line.removeprefix("--").strip() for line in found["above"].splitlines())
    key = _CONSTRAINT.search(body)
    return Made(found["name"], above or found["beside"] or "", tuple(columns), key[1] if key else "")


def meaning_of(made: Made) -> str:
    """Say what a table holds: our words, or else those of the schema."""
    return MEANINGS.get(made.name) or made.note


def render_page() -> str:
    """Render the page."""
    return join(INTRODUCTION, *(_describe(made) for made in read_tables()))


def _describe(made: Made) -> str:
    rows = ((code(c.name), c.kind, sentence(c.note) if c.note else "") for c in made.columns)
    key = f"One row for each {', '.join(map(code, made.key.split(', ')))}." if made.key else ""
    return join(
        f"## {made.name}", sentence(meaning_of(made)), key, table(("column", "type", "meaning"), rows)
    )
