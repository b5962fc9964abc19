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
from typing import Any, NamedTuple, cast

from penstock.config.syntax import makes_stage

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
NAMING = (ast.Assign, ast.AnnAssign)


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
    """Whether a function or class is in no file that an import finds: typed at a prompt, in a notebook, or in a script
    that would run its campaign again when it is imported.
    """
    if not isinstance(value, (type, types.FunctionType)) or value.__module__ != "__main__":
        return False
    if (file := main_file()) is None:
        return True
    if (found := find_typed(value)) is None:
        return isinstance(value, types.FunctionType) and value.__code__.co_filename != file
    if found.cell != file:
        return True
    return runs_at_import(found.text) or all(node is not found.node for node in definitions_in(found.text))


def main_file() -> str | None:
    """Return the script that runs; marimo has one around its cells, Jupyter none."""
    return getattr(sys.modules["__main__"], "__file__", None)


def find_typed(value: Any) -> Typed | None:
    """Return where a typed function or class stands; None where its text is not known any more."""
    return find_class(value) if isinstance(value, type) else find_function(value)


def find_function(function: types.FunctionType) -> Typed | None:
    """Return the `def` of a function; of a lambda the assignment that gives it its name."""
    code = function.__code__
    text = text_of(code.co_filename)
    for node in definitions_in(text, within=is_main(code.co_filename, function.__qualname__)):
        first = min([node.lineno, *(one.lineno for one in decorators_of(node))])
        if isinstance(node, NAMING):
            if isinstance(node.value, ast.Lambda) and first <= code.co_firstlineno <= (
                node.end_lineno or first
            ):
                return Typed(node, text, code.co_filename)
        elif node.name == code.co_name and first == code.co_firstlineno:
            return Typed(node, text, code.co_filename)
    return None


def find_class(kind: type) -> Typed | None:
    """Return the `class` of a type, or the call that made it: in the cell of one of its methods, else in the last one
    that has such a class.
    """
    codes = (one.__code__ for one in vars(kind).values() if isinstance(one, types.FunctionType))
    files = [*dict.fromkeys(code.co_filename for code in codes)]
    main = [file for file in [main_file()] if file]
    for file in (*files, *reversed(list(linecache.cache)), *main):
        text = text_of(file) if is_cell(file) or file in main else ""
        for node in definitions_in(text, within=is_main(file, kind.__qualname__)):
            if is_class(node) and own_name(node) == kind.__name__:
                return Typed(node, text, file)
    return None


def is_class(node: Definition) -> bool:
    """Whether this is a class, or makes one: `Point = namedtuple("Point", "x y")`."""
    return isinstance(node, ast.ClassDef) or (isinstance(node, NAMING) and isinstance(node.value, ast.Call))


def own_name(node: Definition) -> str:
    """Return the name under which something is defined."""
    if not isinstance(node, NAMING):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return cast("ast.Name", target).id


def is_main(file: str, qualname: str) -> bool:
    """Whether something at the top of the script that runs may stand in a function there: marimo writes cells so."""
    return file == main_file() and "<locals>" not in qualname


@lru_cache(maxsize=16)
def runs_at_import(text: str) -> bool:
    """Whether an import of this script would run a campaign, which is under no `if __name__ == "__main__"`."""
    tree = parsed(text)
    made = {own_name(node) for node in definitions_in(text) if isinstance(node, NAMING)}
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "run"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in made
        for call in calls_in(tree)
    )


def calls_in(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that an import makes itself."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from calls_in(node)


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


def definitions_in(text: str, *, within: bool = False) -> Iterator[Definition]:
    """Yield what a cell defines at its top, also under an `if`, a `try` or a `with`; and what is `within` functions."""
    todo: list[ast.AST] = list(reversed(parsed(text).body))
    while todo:
        node = todo.pop()
        is_named = isinstance(node, NAMING) and is_name(node)
        if is_named or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield cast("Definition", node)
        if within or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            todo += (one for one in reversed([*ast.iter_child_nodes(node)]) if isinstance(one, ast.stmt))


def is_name(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether an assignment gives something a name."""
    return all(
        isinstance(one, ast.Name) for one in (node.targets if isinstance(node, ast.Assign) else [node.target])
    )


def decorators_of(node: Definition) -> list[ast.expr]:
    """Return the decorators of a definition."""
    return [] if isinstance(node, NAMING) else node.decorator_list


def source_of(typed: Typed) -> str:
    """Return the text of a definition as it was typed, without the decorators that make a stage, for the top of a module."""
    kept = [one for one in decorators_of(typed.node) if not makes_stage(one)]
    indent = " " * typed.node.col_offset
    said = [f"{indent}@{ast.get_source_segment(typed.text, one)}\n" for one in kept]
    body = typed.text.splitlines(keepends=True)[typed.node.lineno - 1 : typed.node.end_lineno]
    block = ["if True:\n"] if indent else []  # taking the indentation away would change texts in the function
    return "".join([*block, *said, *body]).rstrip() + "\n"
