"""Every sentence with which penstock can refuse something, read from where the code raises it: `…` stands for a value."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import penstock
from penstock import errors
from penstock_reference.markdown import as_code, code, join, table

SOURCE = Path(penstock.__file__).parent
OURS = tuple(
    name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)
)
# What is no error of its own → how a person meets it, and the exit code then.
KINDS = {
    "ValueError": ("a value is refused, with its place", "2"),
    "UsageError": ("the command line", "2"),
    "BadParameter": ("the command line", "2"),
}
NEAR = (
    "runner",
    "testing",
    "pretended",
    "simulation",
)  # the far end has no errors for people; the others are no real ones
DEEP = 5  # functions that a sentence goes through on its way to the error
VALUE = "…"
FEW = 4  # words: a text with less is a frame for others, which are sentences of their own
WORDS = re.compile(r"[^\W\d_]{2,}")

T = TypeVar("T")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Site:
    """A place that makes an error: which one, and with what sentences."""

    file: str
    line: int
    error: str
    sentences: tuple[str, ...]
    given: str

    @property
    def area(self) -> str:
        """The part of penstock: a package, or a workflow."""
        parts = Path(self.file).with_suffix("").parts
        return parts[1] if parts[0] == "workflows" else parts[0]

    @property
    def passes_on(self) -> bool:
        """Whether it only passes on what another error said, or what was decided before."""
        literal = re.sub(r"\{[^{}]*\}", "", self.given) if self.given.startswith("f") else self.given
        return bool(re.fullmatch(r"str\(\w+\)|\w+(\.\w+)*|\w+\['\w+'\]|f['\"][^\w]*", literal))


class Module:
    """A parsed file: what is around each node, its calls, functions and classes, and what its names are assigned."""

    def __init__(self, path: Path) -> None:
        self.file = str(path.relative_to(SOURCE))
        self.tree = ast.parse(path.read_text("utf-8"))
        self.around: dict[ast.AST, ast.AST] = {}
        self.calls: list[ast.Call] = []
        self.functions: list[Function] = []
        self.classes: list[ast.ClassDef] = []
        self.assigned: dict[
            tuple[ast.AST, str], list[ast.expr]
        ] = {}  # by the function, or the file, and the name
        self.read(self.tree, self.tree)

    def read(self, node: ast.AST, scope: ast.AST) -> None:
        """Note what is below a node."""
        for child in ast.iter_child_nodes(node):
            self.around[child] = scope
            within = scope
            match child:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.functions.append(child)
                    within = child
                case ast.ClassDef():
                    self.classes.append(child)
                case ast.Call():
                    self.calls.append(child)
                case ast.Assign() | ast.AnnAssign() | ast.NamedExpr() | ast.For():
                    for name, value in bound(child):
                        self.assigned.setdefault((scope, name), []).append(value)
                case _:
                    pass
            self.read(child, within)


def bound(node: ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.For) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement binds, each with what it is bound to, or with all of what is taken apart."""
    value = node.iter if isinstance(node, ast.For) else node.value
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name) and value:
            yield target.id, value
        elif isinstance(target, ast.Tuple) and value:
            parts = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
            for one, part in zip(target.elts, parts, strict=False):
                if isinstance(one, ast.Name):
                    yield one.id, part


@cache
def modules() -> tuple[Module, ...]:
    """Parse all that may have errors for people."""
    found = (path for path in sorted(SOURCE.rglob("*.py")) if path.relative_to(SOURCE).parts[0] not in NEAR)
    return tuple(map(Module, found))


@cache
def calls() -> dict[str, list[tuple[Module, ast.Call]]]:
    """Return all calls, by the bare name of what is called."""
    return by_name((called(call), (module, call)) for module in modules() for call in module.calls)


@cache
def functions() -> dict[str, list[tuple[Module, Function]]]:
    """Return all functions by their bare name."""
    return by_name((node.name, (module, node)) for module in modules() for node in module.functions)


@cache
def constants() -> dict[str, list[tuple[Module, ast.expr]]]:
    """Return what the names at the top of files stand for."""
    return by_name(
        (name, (module, value))
        for module in modules()
        for (scope, name), values in module.assigned.items()
        if scope is module.tree
        for value in values
    )


