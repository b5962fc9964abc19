"""From a function that was typed in a notebook to a module with all that it uses, which any Python can import.

What it uses from modules is imported there; what was typed in cells, too, goes along as it was typed; values are written
down. The name of the module is a digest of what it means: a comment, a blank line, another cell or a restart change
nothing, a helper, an import, a constant or a default do.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import os
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from penstock.config.saved import CELLS
from penstock.config.syntax import meaning_of
from penstock.disk import read_whole, write_file
from penstock.errors import DefinitionError
from penstock.notebook.cells import NAMING, Typed, find_typed, is_typed, own_name, source_of
from penstock.notebook.pickles import IMPORTS, READER, pickle_value
from penstock.notebook.uses import Uses, uses_of
from penstock.notebook.values import Unwritable, write

HEADER = '"""What the function {name!r} of a notebook needs, as penstock wrote it down."""\n'
BETWEEN = "\n\n"
FUTURE = "from __future__ import annotations"
READ = "_unpickled"  # what reads pickles in a module


class Origin(NamedTuple):
    """Where lines of a module were typed: the first one there, the name of its cell, the line in that, and how many."""

    line: int
    cell: str
    typed: int
    lines: int


class Module(NamedTuple):
    """A module made of cells, and the files that must be beside it."""

    name: str
    text: str
    files: Mapping[str, bytes]
    origins: Sequence[Origin] = ()
    pickled: frozenset[str] = frozenset()  # the names whose values are pickles

    def save(self, root: Path) -> None:
        """Write it into the campaign's folder, unless it is there; what is wanted again counts as new."""
        folder = root / CELLS
        folder.mkdir(exist_ok=True)
        for name, content in self.files.items():
            if not is_renewed(folder / name) or read_whole(folder / name) != content:
                write_file(folder / name, content)
        if not is_renewed(place := folder / f"{self.name}.py"):
            write_file(place, self.text.encode())


