"""A program: what is started, the files that it reads, and the variables in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import DefinitionError
from penstock.workflows.sweep.template import Argument, Template, Values
from penstock.workflows.sweep.value import Value
from penstock.workflows.sweep.variable import Variable

FOLDER = "programs"
READY = Path(__file__).with_name("ready")
#: what placeholders of commands, and columns of tables, mean already
RESERVED = frozenset(
    [
        "point",
        "planned",
        "digest",
        "path",
        "paths",
        "cpus",
        "scratch",
        "outdir",
        "python",
        "product",
        "inputs",
        "fan",
        "state",
        "seconds",
        "memory",
        "why",
    ]
)


class Result(NamedTuple):
    """A number that is taken out of what a program makes: by which rule, and what it is."""

    rule: Mapping[str, Any]
    type: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program as its file describes it; paths are as seen from that file's folder.

    `launcher` are the words before the executable; `{cpus}` in them is how many a run has. `restart` says with which files,
    and with which arguments, the next attempt goes on where one was interrupted.
    `fetch` are patterns of those products that come home from a far site; none: all of them.
    `build` are shell lines that make the executable of `sources` where it runs; none: it is there.
    `seed` names the variable that repeats count up. `beside` are files that must stand beside the
    inputs, `folders` what the program does not make itself; `results` says how numbers are found in what it makes.
    """

    name: str
    file: Path
    executable: str
    arguments: tuple[Argument, ...]
    inputs: tuple[Template, ...]
    variables: Mapping[str, Variable]
    products: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    log: str | None = None
    success: str | None = None
    seed: str | None = None
    launcher: tuple[str, ...] = ()
    cpus: int | None = None
    restart: Mapping[str, Sequence[str]] | None = None
    core_hours: float | None = None
    help: str = ""
    results: Mapping[str, Result] = field(default_factory=dict[str, Result])

    @property
    def used(self) -> set[str]:
        """Name the variables that an input or an argument has."""
        return {name for part in (*self.inputs, *self.arguments) for name in part.names}

    @property
    def rules(self) -> dict[str, Mapping[str, Any]]:
        """How results are taken out of files, by name."""
        return {name: each.rule for name, each in self.results.items() if "file" in each.rule}

    def defaults(self) -> dict[str, Value]:
        """Return what variables are that nobody varies."""
        return {name: each.default for name, each in self.variables.items() if each.default is not None}

    def render(self, values: Values) -> dict[str, bytes]:
        """Return the input files of a point, by name. Raises DefinitionError, with file and line."""
        return {template.name: template.render(values) for template in self.inputs}

    def argv(self, values: Values) -> list[str]:
        """Return the command of a point: the executable and its arguments."""
        return [self.executable, *(argument.render(values) for argument in self.arguments)]


def find_program(name: str, folder: Path) -> Path:
    """Return the file of a program: `programs/NAME.toml` in the folder of a sweep, else a ready-made one.

    Raises DefinitionError, with the names that there are.
    """
    known = known_programs(folder)
    if name not in known:
        there = ", ".join(known)
        raise DefinitionError(
            f"there is no program {name!r}; write {folder / FOLDER / name}.toml, or use one of {there}"
        )
    return known[name]


def known_programs(folder: Path) -> dict[str, Path]:
    """Return the files of all programs that a sweep in a folder may name: the ready-made ones, and its own."""
    return programs_in(READY) | programs_in(folder / FOLDER)


def programs_in(place: Path) -> dict[str, Path]:
    """Return the files of programs by name."""
    return {path.stem: path for path in sorted(place.glob("*.toml"))}
