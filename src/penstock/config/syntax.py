"""What Python text means: without comments, docstrings and positions, and the same in every version of Python."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeVar, cast

T = TypeVar("T")

IMPORTERS = ("import_module", "__import__")
UNTOLD = frozenset({"ctx", "kind", "type_comment"})  # fields of nodes that change nothing of what is run


class Statement(NamedTuple):
    """A statement at the top of a module: what it means, and all names and texts in it.

    `stage` is the name of a function that a decorator makes a stage.
    """

    digest: str
    names: frozenset[str] = frozenset()
    stage: str | None = None


class Syntax(NamedTuple):
    """A module: its statements, and what it may import."""

    statements: tuple[Statement, ...]
    imports: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All of it except the functions of stages."""
        return frozenset[str]().union(*(one.names for one in self.statements if not one.stage))

    def digest(self, names: Collection[str]) -> str:
        """Digest the module, of the functions of stages those that `names` has."""
        told = [one.digest for one in self.statements if not one.stage or one.stage in names]
        return digest_of("\n".join(told).encode())


def read_syntax(content: bytes, package: Sequence[str] = ()) -> Syntax:
    """Read the text of a module, whose relative imports start from `package`; what is not Python is one statement."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return Syntax((Statement(digest_of(content)),))  # `check` says it
    imports = tuple(dict.fromkeys(imports_of(tree, package)))
    statements = (node for node in Undefined().visit(tree).body if not is_text(node))
    return Syntax(tuple(map(statement_of, statements)), imports)


def statement_of(node: ast.stmt) -> Statement:
    """Sum a statement up."""
    meaning = meaning_of(node).encode(errors="surrogatepass")
    return Statement(digest_of(meaning), frozenset(names_in(node)), stage_of(node))


def digest_of(content: bytes) -> str:
    """Return what stands for a content."""
    return hashlib.sha256(content).hexdigest()[:32]


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield the names, and the texts that may be some, which stand in a tree."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id=name)
                | ast.Attribute(attr=name)
                | ast.alias(name=name)
                | ast.Constant(value=str(name))
            ):
                yield name
            case _:
                pass


def meaning_of(value: object) -> str:
    """Write a tree without its empty fields.

    It is not `ast.dump`, which each version of Python writes in another way.
    """
    if isinstance(value, ast.AST):
        fields = ((name, told(name, field)) for name, field in ast.iter_fields(value) if name not in UNTOLD)
        said = ",".join(f"{name}={meaning_of(field)}" for name, field in fields if field not in (None, []))
        return f"{type(value).__name__}({said})"
    if isinstance(value, list):
        return f"[{','.join(meaning_of(one) for one in cast('list[object]', value))}]"
    return repr(value)


def told(name: str, field: object) -> object:
    """Leave out the texts that stand alone, as docstrings do, and the decorators that only make a function a stage."""
    if name not in ("body", "decorator_list") or not isinstance(field, list):
        return field
    leave_out = is_text if name == "body" else makes_stage
    return [one for one in cast("list[ast.expr]", field) if not leave_out(one)]


def is_text(node: object) -> bool:
    """Whether a statement is nothing but a text."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def imports_of(tree: ast.Module, package: Sequence[str]) -> Iterator[str]:
    """Yield what a module may import, wherever that stands; what it takes from a module may be a module, too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                yield from taken(module or "", [alias.name for alias in aliases], package, level)
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if (
                called(function) in IMPORTERS
            ):
                dots = len(name) - len(name.lstrip("."))
                yield from taken(name[dots:], [], package, dots)
            case _:
                pass


def taken(module: str, names: Sequence[str], package: Sequence[str], dots: int) -> Iterator[str]:
    """Yield the modules that `from MODULE import NAMES` may mean."""
    above = package[: len(package) - dots + 1] if dots else ()
    base = ".".join([*above, *([module] if module else [])])
    yield base
    yield from (f"{base}.{name}" if base else name for name in names)


def called(function: ast.expr) -> str:
    """Return the last part of the name of what is called."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def stage_of(node: ast.stmt) -> str | None:
    """Return the name of a function that a decorator makes a stage."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and any(
        map(makes_stage, node.decorator_list)
    ):
        return node.name
    return None


def makes_stage(decorator: ast.expr) -> bool:
    """Whether this is `@campaign.stage(…)`."""
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and call.attr == "stage"


class Undefined(ast.NodeTransformer):
    """Takes out of a module what only defines the campaign: that is in the definition's own digest."""

    def keep(self, node: T) -> T:
        """Keep what runs later, whatever it calls."""
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if makes_stage(node.value) and isinstance(node.value, ast.Call) else node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        return None if isinstance(node.value, ast.Call) and called(node.value.func) == "Campaign" else node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = keep
