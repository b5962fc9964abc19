"""From the `[program.NAME]` tables to programs that are built where they run: what they are built from, by content."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.campaign import Program
from penstock.config.places import Places, nearest
from penstock.errors import DefinitionError
from penstock.runner.digests import digest_file
from penstock.runner.kinds import Odd
from penstock.units import Template

if TYPE_CHECKING:  # an unchanged definition is read without pydantic
    from penstock.config.models import Definition, ProgramTable

PREFIX = "program."  # of placeholders

#: what compilers leave beside sources: for another machine, and newer than what it was made from
MADE = frozenset((".a", ".d", ".gch", ".la", ".lo", ".mod", ".o", ".pyc", ".smod", ".so"))


def assemble_programs(definition: Definition, root: Path, places: Places) -> dict[str, Program]:
    """Build all programs of a definition; DefinitionError for the first whose sources are not there."""
    return {name: program_of(name, table, root, places) for name, table in definition.program.items()}


def program_of(name: str, table: ProgramTable, root: Path, places: Places) -> Program:
    """Return one program with the digests of its sources."""
    executable = table.executable or name
    for key, path in [("executable", executable), *(("sources", text) for text in table.sources)]:
        if is_outside(path):
            message = f"[program.{name}] names {path!r}, which is not below the campaign's folder; write a path in it"
            raise places.error(("program", name, key), message)
    for text in table.sources:
        if not [*files_named(root, text, but=MADE)]:
            message = (
                f"[program.{name}] is built from {text!r}, and {root} has no such file; correct its `sources`"
            )
            raise places.error(("program", name, "sources"), message)
    named = find_sources(root, table.sources, executable)
    try:
        files = {path: digest_file(os.path.realpath(root / path))[1] for path in named}
    except (OSError, Odd) as error:
        message = f"a source of [program.{name}] cannot be read ({error}); correct its `sources`"
        raise places.error(("program", name, "sources"), message) from None
    return Program(name, "\n".join(table.build), executable, tuple(table.sources), files)


def check_needs(definition: Definition, root: Path, places: Places) -> None:
    """Refuse what a stage needs and is not there."""
    for name, table in definition.stage.items():
        for text in table.needs:
            if is_outside(text):
                why = "which is not below the campaign's folder; write a path in it"
            elif not [*files_named(root, text)]:
                why = f"and {root} has no such file; correct its `needs`"
            else:
                continue
            raise places.error(("stage", name, "needs"), f"{name!r} needs {text!r}, {why}")


def is_outside(path: str) -> bool:
    """Whether a path leads out of the campaign, or into penstock's own folder."""
    steps = path.split("/")
    return path.startswith(("/", "~")) or ".." in steps or ".penstock" in steps or not path.strip("./")


def find_sources(root: Path, named: Iterable[str], executable: str) -> list[str]:
    """Return the files that sources are: all in a folder, or that fit a pattern, but what was made of them there."""
    found = set[str]().union(*(files_named(root, text, but=MADE) for text in named))
    return sorted(found - {os.path.normpath(executable)})


def find_needs(root: Path, named: Iterable[str]) -> list[str]:
    """Return the files that a stage needs: all in a folder, or that fit a pattern."""
    return sorted(set[str]().union(*(files_named(root, text) for text in named)))


def files_named(root: Path, text: str, *, but: Container[str] = ()) -> Iterator[str]:
    """Yield the files that one text names, in folders without those of some suffixes."""
    if (root / text).is_file():
        yield os.path.normpath(text)
        return
    pattern = f"{text.rstrip('/')}/**/*" if (root / text).is_dir() else text
    for path in root.glob(pattern):
        steps = path.relative_to(root).parts
        if not any(step.startswith(".") for step in steps) and path.suffix not in but and path.is_file():
            yield "/".join(steps)


def programs_named(
    stage: str, command: Sequence[Template], known: Mapping[str, Program]
) -> Iterator[Program]:
    """Yield the programs that a command names; raises DefinitionError for one that is not defined."""
    names = (
        name.removeprefix(PREFIX)
        for template in command
        for name in template.names
        if name.startswith(PREFIX)
    )
    for name in dict.fromkeys(names):
        if name not in known:
            raise DefinitionError(
                f"{stage!r} names the program {name!r}, which has no [program.{name}]; {nearest(name, [*known])}"
            )
        yield known[name]


def listing_of(copy: Mapping[str, Any], root: Path) -> list[list[str]]:
    """Return which files a frozen stage needs now, and which the sources of its programs are."""
    sources = [find_sources(root, one["sources"], one["executable"]) for one in copy.get("programs", ())]
    return [find_needs(root, copy.get("needs", ())), *sources]