def by_name(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    """Gather what has one name."""
    found: dict[str, list[T]] = {}
    for name, each in pairs:
        found.setdefault(name, []).append(each)
    return found


def called(call: ast.Call) -> str:
    """Return the bare name of what is called."""
    func = call.func
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def every_site() -> Iterator[Site]:
    """Yield all places that make one of our errors, and those that refuse a value or a command line."""
    derived = {
        node.name: base
        for module in modules()
        for node in module.classes
        for base in map(ast.unparse, node.bases)
        if base in (*OURS, *KINDS) and node.name not in OURS
    }
    for module in modules():
        for call in module.calls:
            name = called(call)
            error = derived.get(name, name)
            if error in (*OURS, *KINDS) and call.args:
                said = sentences(module, call.args[0], DEEP)
                words = tuple(filter(is_sentence, said))
                yield Site(module.file, call.lineno, error, words, ast.unparse(call.args[0]))


def is_sentence(text: str) -> bool:
    """Whether a text is more than a value or a name."""
    words = WORDS.findall(text)
    return " " in text and not text.startswith("<") and (len(words) > 1 or len("".join(words)) > 3)


@cache
def sentences(module: Module, node: ast.expr, deep: int) -> tuple[str, ...]:
    """Return the texts that an expression can be."""
    return tuple(dict.fromkeys(map(tidy, texts(module, node, deep))))


def texts(module: Module, node: ast.expr, deep: int) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            text = "".join(v.value if isinstance(v, ast.Constant) else VALUE for v in node.values)
            yield text
            if len(WORDS.findall(text)) < FEW:
                yield from within(module, node.values, deep)
        case ast.BinOp(op=ast.Add()):
            for left in sentences(module, node.left, deep):
                yield from (left + right for right in sentences(module, node.right, deep))
        case ast.IfExp():
            yield from sentences(module, node.body, deep)
            yield from sentences(module, node.orelse, deep)
        case ast.BoolOp():
            for value in node.values:
                yield from sentences(module, value, deep)
        case ast.Name() if deep:
            yield from named(module, node, deep - 1)
        case ast.Call() if deep:
            yield from returned(module, node, deep - 1)
        case _:
            yield VALUE


def returned(module: Module, call: ast.Call, deep: int) -> Iterator[str]:
    """Yield the texts that a call can give."""
    name = called(call)
    if name == "join":
        yield from within(module, call.args, deep)
        return
    for where, function in functions().get(name, ()):
        for each in ast.walk(function):
            if isinstance(each, ast.Return | ast.Yield) and each.value:
                yield from sentences(where, each.value, deep)
    yield VALUE


def within(module: Module, nodes: Sequence[ast.expr], deep: int) -> Iterator[str]:
    """Yield the texts that are parts of others."""
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.JoinedStr | ast.Name | ast.Call) and part is not node.__dict__.get(
                "format_spec"
            ):
                yield from (text for text in sentences(module, part, deep) if text != VALUE)


def named(module: Module, node: ast.Name, deep: int) -> Iterator[str]:
    """Yield the texts that a name stands for: what it is bound to in its function or file, or what callers give."""
    scope = module.around[node]
    bound_to = module.assigned.get((scope, node.id))
    if bound_to:
        for value in bound_to:
            yield from sentences(module, value, deep)
    elif isinstance(scope, Function) and node.id in (places := positions(scope)):
        for where, call in calls().get(scope.name, ()):
            if (given := argument_of(call, node.id, places[node.id])) is not None:
                yield from sentences(where, given, deep)
    elif node.id.isupper():
        for where, value in constants().get(node.id, ()):
            yield from sentences(where, value, deep)
    yield VALUE


def positions(function: Function) -> dict[str, int | None]:
    """Return at which place each parameter is given; None if by name only."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    return {**{name: i for i, name in enumerate(names)}, **{a.arg: None for a in function.args.kwonlyargs}}


def argument_of(call: ast.Call, name: str, place: int | None) -> ast.expr | None:
    """Return what a call gives for a parameter."""
    by_name = next((k.value for k in call.keywords if k.arg == name), None)
    return by_name or (call.args[place] if place is not None and place < len(call.args) else None)


def tidy(text: str) -> str:
    """Write a sentence in one line; values beside each other are one."""
    return re.sub(r"…( ?…)+", VALUE, " ".join(text.split()))


def render_index() -> str:
    """Render all sentences, by the part of penstock that says them."""
    rows: dict[str, set[tuple[str, str]]] = {}
    for site in every_site():
        rows.setdefault(site.area, set()).update((text, site.error) for text in site.sentences)
    return join(
        *(
            join(
                f"### Of `{area}`",
                table(("sentence", "error", "exit code"), map(_row, sorted(said, key=_order))),
            )
            for area, said in sorted(rows.items())
            if said
        )
    )


def _order(row: tuple[str, str]) -> tuple[bool, str, str]:
    return row[0].startswith(VALUE), row[0].lstrip(VALUE + " '/").lower(), row[1]


def _row(row: tuple[str, str]) -> tuple[str, str, str]:
    text, error = row
    kind, number = KINDS.get(error) or (code(error), str(getattr(errors, error).exit_code))
    return as_code(text), kind, number
