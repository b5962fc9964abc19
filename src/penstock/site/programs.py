"""The programs of a campaign's folder that its commands run at a site, and whether they can run there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from penstock.campaign import Stage
from penstock.site.elf import Program, read_program
from penstock.site.surveys import Survey

ENV = "/usr/bin/env"

#: machines that run the programs of others, too
RUNS = {"x86_64": {"i686"}, "aarch64": {"armv7l"}, "armv8l": {"armv7l"}}


class Named(NamedTuple):
    """A program, and the first stage that names it."""

    path: str
    stage: str
    needs: Program


def programs_of(stages: Iterable[Stage], root: Path) -> list[Named]:
    """Return what stages name of a campaign's folder and a machine has to fit: compiled programs, and scripts."""
    found = dict[str, Named]()
    for stage in stages:
        for name in stage.code if stage.command else ():
            if name not in found and (needs := needs_of(root / name)):
                found[name] = Named(name, stage.name, needs)
    return [*found.values()]


def needs_of(path: Path) -> Program | None:
    """Return what a file needs to be run; None for one that is not run."""
    if not path.is_file():
        return None
    if (compiled := read_program(path)) or not os.access(path, os.X_OK):
        return compiled
    with open(path, "rb") as file:
        words = (
            file.readline(256).removeprefix(b"#!").decode(errors="replace").split()
            if file.read(2) == b"#!"
            else []
        )
    return Program("", words[0], ()) if words and words[0] != ENV else None


def interpreters_of(programs: Iterable[Named]) -> list[str]:
    """Return what programs are loaded or read by."""
    return sorted({one.needs.interpreter for one in programs} - {""})


def misfits(programs: Iterable[Named], there: Survey, where: str) -> list[str]:
    """Return why programs cannot run at a place, each with its remedy."""
    return [
        f"{one.path}, which '{one.stage}' runs, {why}"
        for one in programs
        if (why := misfit(one.needs, there, where))
    ]


def misfit(needs: Program, there: Survey, where: str) -> str | None:
    """Return why a program cannot run at a place, if so."""
    machine, libc = there.platform.machine, there.platform.libc
    if needs.machine and needs.machine not in {machine, *RUNS.get(machine, ())}:
        return f"is compiled for {needs.machine}, and the machine {where} is {machine}: compile it there"
    if needs.interpreter in there.missing:
        return f"needs {needs.interpreter}, which is not {where}: {remedy_of(needs)}"
    version = version_of(libc)
    if needs.glibc and version and needs.glibc > version:
        oldest = ".".join(map(str, needs.glibc))
        return f"needs glibc {oldest}, and {libc} is what is {where}: compile it there, or link it statically"
    return None


def remedy_of(needs: Program) -> str:
    """Say what to do about a program whose interpreter is missing."""
    return "compile it there, or link it statically" if needs.machine else f"begin it with `#!{ENV} …`"


def version_of(libc: str) -> tuple[int, ...]:
    """Return the version of a glibc."""
    name, _, version = libc.partition(" ")
    return tuple(int(part) for part in version.split(".") if part.isdigit()) if name == "glibc" else ()
