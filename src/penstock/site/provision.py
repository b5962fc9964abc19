"""Packages for the functions of a far site: chosen and downloaded here, installed there without a network."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from penstock.campaign import Site
from penstock.display import count, show_bytes
from penstock.errors import DefinitionError, SiteError
from penstock.host import hostname
from penstock.ledger import FOLDER
from penstock.runner.build import build_installer, read_survey
from penstock.runner.survey import SAYS
from penstock.site.cluster import PASSED
from penstock.site.environments import (
    Environment,
    asked_of,
    held,
    read_environment,
    why_not_provisioned,
    write_environment,
)
from penstock.site.script import setup_lines
from penstock.site.wheels import Platform, Wheel, download, platform_of
from penstock.transports import find_transport
from penstock.transports.protocol import Copy, at_home

SURVEY_S, INSTALL_S = 120.0, 1800.0
PROGRAM = "installer.pyz"


class Provision:
    """The installation of a site's requirements; `tell` is called with progress."""

    def __init__(self, site: Site, root: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
        if why := why_not_provisioned(site):
            raise DefinitionError(f"site '{site.name}' {why}")
        self.site, self.root, self.tell = site, root, tell
        self.asked = asked_of(site, root)
        self.store = find_transport(site.transport)(site, environments_of(site, root))

    def run(self, *, anew: bool = False) -> tuple[Environment, bool]:
        """Install what is asked for, and keep what that came to; return it, and whether it was there before.

        The versions are those of the last time while the same is asked for, unless they are to be chosen `anew`.
        """
        with held(self.root, self.site):
            return self.run_alone(anew=anew)

    def run_alone(self, *, anew: bool) -> tuple[Environment, bool]:
        """Do that, while nobody else does."""
        known = read_environment(self.root, self.site)
        platform, whole = self.survey([known.folder] if known else [])
        pins: Sequence[Wheel] = ()
        if known and not anew and (known.asked, known.platform.identity) == (self.asked, platform.identity):
            if whole:
                return known, True
            pins = known.wheels
        with tempfile.TemporaryDirectory() as folder:
            return self.provide(platform, Path(folder, "wheels"), pins)

    def provide(self, platform: Platform, here: Path, pins: Sequence[Wheel]) -> tuple[Environment, bool]:
        """Have the wheels here, then there, then installed."""
        wheels = self.choose(platform, here, pins)
        made = Environment(self.asked, platform, tuple(wheels), "")
        made = replace(made, folder=f"{self.store.folder}/{made.digest}")
        _, whole = self.survey([made.folder])
        if not whole:
            self.send(made, here)
            self.install(made)
        write_environment(self.root, self.site, made)
        return made, bool(whole)

    def choose(self, platform: Platform, here: Path, pins: Sequence[Wheel]) -> list[Wheel]:
        """Download the wheels that the requirements come to; those that are known must be the same bytes."""
        self.tell(f"choosing packages for {platform}")
        wheels = download(self.site.requirements, platform, root=self.root, into=here, pins=pins)
        if pins and (other := sorted({*wheels}.symmetric_difference(pins))):
            raise DefinitionError(
                f"{other[0].name} is no longer the file that was installed at '{self.site.name}':"
                f" `penstock site provision {self.site.name} --upgrade` chooses anew"
            )
        return wheels

    def work_of(self, environment: Environment) -> str:
        """Return the folder there of this campaign alone, in which an environment is made."""
        mark = sha256(f"{hostname()}:{self.root}".encode()).hexdigest()[:8]
        return f".{environment.digest[:16]}.{mark}"

    def send(self, environment: Environment, here: Path) -> None:
        """Send the wheels and what installs them; what is there already is not sent again."""
        self.tell(
            f"sending {count(len(environment.wheels), 'wheel')} of {show_bytes(sum(w.size for w in environment.wheels))}"
        )
        work = self.work_of(environment)
        copies = [Copy(f"{work}/{w.name}", here / w.name, w.size, w.digest) for w in environment.wheels]
        self.store.send(copies)
        self.store.write({f"{work}/{PROGRAM}": build_installer()})

    def install(self, environment: Environment) -> None:
        """Have it installed there."""
        self.tell("installing")
        work = f"{self.store.folder}/{self.work_of(environment)}"
        listing = json.dumps([(wheel.name, wheel.digest) for wheel in environment.wheels])
        self.ask(["-I", f"{work}/{PROGRAM}", work, environment.folder, listing], INSTALL_S)

    def survey(self, folders: Sequence[str]) -> tuple[Platform, list[str]]:
        """Ask the site's Python what it is, and which environments are whole."""
        told = self.ask(["-I", "-c", read_survey([*folders])], SURVEY_S)
        return platform_of(told), told["whole"]

    def ask(self, words: Sequence[str], within_s: float) -> dict[str, Any]:
        """Run the site's Python as its jobs would, after the set-up; return what it tells."""
        python = str(at_home(Path(self.site.python), self.store)) if self.site.python else "python3"
        lines = [*setup_lines(self.site.setup), f"exec {shlex.join([python, *words])}"]
        given = {name: value for name, value in self.store.environment.items() if name in PASSED}
        reply = self.store.run(
            ["/bin/sh", "-c", "\n".join(lines)], cwd=Path("/"), environment={**given, **self.site.environment},
            timeout_s=within_s,
        )  # fmt: skip
        line = next((line for line in reply.out.splitlines() if line.startswith(SAYS)), None)
        if line is None:
            raise SiteError(
                f"site '{self.site.name}': {python} did not answer ({reply.words or 'no word'}): correct its `python` or `setup`"
            )
        told: dict[str, Any] = json.loads(line.removeprefix(SAYS))
        if "refused" in told:
            raise SiteError(f"site '{self.site.name}': {told['refused']}")
        return told


def environments_of(site: Site, root: Path) -> Path:
    """Return the folder there that has the environments of all campaigns of a workdir."""
    return (site.workdir or root / FOLDER) / "store" / "env"
