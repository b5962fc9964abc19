"""What penstock installed and built at a site, and who uses it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.campaign import Site
from penstock.display import show_bytes, show_time
from penstock.errors import DefinitionError, SiteError
from penstock.ledger import FOLDER
from penstock.runner.build import read_inventory
from penstock.site.surveys import run_bare, told_in
from penstock.transports import find_transport
from penstock.transports.protocol import at_home

ASK_S = 300.0  # to look through all that is there
SHORT = 12  # characters of a digest that a person reads
WORDS = {"env": "packages", "build": "program"}


@dataclass(frozen=True, slots=True)
class Thing:
    """An environment, or a program that was built. `users` are campaigns; `job` is one that needs it and is not over."""

    kind: str
    digest: str
    whole: bool
    made: float
    size: int
    holds: Sequence[str]
    python: str
    users: Sequence[str]
    job: str

    def to_text(self, *, us: str, now: float) -> str:
        """Return the line that a person reads; `us` is what this campaign is called there."""
        holds = ", ".join([*([f"Python {self.python}"] if self.python else []), *self.holds])
        users = ", ".join("this campaign" if user == us else user for user in self.users) or "nobody"
        state = "" if self.whole else ", not whole"
        return (
            f"{self.digest[:SHORT]}  {WORDS[self.kind]:<8}  {show_bytes(self.size):>8}  {show_time(self.made, now=now)}"
            f"  {holds}{state}; used by {users}{' and by a job' if self.job else ''}"
        )


class Inventory:
    """All of that at one site, of every campaign of its workdir."""

    def __init__(self, site: Site, root: Path) -> None:
        self.site = site
        self.way = find_transport(site.transport)(site, store_of(site, root))

    def take(self) -> list[Thing]:
        """Return all that is there."""
        return [Thing(**one) for one in self.ask("take_stock")["things"]]

    def remove(self, digests: Sequence[str]) -> list[str]:
        """Remove things, or without any all that no campaign uses; return what is gone: a job keeps what it needs."""
        return self.ask("clear_out", [*WORDS], [*digests], "", [])["removed"]

    def settle_builds(self, user: str, kept: Sequence[str]) -> None:
        """Let a campaign use only these builds, and remove those that nobody uses now."""
        self.ask("clear_out", ["build"], [], user, [*kept])

    def ask(self, question: str, *about: Any) -> dict[str, Any]:
        """Ask a Python there; raises SiteError."""
        base = os.path.dirname(at_home(self.way.folder, self.way))
        words = ", ".join(map(repr, (base, *about)))
        reply = run_bare(self.site, self.way, ["-c", f"{read_inventory()}\n{question}({words})\n"], ASK_S)
        told = told_in(reply, self.site)
        if told is None:
            raise SiteError(
                f"site '{self.site.name}': its Python did not answer ({reply.words}): correct its `python`"
            )
        return told


def choose(things: Sequence[Thing], digest: str) -> str:
    """Return the digest that begins like this; raises DefinitionError where it cannot be removed."""
    found = [thing for thing in things if thing.digest.startswith(digest)]
    if len(found) != 1:
        what = "nothing" if not found else "more than one"
        raise DefinitionError(
            f"{what} there begins with {digest}: `penstock site provision NAME --list` shows what is there"
        )
    if found[0].job:
        raise DefinitionError(
            f"{digest} is used by the job in {found[0].job}: wait until that is over, or cancel it"
        )
    return found[0].digest


def store_of(site: Site, root: Path) -> Path:
    """Return the folder there that has what all campaigns of a workdir share."""
    return (site.workdir or root / FOLDER) / "store"
