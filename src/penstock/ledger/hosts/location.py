"""Where the record of a campaign is: in its folder, or on this host's own disk when that folder is shared."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from penstock.display import count, show_time
from penstock.errors import LedgerError, NothingYet
from penstock.ledger.archive import jobs_in
from penstock.ledger.files import connect, connect_copy
from penstock.ledger.hosts import claims
from penstock.ledger.hosts.claims import COPY, Claim
from penstock.machine import Machine

FOLDER = ".penstock"
FILE = "ledger.sqlite"
MARK, PUBLISHED = "mark", "published"


class Location(NamedTuple):
    """A file to read the record from; `copy`: one that was published, `whole`: with all that was ever recorded."""

    path: Path
    copy: bool = False
    whole: bool = True
    claim: Claim | None = None


def find_location(root: Path, machine: Machine) -> Location:
    """Return where the record can be read from here.

    Raises LedgerError if nothing has been run yet, or if the record is on another host and nothing of it here.
    """
    folder = root / FOLDER
    known = claims.read_claims(folder)
    found = source_of(folder, known, machine)
    if isinstance(found, Path):
        return Location(found, copy=COPY.fullmatch(found.name) is not None)
    copy = newest_copy(folder)
    if copy:
        return Location(copy, copy=True, whole=False, claim=found)
    if found:
        raise LedgerError(
            f"the record of {root} is on {found.host} and no copy of it was published yet: run this command there"
        )
    if ran := list(jobs_in(folder / "jobs")):
        raise LedgerError(
            f"there is no record of {root}, though {count(len(ran), 'job')} ran there: make it anew with `penstock ledger"
            " rebuild`, or start afresh beside them with `penstock ledger accept`"
        )
    raise NothingYet(f"nothing has been run in {root} yet: start with `penstock run`")


def source_of(folder: Path, known: Sequence[Claim], machine: Machine) -> Path | Claim | None:
    """Return the file that is the whole record; the claim that has it, if that is out of reach; None if there is none.

    A claim whose maker died before it had the record does not count: the one before it still does.
    """
    for claim in reversed(known):
        if claim.host == machine.name and mark_of(Path(claim.path)) in {claim.mark, claim.before} - {""}:
            return Path(claim.path)
        copy = newest_copy(folder)
        if claim.whole and copy and mark_of(copy) == claim.whole:
            return copy
        if claim.ready:
            return claim
    return folder / FILE if (folder / FILE).exists() else None


def newest_copy(folder: Path) -> Path | None:
    """Return the copy that was published last."""
    found = claims.numbered(folder, COPY)
    return folder / found[-1][1] if found else None


def mark_of(path: Path) -> str:
    """Return the mark in a record; empty if it has none, or if there is no record."""
    return value_of(path, MARK)


def value_of(path: Path, name: str) -> str:
    """Return a value of the `meta` table of a record that may be none."""
    if not path.exists():
        return ""
    try:
        with closing(open_any(path)) as db:
            row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    except (sqlite3.Error, LedgerError):
        return ""
    return str(row[0]) if row else ""


def set_value(db: sqlite3.Connection, name: str, value: str) -> None:
    """Write a value of the `meta` table."""
    db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


def open_any(path: Path) -> sqlite3.Connection:
    """Open a record or a copy of one for reading."""
    return connect_copy(path) if COPY.fullmatch(path.name) else connect(path, readonly=True)


def home_of(root: Path, machine: Machine) -> Path:
    """Return where this host would have the record; raises LedgerError if it has no disk of its own."""
    shared = machine.shared_by(root / FOLDER)
    if not shared:
        return root / FOLDER / FILE
    state = machine.state()
    if state is None:
        looked = ", ".join(map(str, machine.states))
        raise LedgerError(
            f"{root} is on {shared}, and {machine.name} has no disk of its own for the record ({looked}):"
            " set PENSTOCK_STATE to a folder on one"
        )
    from hashlib import sha256

    digest = sha256(os.fsencode(root)).hexdigest()[:8]
    return state / f"{root.name}-{digest}" / FILE


def as_of(path: Path) -> float:
    """Return when a copy was published."""
    return float(value_of(path, PUBLISHED) or path.stat().st_mtime)


def describe_copy(root: Path, location: Location, at: float, now: float) -> str:
    """Describe a copy that is read instead of the record."""
    place = location.claim.host if location.claim else "another host"
    return f"the record of {root.name} is on {place}; this is its copy as of {show_time(at, now=now)}"