def is_renewed(file: Path) -> bool:
    """Let a file be as of now, and return whether there is one; one of somebody else stays as it is."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    return True


def gather(function: Callable[..., Any], pickled: Collection[str] = ()) -> Module:
    """Return the module for a typed function; values of the names in `pickled` go as pickles.

    Raises DefinitionError, which names what cannot travel and why.
    """
    gathering = Gathering(function.__name__, frozenset(pickled))
    if not function.__name__.isidentifier():
        raise gathering.error("has no name; make it with `def`")
    gathering.add(function.__name__, function)
    return gathering.module()


class Piece(NamedTuple):
    """A definition for a module: its text, what it uses, and where it was typed."""

    text: str
    uses: Uses
    typed: Typed | None = None


@dataclass
class Gathering:
    """Collects what a function needs; `name` is that function, `pickled` are names of values that go as pickles."""

    name: str
    pickled: frozenset[str] = frozenset()
    imports: set[str] = field(default_factory=set[str])
    values: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    typed: dict[str, Piece] = field(default_factory=dict[str, Piece])
    seen: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, name: str, value: Any) -> None:
        """Add what a name means, and all that this needs."""
        if name in self.seen:
            if self.seen[name] is not value:
                raise self.error(f"uses two things called {name!r}; rename one of them")
            return
        self.seen[name] = value
        value = unwrapped(value)
        if isinstance(value, types.ModuleType):
            self.imports.add(import_of(name, value.__name__))
        elif is_typed(value):
            self.add_typed(name, value)
        elif name in self.pickled:
            self.add_pickled(name, value)
        elif (place := place_of(name, value)) is not None:
            self.imports.add(f"from {place[0]} import {aliased(place[1], name)}")
        else:
            self.add_value(name, value)

    def add_value(self, name: str, value: Any) -> None:
        """Write a value down."""
        try:
            written = write(value, name)
        except Unwritable as why:
            raise self.error(f"uses {name!r}, which {why}") from None
        self.values[name] = written.text
        self.imports |= written.imports
        self.files |= written.files

    def add_pickled(self, name: str, value: Any) -> None:
        """Add a value as a pickle, and the classes and functions of cells that it is made of."""
        try:
            made = pickle_value(value, name)
        except Unwritable as why:
            raise self.error(f"uses {name!r}, which {why}") from None
        self.imports.update(IMPORTS)
        self.typed[READ] = Piece(READER, Uses((), frozenset(), frozenset()))
        needed = frozenset([READ, *made.typed])
        self.typed[name] = Piece(made.text, Uses((*made.typed,), needed, frozenset()))
        self.files[made.file] = made.content
        for used, meant in made.typed.items():
            self.add(used, meant)

    def add_typed(self, name: str, value: Any) -> None:
        """Add a function or class as it was typed, and what it uses."""
        if (free := free_of(value)) is not None:
            raise self.error(
                f"uses {free!r} of the function around {name!r}; define {name!r} at the top of a cell"
            )
        if (found := find_typed(value)) is None:
            raise self.error(
                f"uses {name!r}, which no cell defines by that name; make it with `def`,"
                " in a cell without a magic such as %%time, or put it in a module"
            )
        if (own := own_name(found.node)) != name:
            self.typed[name] = Piece(f"{name} = {own}\n", Uses((own,), frozenset([own]), frozenset()))
            self.add(own, value)
            return
        self.check_defaults(value, found)
        uses = uses_of(found.node)
        self.typed[name] = Piece(source_of(found), uses, found)
        self.follow(name, uses, globals_of(value))

    def check_defaults(self, value: Any, found: Typed) -> None:
        """Refuse a default that has another value than when the function was made."""
        for argument, text, default in defaults_of(value, found):
            if text in (around := globals_of(value)) and around[text] is not default:
                raise self.error(
                    f"uses {own_name(found.node)!r}, whose default {argument}={text} is of an earlier {text}; run its cell again"
                )

    def follow(self, name: str, uses: Uses, around: Mapping[str, Any]) -> None:
        """Add what names mean where a definition stands."""
        for used in uses.names:
            if is_given(used, around):
                raise self.error(f"uses {used!r} in {name!r}, which only a notebook has; leave it out")
            if used not in around:
                raise self.error(
                    f"uses {used!r} in {name!r}, which is not defined; run the cell that defines it"
                )
            self.add(used, around[used])
            if isinstance(around[used], types.ModuleType):
                self.add_submodules(used, around[used].__name__, uses)

    def add_submodules(self, name: str, module: str, uses: Uses) -> None:
        """Import the modules in a package that are used as `package.module`."""
        for path in uses.paths:
            full = module + path.removeprefix(name)
            if path.startswith(f"{name}.") and isinstance(sys.modules.get(full), types.ModuleType):
                self.imports.add(f"import {full}")

    def module(self) -> Module:
        """Return all of it as a module: imports, values, and definitions after those that they need at once."""
        values = [f"{name} = {text}\n" for name, text in sorted(self.values.items())]
        imports = [FUTURE, *sorted(self.imports)]  # nobody evaluates annotations there
        parts = ["".join(f"{one}\n" for one in imports), "".join(values)]
        pieces = [self.typed[name] for name in in_order(self.typed)]
        text = BETWEEN.join([part for part in [*parts, *(piece.text for piece in pieces)] if part])
        digest = hashlib.sha256(meaning(text, self.files).encode()).hexdigest()[:12]
        text = f"{HEADER.format(name=self.name)}\n{text}"
        origins = [*origins_in(text, pieces)]
        return Module(f"{self.name}_{digest}", text, self.files, origins, self.pickled & self.seen.keys())

    def error(self, message: str) -> DefinitionError:
        """Return what is wrong with the function."""
        return DefinitionError(f"the function {self.name!r} {message}")


def meaning(text: str, files: Mapping[str, bytes]) -> str:
    """Return what a module means, the same in every version of Python, without comments and docstrings."""
    return "\n".join([meaning_of(ast.parse(text)), *sorted(files)])


def is_given(name: str, around: Mapping[str, Any]) -> bool:
    """Whether IPython gives a name to all cells: `display` and, as a method of the shell, `get_ipython`."""
    return hasattr(builtins, name) and (name not in around or isinstance(around[name], types.MethodType))


def origins_in(text: str, pieces: Iterable[Piece]) -> Iterator[Origin]:
    """Yield where the lines of a module's definitions were typed."""
    at = len(text)
    for piece in reversed([*pieces]):
        at = text.rindex(piece.text, 0, at)
        if piece.typed:
            node = piece.typed.node
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            last = text.count("\n", 0, at) + piece.text.count("\n")
            yield Origin(last - count + 1, piece.typed.cell, node.lineno, count)


