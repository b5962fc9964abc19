"""Where functions and classes that were typed in cells stand: the text of a cell is kept by Python for tracebacks."""

from __future__ import annotations

import ast
import linecache
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from penstock.config.syntax import makes_stage

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign


@dataclass(frozen=True, slots=True)
class Typed:
    """A definition in a cell: its syntax, the cell's text, and the name under which that was compiled."""

    node: Definition
    text: str
    cell: str


class Cell(NamedTuple):
    """A cell, by the id that its front end has for it, and which run of it this is."""

    id: str
    run: str


def running_cell() -> Cell | None:
    """Return the cell that runs now, where the front end tells."""
    shell: Any = import_module("IPython").get_ipython() if "IPython" in sys.modules else None
    request: dict[str, Any] = shell.get_parent() if hasattr(shell, "get_parent") else {}
    told: dict[str, Any] = request.get("metadata") or {}
    id = told.get("cellId")
    return Cell(str(id), str(request["header"]["msg_id"])) if id else None


def is_typed(value: Any) -> bool:
    """Whether a function or class is in no file that an import finds: typed at a prompt or in a notebook."""
    if isinstance(value, type):
        if value.__module__ != "__main__":
            return False
        return (
            not hasattr(sys.modules["__main__"], "__file__") or find_class(value) is not None
        )  # marimo has one
    if not isinstance(value, types.FunctionType) or value.__module__ != "__main__":
        return False
    return value.__code__.co_filename != value.__globals__.get("__file__")


def find_typed(value: Any) -> Typed | None:
    """Return where a typed function or class stands; None where its text is not known any more."""
    return find_class(value) if isinstance(value, type) else find_function(value)


def find_function(function: types.FunctionType) -> Typed | None:
    """Return the `def` of a function; of a lambda the assignment that it stands in."""
    code = function.__code__
    text = text_of(code.co_filename)
    for node in definitions_in(text):
        first = min([node.lineno, *(one.lineno for one in decorators_of(node))])
        if isinstance(node, ast.Assign):
            if code.co_name == "<lambda>" and first <= code.co_firstlineno <= (node.end_lineno or first):
                return Typed(node, text, code.co_filename)
        elif node.name == code.co_name and first == code.co_firstlineno:
            return Typed(node, text, code.co_filename)
    return None


def find_class(kind: type) -> Typed | None:
    """Return the `class` of a type: in the cell of one of its methods, else in the last one that has such a class."""
    codes = (one.__code__ for one in vars(kind).values() if isinstance(one, types.FunctionType))
    files = [*dict.fromkeys(code.co_filename for code in codes)]
    for file in (*files, *reversed(list(linecache.cache))):
        for node in definitions_in(text_of(file) if is_cell(file) else ""):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                return Typed(node, text_of(file), file)
    return None


def is_cell(file: str) -> bool:
    """Whether the text of this name is kept for as long as the process lives: it was compiled from no file.

    That is a cell, and the text of a prompt; IPython keeps its cells under names of files that do not exist.
    """
    entry = linecache.cache.get(file)
    return entry is not None and len(entry) == 4 and entry[1] is None


def text_of(file: str) -> str:
    """Return the text that was compiled under this name."""
    return "".join(linecache.getlines(file))


@lru_cache(maxsize=256)
def parsed(text: str) -> ast.Module:
    """Return the syntax of a cell; nothing where it is none."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def definitions_in(text: str) -> Iterator[Definition]:
    """Yield what a cell defines at its top, also under an `if`, a `try` or a `with`."""
    todo: list[ast.AST] = list(reversed(parsed(text).body))
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign)):
            yield node
        else:
            todo += (one for one in reversed([*ast.iter_child_nodes(node)]) if isinstance(one, ast.stmt))


def decorators_of(node: Definition) -> list[ast.expr]:
    """Return the decorators of a definition."""
    return [] if isinstance(node, ast.Assign) else node.decorator_list


def source_of(typed: Typed) -> str:
    """Return the text of a definition as it was typed, without the decorators that make a stage, for the top of a module."""
    kept = [one for one in decorators_of(typed.node) if not makes_stage(one)]
    indent = " " * typed.node.col_offset
    said = [f"{indent}@{ast.get_source_segment(typed.text, one)}\n" for one in kept]
    body = typed.text.splitlines(keepends=True)[typed.node.lineno - 1 : typed.node.end_lineno]
    block = ["if True:\n"] if indent else []  # taking the indentation away would change texts in the function
    return "".join([*block, *said, *body]).rstrip() + "\n"
