"""What the functions of a far site's stages find there: which Python, with which packages.

What `penstock site provision` installed at a site is known by a file beside the record, one a site.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from penstock.campaign import Site, Stage
from penstock.disk import make_private, private, read_whole, write_file
from penstock.errors import DefinitionError, LedgerError
from penstock.ledger import FOLDER
from penstock.site.surveys import Platform
from penstock.site.wheels import Wheel

FORMAT = 1  # of environments: another one is made anew


@dataclass(frozen=True, slots=True)
class Environment:
    """What was installed at a site, and for what."""

    asked: str
    """Digest of what the definition asked for."""
    platform: Platform
    wheels: tuple[Wheel, ...]
    folder: str
    """Where it is there."""

    @property
    def digest(self) -> str:
        """Its name there: the same wheels for the same Python are the same environment."""
        return digest_of(
            [FORMAT, self.platform.identity, [(wheel.name, wheel.digest) for wheel in self.wheels]]
        )

    @property
    def python(self) -> str:
        """The Python that has these packages."""
        return f"{self.folder}/bin/python"

    def __str__(self) -> str:
        return f"{', '.join(wheel.package for wheel in self.wheels)} for {self.platform}"


def refuse_bare(stage: Stage, site: Site, root: Path) -> None:
    """Refuse a function where it will not find what it needs, as far as that can be known from here."""
    if stage.python and site.requirements:
        refuse_unprovided(stage, site, root)
    elif stage.python and site.host and not (site.python or site.setup or site.container):
        raise DefinitionError(
            f"stage '{stage.name}' is a Python function, and [site.{site.name}] does not say which Python at {site.host}"
            " has what it needs: name one as `python`, load one in `setup`, give a `container`, or list `requirements`"
        )


def refuse_unprovided(stage: Stage, site: Site, root: Path) -> None:
    """Refuse a function at a site whose requirements were not installed."""
    if why := why_not_provisioned(site):
        raise DefinitionError(f"site '{site.name}' {why}")
    found = read_environment(root, site)
    if not found or found.asked != asked_of(site, root):
        what = "have changed since they were installed there" if found else "are not installed there yet"
        raise DefinitionError(
            f"stage '{stage.name}' is a Python function, and the `requirements` of [site.{site.name}] {what}:"
            f" run `penstock site provision {site.name}`"
        )


def why_not_provisioned(site: Site) -> str | None:
    """Return why a site can have no packages of its own, if so."""
    if site.is_here:
        return "is this machine: install its `requirements` beside penstock, or let `python` name one that has them"
    if site.container:
        return "has a `container`, which brings its own packages: keep that or its `requirements`"
    if not site.requirements:
        return (
            'has no `requirements`: list what its functions import, such as `requirements = ["numpy>=1.24"]`'
        )
    return None


def python_at(root: Path, site: Site) -> str | None:
    """Return the Python that jobs of a site run with: one with its requirements, once some were installed there."""
    found = read_environment(root, site) if site.requirements else None
    return found.python if found else site.python


def asked_of(site: Site, root: Path) -> str:
    """Return a digest of what a definition says about the packages of a site."""
    files = [hashlib.sha256(read_whole(root / text) or b"").hexdigest() for text in site.requirements]
    place = [site.host, site.transport, str(site.workdir), site.python, site.setup]
    return digest_of([site.requirements, files, place])


def read_environment(root: Path, site: Site) -> Environment | None:
    """Return what was installed at a site; None: nothing that this version of penstock knows."""
    try:
        told = json.loads(read_whole(file_of(root, site)) or b"{}")
    except ValueError:  # damaged; what is there is found again
        return None
    if told.pop("format", None) != FORMAT:
        return None
    told |= {"platform": Platform(**told["platform"]), "wheels": tuple(Wheel(*row) for row in told["wheels"])}
    return Environment(**told)


def write_environment(root: Path, site: Site, environment: Environment) -> None:
    """Keep what was installed at a site, while it is held."""
    write_file(file_of(root, site), json.dumps({"format": FORMAT, **asdict(environment)}, indent=1).encode())


def forget_environment(root: Path, site: Site) -> None:
    """Forget what was installed at a site, as it is there no longer."""
    file_of(root, site).unlink(missing_ok=True)


@contextmanager
def held(root: Path, site: Site) -> Generator[None]:
    """Keep a second process from installing at a site for the same campaign; raises LedgerError."""
    path = file_of(root, site)
    make_private(root / FOLDER)
    make_private(path.parent)
    with open(path.with_suffix(".lock"), "ab", opener=private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerError(
                f"another `penstock site provision {site.name}` is at work: wait until it has ended"
            ) from None
        yield


def file_of(root: Path, site: Site) -> Path:
    """Return where it is kept what was installed at a site."""
    return root / FOLDER / "environments" / f"{site.name}.json"


def digest_of(what: Sequence[object]) -> str:
    """Return a digest of plain data."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