def import_of(name: str, module: str) -> str:
    """Return the import that gives a module this name."""
    if name == module:
        return f"import {module}"
    above, _, last = module.rpartition(".")
    return f"from {above} import {aliased(last, name)}" if above else f"import {aliased(module, name)}"


def aliased(name: str, wanted: str) -> str:
    """Return what an import says for a name under which something is wanted."""
    return name if name == wanted else f"{name} as {wanted}"


def place_of(name: str, value: Any) -> tuple[str, str] | None:
    """Return the module, and the name there, from which an import gets a function, a class or whatever has a home."""
    if not callable(value):
        return None
    module, called = getattr(value, "__module__", None), getattr(value, "__qualname__", None) or name
    if (
        isinstance(module, str)
        and module != "__main__"
        and called.isidentifier()
        and is_there(module, called, value)
    ):
        return module, called
    homes = (one for one in sorted(sys.modules, key=lambda one: (one.count("."), one)) if one != "__main__")
    short = getattr(value, "__name__", name)
    return next(((one, short) for one in homes if short.isidentifier() and is_there(one, short, value)), None)


def is_there(module: str, name: str, value: Any) -> bool:
    """Whether a module has this very thing."""
    return vars(sys.modules.get(module, types.ModuleType("none"))).get(name) is value


def globals_of(value: Any) -> Mapping[str, Any]:
    """Return the names around a typed function or class."""
    return value.__globals__ if isinstance(value, types.FunctionType) else vars(sys.modules["__main__"])


def free_of(value: Any) -> str | None:
    """Return a name that a function takes from another function around it."""
    free = value.__code__.co_freevars if isinstance(value, types.FunctionType) else ()
    return next((one for one in free if one != "__class__"), None)


def unwrapped(value: Any) -> Any:
    """Return the function that decorators of cells were put around: its text has them."""
    while is_typed(inner := getattr(value, "__wrapped__", None)):
        value = inner
    return value


def defaults_of(value: Any, found: Typed) -> Iterator[tuple[str, str, Any]]:
    """Yield the arguments whose defaults are names: each with that name and the value it had."""
    if not isinstance(value, types.FunctionType) or isinstance(found.node, (*NAMING, ast.ClassDef)):
        return
    given = found.node.args
    last = [*given.posonlyargs, *given.args][-len(given.defaults) :] if given.defaults else []
    for argument, node, default in zip(last, given.defaults, value.__defaults__ or (), strict=False):
        if isinstance(node, ast.Name):
            yield argument.arg, node.id, default
    for argument, node in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        if isinstance(node, ast.Name):
            yield argument.arg, node.id, (value.__kwdefaults__ or {}).get(argument.arg)


def in_order(typed: Mapping[str, Piece]) -> list[str]:
    """Return the names of definitions, each after those that it needs as soon as it is made."""
    needed = {
        name: sorted(piece.uses.at_once & typed.keys() - {name}) for name, piece in sorted(typed.items())
    }
    return [*TopologicalSorter(needed).static_order()]
