"""Programs that are built at a site from sources of the campaign: once for what they are built from, and how."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from penstock.campaign import Program, Site
from penstock.errors import SiteError
from penstock.runner.build import build_builder
from penstock.runner.builder import ASKED, BUILDING, BUILT, FAILED, FILES, SOURCES, USERS, WANTING
from penstock.site.cluster import mark_of
from penstock.site.contents import PROGRAM, TEXT
from penstock.site.far import Changed, send_all
from penstock.site.folders import writing
from penstock.site.inventory import Inventory, store_of
from penstock.site.script import contained, setup_lines
from penstock.site.surveys import run_bare, told_in
from penstock.transports import find_transport
from penstock.transports.protocol import Copy

FORMAT = 1  # of builds: those of another one are made anew
LIMIT_S = 3600.0  # of one build
ASK_S = 60.0  # of a question that waits for nothing
SHOWN = 3  # lines of a build that failed: those that tell of an error, else the last
TELLING = re.compile(r"\berror\b|\bundefined\b|not found|no such|no rule|cannot|denied", re.IGNORECASE)


class Build(NamedTuple):
    """How a program stands at a site: built, building, or failed, and why."""

    state: str
    why: str = ""

    @property
    def is_built(self) -> bool:
        """Whether it can be run."""
        return self.state == BUILT


class Builds:
    """The programs that are built at one site."""

    def __init__(self, site: Site, root: Path) -> None:
        self.site, self.root = site, root
        folder = store_of(site, root) / "build"
        self.way = find_transport(site.transport)(site, folder)

    @property
    def where(self) -> str:
        """Where that is, for a sentence."""
        return f"at {self.site.host}" if self.site.host else "here"

    def digest(self, program: Program) -> str:
        """Return the name of a program there: what it is built from, how, and where."""
        place = [self.site.host, self.site.setup, self.site.environment, self.site.container]
        made = [FORMAT, program.build, program.executable, program.files, place]
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:32]

    def executable(self, program: Program) -> str:
        """Return where a program is there when it is built."""
        return f"{self.way.folder}/{self.digest(program)}/{FILES}/{program.executable}"

    def ask(self, program: Program, *, wait_s: float = 0.0) -> Build:
        """Return how a program stands, after its build was begun if nobody did; wait that long for its end."""
        told = self.question(program, wait_s)
        if told["state"] == WANTING:
            try:
                self.send(program)
            except Changed as error:
                return Build(FAILED, f"{error}: run the same command again")
            told = self.question(program, wait_s)
        if told["state"] == FAILED:
            return Build(FAILED, self.why_failed(program, told))
        return Build(BUILT if told["state"] == BUILT else BUILDING)

    def keep(self, digests: Sequence[str]) -> None:
        """Let this campaign use only these, and remove those that no campaign and no job uses."""
        Inventory(self.site, self.root).settle_builds(mark_of(self.root), digests)

    def question(self, program: Program, wait_s: float) -> dict[str, Any]:
        """Ask what builds programs there, which is sent if it is absent."""
        name = f".builder-{builder()[0]}.pyz"
        words = [
            f"{self.way.folder}/{name}",
            f"{self.way.folder}/{self.digest(program)}",
            mark_of(self.root),
            str(wait_s),
        ]
        reply = run_bare(self.site, self.way, words, wait_s + ASK_S)
        if (told := told_in(reply, self.site)) is None:
            with writing(self.way.folder):
                self.way.write({name: builder()[1]})
            reply = run_bare(self.site, self.way, words, wait_s + ASK_S)
            told = told_in(reply, self.site)
        if told is None:
            raise SiteError(
                f"site '{self.site.name}': its Python did not answer ({reply.words}): correct its `python`"
            )
        return told

    def send(self, program: Program) -> None:
        """Send the sources, and what is to be done with them; raises Changed for one that is not as it was."""
        digest = self.digest(program)
        send_all(
            self.way,
            [self.copy_of(f"{digest}/{SOURCES}/{name}", name, sha) for name, sha in program.files.items()],
        )
        asked = {
            "files": program.files,
            "executable": program.executable,
            "script": self.script(program),
            "limit_s": LIMIT_S,
        }
        with writing(self.way.folder):
            user = f"{digest}/{USERS}/{mark_of(self.root)}"
            self.way.write({user: b"", f"{digest}/{ASKED}": json.dumps(asked).encode()})

    def copy_of(self, target: str, name: str, digest: str) -> Copy:
        """Return a source as it is sent."""
        path = self.root / name
        try:
            size = path.stat().st_size
        except OSError as error:
            raise Changed(f"{name} could not be sent ({error.strerror})") from error
        return Copy(target, path, size, digest, PROGRAM if os.access(path, os.X_OK) else TEXT)

    def script(self, program: Program) -> str:
        """Return the shell text of a build: after the set-up, and within the container if there is one."""
        words = contained(self.site.container, [self.way.folder], ["/bin/sh", "-e", "-c", program.build])
        return "\n".join([*setup_lines(self.site.setup), f"exec {shlex.join(words)}"])

    def why_failed(self, program: Program, told: dict[str, Any]) -> str:
        """Say in one sentence why a build failed, with its last lines."""
        lines = [" ".join(line.split())[:200] for line in told["said"].splitlines() if line.strip()]
        lines = [line for line in lines if TELLING.search(line)][:SHOWN] or lines[-SHOWN:]
        said = f" ({'; '.join(lines)})" if lines else ""
        return (
            f"{program.name} cannot be built {self.where}: `{in_one_line(program.build)}` {told['why']}{said};"
            f" all that it said is in {told['log']}"
        )


def in_one_line(build: str) -> str:
    """Return the shell text of a build in one line."""
    first, _, more = build.partition("\n")
    return f"{first}; …" if more else first


@cache
def builder() -> tuple[str, bytes]:
    """Return what builds programs at a site, and a name for it that no other has."""
    data = build_builder()
    return hashlib.sha256(data).hexdigest()[:16], data
