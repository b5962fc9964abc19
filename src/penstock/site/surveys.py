"""What the Python of a site tells of itself and of its machine, asked as its jobs would be started: after the set-up."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.campaign import Site
from penstock.errors import SiteError
from penstock.runner.build import read_survey
from penstock.runner.survey import SAYS
from penstock.site.script import contained, setup_lines
from penstock.transports.protocol import Transport, at_home
from penstock.transports.reply import Reply

SURVEY_S = 120.0

#: what it is told of the environment there; no more than jobs get
GIVEN = frozenset(("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ"))


@dataclass(frozen=True, slots=True)
class Platform:
    """A machine and a Python of it, as they told it."""

    machine: str
    libc: str
    python: str
    version: str
    abi: str
    markers: Mapping[str, str]

    @property
    def identity(self) -> list[str]:
        """What an environment is made for."""
        return [self.machine, self.libc, self.python, *self.version.split(".")[:2], self.abi]

    def __str__(self) -> str:
        return f"Python {self.version} on {self.machine} with {self.libc or 'another C library than glibc'}"


@dataclass(frozen=True, slots=True)
class Survey:
    """An answer."""

    platform: Platform
    whole: Sequence[str]
    """The environments that are there, of those that were asked about."""
    missing: Sequence[str]
    """The files that are not there, of those that were asked about."""


def survey(
    site: Site, way: Transport, *, environments: Sequence[str] = (), files: Sequence[str] = ()
) -> Survey:
    """Ask all that there is to know, in one question."""
    told = ask_python(site, way, ["-I", "-c", read_survey([*environments], [*files])], SURVEY_S)
    platform = Platform(**{name: told[name] for name in Platform.__dataclass_fields__})
    return Survey(platform, told["whole"], told["missing"])


def ask_python(site: Site, way: Transport, words: Sequence[str], within_s: float) -> dict[str, Any]:
    """Run the Python of a site; return what it tells. Raises SiteError."""
    python = str(at_home(Path(site.python), way)) if site.python else "python3"
    argv = contained(site.container, [], [python, *words])
    lines = [*setup_lines(site.setup), f"exec {shlex.join(argv)}"]
    reply = way.run(
        ["/bin/sh", "-c", "\n".join(lines)],
        cwd=Path("/"),
        environment=given_to(site, way),
        timeout_s=within_s,
    )
    told = told_in(reply, site)
    if told is None:
        raise SiteError(
            f"site '{site.name}': {python} did not answer ({reply.words}): correct its `python` or `setup`"
        )
    return told


def run_bare(site: Site, way: Transport, words: Sequence[str], within_s: float) -> Reply:
    """Run a Python of a site without its set-up: not that of its container, which is not there outside of it."""
    named = None if site.container else site.python
    python = sys.executable if site.transport == "local" else str(at_home(Path(named or "python3"), way))
    return way.run([python, "-I", *words], cwd=Path("/"), environment=given_to(site, way), timeout_s=within_s)


def given_to(site: Site, way: Transport) -> dict[str, str]:
    """Return the environment of what is run at a site: no more of a login than jobs get, which is all on this machine."""
    given = {name: value for name, value in way.environment.items() if site.is_here or name in GIVEN}
    return {**given, **site.environment}


def told_in(reply: Reply, site: Site) -> dict[str, Any] | None:
    """Return what a program of ours told among what else was said; None without it. Raises SiteError for a refusal."""
    line = next((line for line in reply.out.splitlines() if line.startswith(SAYS)), None)
    told: dict[str, Any] | None = json.loads(line.removeprefix(SAYS)) if line else None
    if told and "refused" in told:
        raise SiteError(f"site '{site.name}': {told['refused']}")
    return told
