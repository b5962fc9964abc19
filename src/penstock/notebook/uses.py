"""The names that a definition takes from around it."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from penstock.config.syntax import makes_stage
from penstock.notebook.cells import Definition


class Uses(NamedTuple):
    """What a definition takes: names, those of them that must be there before it, and paths such as `scipy.optimize`."""

    names: tuple[str, ...]
    at_once: frozenset[str]
    paths: frozenset[str]


class Unannotated(ast.NodeTransformer):
    """Takes annotations away, which nobody evaluates there, and the decorators that make a stage."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.decorator_list = [one for one in node.decorator_list if not makes_stage(one)]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)


def uses_of(definition: Definition) -> Uses:
    """Return what a definition takes from around it; its own name and Python's built-in ones are left out."""
    bare = Unannotated().visit(deepcopy(definition))
    module = ast.fix_missing_locations(ast.Module([bare], []))
    table = symtable.symtable(ast.unparse(module), "cell", "exec")
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()}
    at_once = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    at_once |= {
        name for inner in table.get_children() if inner.get_type() == "class" for name in global_in(inner)
    }
    names = at_once.union(*(reached(inner) for inner in table.get_children()))
    taken = sorted(name for name in names - own if not is_builtin(name))
    return Uses(tuple(taken), frozenset(at_once - own), frozenset(paths_in(bare)))


def is_builtin(name: str) -> bool:
    """Whether Python itself has this name everywhere; IPython adds some that only a notebook has."""
    return hasattr(builtins, name) and not is_of_kernel(getattr(builtins, name))


def is_of_kernel(value: Any) -> bool:
    """Whether something belongs to IPython, and to no task."""
    return str(getattr(value, "__module__", "")).partition(".")[0] in ("IPython", "ipykernel")


def reached(table: symtable.SymbolTable) -> set[str]:
    """Return the global names that a scope reads, and those in it."""
    return set(global_in(table)).union(*(reached(inner) for inner in table.get_children()))


def global_in(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the global names that a scope itself reads."""
    for symbol in table.get_symbols():
        if symbol.is_global() and (symbol.is_referenced() or symbol.is_declared_global()):
            yield symbol.get_name()


def paths_in(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted paths in a tree: of `a.b.c` also `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (path := dotted(node)):
            yield path


def dotted(node: ast.expr) -> str | None:
    """Return `a.b.c` where it is made of names alone."""
    if isinstance(node, ast.Name):
        return node.id
    above = dotted(node.value) if isinstance(node, ast.Attribute) else None
    return f"{above}.{node.attr}" if isinstance(node, ast.Attribute) and above else None
