"""The file of a program, `programs/NAME.toml`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from penstock.workflows.sweep.columns import READERS
from penstock.workflows.sweep.keys import Table, listed, read_table
from penstock.workflows.sweep.program import RESERVED, Program, Result
from penstock.workflows.sweep.template import Argument, Delimiters, Template
from penstock.workflows.sweep.value import number
from penstock.workflows.sweep.variable import Variable
from penstock.workflows.sweep.variabletable import read_variable


def read_program(file: Path) -> Program:
    """Read the file of a program and its inputs. Raises DefinitionError, with file and line."""
    top = read_table(file)
    head = top.table("program")
    variables = {name: read_variable(name, table) for name, table in _inputs_known(top)}
    delimiters = _delimiters(head) or ("{", "}")
    inputs = tuple(_input(name, table, variables, delimiters) for name, table in top.tables("input"))
    _check_places(variables, inputs, top)
    variables = {name: _settled(each, inputs, top) for name, each in variables.items()}
    program = Program(
        name=head.take("name", str) or file.stem,
        file=file,
        executable=head.need("executable", str),
        arguments=_arguments(head, variables, delimiters),
        inputs=inputs,
        variables=variables,
        products=head.texts("products"),
        fetch=head.texts("fetch"),
        **_build(head),
        beside=head.texts("beside"),
        folders=head.texts("folders"),
        log=head.take("log", str),
        success=head.take("success", str),
        seed=head.take("seed", str),
        launcher=_launcher(head),
        cpus=head.take("cpus", int),
        restart=_restart(head),
        core_hours=_hours(head),
        help=head.take("help", str) or "",
        results={name: _result(name, table, variables) for name, table in top.tables("result")},
    )
    if program.seed is not None and program.seed not in variables:
        raise head.error("seed", f"{program.seed} is not one of the variables: {', '.join(variables)}")
    head.end()
    top.end()
    return program


def _inputs_known(top: Table) -> Iterator[tuple[str, Table]]:
    """Yield the tables of variables; a place without an input is in the only one."""
    inputs = list(cast("dict[str, Any]", top.values.get("input", {})))
    for name, table in top.tables("variable"):
        if not name.isidentifier() or not name.isascii() or name in RESERVED:
            why = "has a meaning of its own" if name in RESERVED else "is not a name of letters, digits and _"
            raise table.places.error(table.path, f"{name!r} {why}; choose another name for the variable")
        for each in cast("list[Any]", listed(table.values.get("place", []))):
            if isinstance(each, dict) and len(inputs) == 1:
                cast("dict[str, Any]", each).setdefault("input", inputs[0])
        yield name, table


def _result(name: str, table: Table, variables: Mapping[str, Variable]) -> Result:
    """Read how a number is found in a file that the program made."""
    if name in variables or name in RESERVED:
        why = "is a variable, too" if name in variables else "has a meaning of its own"
        raise table.places.error(table.path, f"{name!r} {why}; choose another name for the result")
    kind, unit = table.take("type", str) or "float", table.take("unit", str) or ""
    if kind not in READERS:
        raise table.error("type", f"a result is of the type {', '.join(READERS)}, not {kind!r}")
    return Result(_rule(table), kind, unit)


def _rule(table: Table) -> Mapping[str, Any]:
    if python := table.take("python", str):
        table.end()
        return {"python": python}
    rule: dict[str, Any] = {"file": table.need("file", str)}
    for key, kind in (
        ("column", int),
        ("row", int),
        ("regex", str),
        ("json", str),
        ("delimiter", str),
        ("take", str),
    ):
        value = table.take(key, kind)
        if value is not None:
            rule[key] = value
    table.end()
    if sum(key in rule for key in ("column", "regex", "json")) != 1:
        raise table.error("file", "a result has one of column, regex and json")
    if rule.get("column", 1) < 1 or rule.get("row", 1) == 0 or rule.get("take", "mean") != "mean":
        raise table.error(
            "column", 'columns and rows are counted from 1, the last row is -1, and take is "mean"'
        )
    try:
        re.compile(rule.get("regex", ""))
    except re.error as error:
        raise table.error("regex", f"{rule['regex']!r} is not a regular expression: {error}") from None
    return rule


def _build(head: Table) -> dict[str, tuple[str, ...]]:
    """Read how the executable is built, of what."""
    sources, build = head.texts("sources"), head.texts("build")
    if bool(sources) != bool(build):
        raise head.error("build" if build else "sources", "sources and build go together; give both")
    return {"sources": sources, "build": build}


def _launcher(head: Table) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(head.take("launcher", str) or ""))
    except ValueError as error:
        raise head.error("launcher", f"the launcher cannot be split into words: {error}") from None


def _restart(head: Table) -> Mapping[str, Sequence[str]] | None:
    """Read how an interrupted run goes on; without `args` it is started as at first."""
    if "restart" not in head.values:
        head.known.append("restart")
        return None
    table = head.table("restart")
    made = {key: table.texts(key) for key in ("files", "args") if key in table.values or key == "files"}
    table.known.append("args")
    table.end()
    if not made["files"]:
        raise head.error("restart", "restart names the files to go on with: { files = [...], args = [...] }")
    return made


def _hours(head: Table) -> float | None:
    given = head.take_any("core_hours")
    try:
        return None if given is None else float(number(str(given)))
    except ValueError as error:
        raise head.error("core_hours", f"core_hours: {error}") from None


def _arguments(
    head: Table, variables: Mapping[str, Variable], delimiters: Delimiters
) -> tuple[Argument, ...]:
    try:
        texts = head.texts("arguments")
        return tuple(Argument.parse(text, variables=variables, delimiters=delimiters) for text in texts)
    except ValueError as error:
        raise head.error("arguments", str(error)) from None


def _delimiters(table: Table) -> Delimiters | None:
    given = table.texts("delimiters")
    if not given:
        return None
    if len(given) != 2 or not all(given) or any(mark.isalnum() or mark.isspace() for mark in given):
        raise table.error("delimiters", 'delimiters are two texts around a name, such as ["<<", ">>"]')
    return given[0], given[1]


def _input(name: str, table: Table, variables: Mapping[str, Variable], delimiters: Delimiters) -> Template:
    if Path(name).is_absolute() or ".." in Path(name).parts or not name:
        raise table.places.error(
            table.path, f"the input {name!r} leaves the folder of its job; name a file in it"
        )
    file = table.file.parent / (table.take("source", str) or name)
    own, encoding = _delimiters(table), table.take("encoding", str)
    table.end()
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise table.places.error(table.path, f"the input {file} cannot be read: {error.strerror}") from None
    return Template.parse(
        raw,
        name=name,
        file=file,
        variables=variables,
        delimiters=own or delimiters,
        encoding=encoding or "utf-8",
    )


def _check_places(variables: Mapping[str, Variable], inputs: tuple[Template, ...], top: Table) -> None:
    known = [template.name for template in inputs]
    for variable in variables.values():
        for place in variable.places:
            if place.input not in known:
                message = (
                    f"{variable.name} has a place in {place.input!r}, which is no input; there are {known}"
                )
                raise top.places.error(("variable", variable.name, "place"), message)


def _settled(variable: Variable, inputs: tuple[Template, ...], top: Table) -> Variable:
    """Take the default that stands in an input, in the spelling that it has there."""
    now = next((found[variable.name] for each in inputs if variable.name in (found := each.found)), None)
    if now is None or (variable.default and variable.default.identity != now.identity):
        return variable
    try:
        variable.read(now.text)
    except ValueError as error:
        message = f"what stands in the input for {variable.name} is not allowed: {error}"
        raise top.places.error(("variable", variable.name), message) from None
    return replace(variable, default=now)
