"""The table of a variable in a program's file: `[variable.NAME]`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from penstock.workflows.sweep.jsontext import Pointed
from penstock.workflows.sweep.keys import Table, listed
from penstock.workflows.sweep.namelist import Assigned
from penstock.workflows.sweep.place import Place, Spot, WordOfLine
from penstock.workflows.sweep.variable import BOUNDS, TYPES, Bound, Variable, around, check_format


def read_variable(name: str, table: Table) -> Variable:
    kind = table.take("type", str) or "float"
    if kind not in TYPES:
        raise table.error("type", f"the type {kind!r} is unknown; use one of {', '.join(TYPES)}")
    default = table.take_any("default")
    try:
        bare = Variable(
            name=name,
            type=kind,
            unit=table.take("unit", str) or "",
            help=table.take("help", str) or "",
            format=_format(table, kind),
            truths=(_truth(table, "true"), _truth(table, "false")),
            around=around(str(default)) if kind == "path_with_int" else ("", ""),
            places=tuple(_place(each) for each in _place_tables(table)),
        )
        made = _limited(bare, table)
        chosen = None if default is None else made.read(default)
    except ValueError as error:
        raise table.error("default", f"{name}: {error}") from None
    table.end()
    return replace(made, default=chosen)


def _limited(bare: Variable, table: Table) -> Variable:
    """Add bounds and choices, which are values of the variable themselves."""
    bounds = tuple(Bound(word, bare.read(table.take_any(word))) for word in BOUNDS if word in table.values)
    choices = tuple(map(bare.read, table.take("choices", cast("type[list[object]]", list)) or []))
    table.known += BOUNDS
    if bounds and bare.type in ("str", "choice", "bool"):
        raise ValueError(f"{bounds[0].word} is for numbers; list what is allowed as choices")
    if bare.type == "choice" and not choices:
        raise ValueError("a choice has choices; list them")
    return replace(bare, bounds=bounds, choices=choices)


def _format(table: Table, kind: str) -> str:
    spec = table.take("format", str) or ""
    try:
        check_format(spec, kind)
    except ValueError as error:
        raise table.error("format", str(error)) from None
    return spec


def _truth(table: Table, word: str) -> str:
    """Take how the program writes a truth: a text, or a number such as 1."""
    given = table.take_any(word)
    if given is None or isinstance(given, bool):
        return word
    if isinstance(given, (str, int)):
        return str(given)
    raise table.error(word, f"{word} is the text that the program writes for it, such as '.{word}.' or '1'")


def _place_tables(table: Table) -> Iterator[Table]:
    table.known.append("place")
    for each in listed(table.values.pop("place", [])):
        if not isinstance(each, dict):
            raise table.error(
                "place", 'a place is a table such as { line = 3, word = 1 } or { json = "/grid/nx" }'
            )
        yield Table(dict(cast("dict[str, Any]", each)), table.places, (*table.path, "place"))


def _place(table: Table) -> Place:
    name = table.take("input", str)
    if name is None:
        raise table.error("input", "say in which input the place is, such as input = 'in.json'")
    spot = _spot(table)
    table.end()
    return Place(name, spot)


def _spot(table: Table) -> Spot:
    pointer, assigned, line = table.take("json", str), table.take("namelist", str), table.take("line", int)
    if [pointer, assigned, line].count(None) != 2:
        raise table.error("line", "a place has one of line, json and namelist")
    if pointer is not None:
        return Pointed(pointer)
    if assigned is not None:
        group, slash, name = assigned.lstrip("&").partition("/")
        if not slash:
            raise table.error("namelist", f"{assigned!r} is not a group and a name; write 'group/name'")
        return Assigned(group, name, _counted(table, "element"))
    return WordOfLine(line or 0, _counted(table, "word"))


def _counted(table: Table, key: str) -> int:
    number = table.take(key, int)
    if number is not None and number < 1:
        raise table.error(key, f"{key} is counted from 1, not {number}")
    return number or 1
