"""Packages for the functions of a far site: chosen and downloaded here, installed there without a network."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from penstock.campaign import Site
from penstock.display import count, show_bytes
from penstock.errors import DefinitionError
from penstock.host import hostname
from penstock.runner.build import build_installer
from penstock.runner.inventory import USERS
from penstock.site.cluster import mark_of
from penstock.site.environments import (
    Environment,
    asked_of,
    forget_environment,
    held,
    read_environment,
    why_not_provisioned,
    write_environment,
)
from penstock.site.inventory import Inventory, choose, store_of
from penstock.site.surveys import Platform, ask_python, survey
from penstock.site.wheels import Wheel, download
from penstock.transports import find_transport
from penstock.transports.protocol import Copy

INSTALL_S = 1800.0
PROGRAM = "installer.pyz"


class Provision:
    """The installation of a site's requirements; `tell` is called with progress."""

    def __init__(self, site: Site, root: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
        if why := why_not_provisioned(site):
            raise DefinitionError(f"site '{site.name}' {why}")
        self.site, self.root, self.tell = site, root, tell
        self.asked = asked_of(site, root)
        self.store = find_transport(site.transport)(site, store_of(site, root) / "env")

    def run(self, *, anew: bool = False) -> tuple[Environment, bool]:
        """Install what is asked for, and keep what that came to; return it, and whether it was there before.

        The versions are those of the last time while the same is asked for, unless they are to be chosen `anew`.
        """
        with held(self.root, self.site):
            return self.run_alone(anew=anew)

    def run_alone(self, *, anew: bool) -> tuple[Environment, bool]:
        """Do that, while nobody else does."""
        known = read_environment(self.root, self.site)
        there = survey(self.site, self.store, environments=[known.folder] if known else [])
        platform = there.platform
        pins: Sequence[Wheel] = ()
        if known and not anew and (known.asked, known.platform.identity) == (self.asked, platform.identity):
            if there.whole:
                self.note_use(known)
                return known, True
            pins = known.wheels
        with tempfile.TemporaryDirectory() as folder:
            return self.provide(platform, Path(folder, "wheels"), pins)

    def provide(self, platform: Platform, here: Path, pins: Sequence[Wheel]) -> tuple[Environment, bool]:
        """Have the wheels here, then there, then installed."""
        wheels = self.choose(platform, here, pins)
        made = Environment(self.asked, platform, tuple(wheels), "")
        made = replace(made, folder=f"{self.store.folder}/{made.digest}")
        whole = survey(self.site, self.store, environments=[made.folder]).whole
        if not whole:
            self.send(made, here)
            self.install(made)
        self.note_use(made)
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

    def note_use(self, made: Environment) -> None:
        """Note there which environment this campaign uses, and that it uses no other any more."""
        user, known = mark_of(self.root), read_environment(self.root, self.site)
        if known and known.digest != made.digest:
            self.store.remove([f"{known.digest}/{USERS}/{user}"])
        self.store.write({f"{made.digest}/{USERS}/{user}": b""})

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
        ask_python(
            self.site, self.store, ["-I", f"{work}/{PROGRAM}", work, environment.folder, listing], INSTALL_S
        )


def clear(site: Site, root: Path, digests: Sequence[str], *, unused: bool) -> list[str]:
    """Remove things that penstock made at a site: those that are named, and those that no campaign uses.

    Raises DefinitionError for one that is not there, or that a job needs.
    """
    inventory, gone = Inventory(site, root), list[str]()
    if digests:
        gone += inventory.remove([choose(inventory.take(), digest) for digest in digests])
    if unused:
        gone += inventory.remove([])
    known = read_environment(root, site)
    if known and known.digest in gone:
        forget_environment(root, site)
    return gone
