"""Bringing the record of a campaign to this host, and releasing it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from penstock.disk import make_private, sync_folder
from penstock.errors import Held, LedgerError
from penstock.host import this_process
from penstock.ledger import migrations
from penstock.ledger.files import REST, connect, explained, opened
from penstock.ledger.hosts import claims
from penstock.ledger.hosts.claims import CLAIM, COPY, LASTS_S, Claim
from penstock.ledger.hosts.holder import Holder, holder
from penstock.ledger.hosts.location import (
    FILE,
    FOLDER,
    MARK,
    home_of,
    mark_of,
    newest_copy,
    open_any,
    set_value,
    source_of,
)
from penstock.machine import Machine


def take_record(
    root: Path, machine: Machine, *, command: str, now: float, adopt: bool = False
) -> Claim | None:
    """Bring the record to this host, and claim it; None where it is beside the campaign on a local disk.

    Raises Held if a running conductor has it, or if what was done last is on another host alone and `adopt` is False.
    """
    folder = root / FOLDER
    known = claims.read_claims(folder)
    home = home_of(root, machine)
    if not known and home.parent == folder:
        return None
    refuse_held(root, known, machine, now)
    source = source_to_take(root, known, machine, now, adopt=adopt)
    claim = Claim(
        number=(known[-1].number if known else 0) + 1,
        holder=Holder(this_process(machine.name), command, now, now + LASTS_S),
        path=str(home),
        mark=os.urandom(8).hex(),
        before=mark_of(source) if source else "",
        rested=next((claim.whole for claim in reversed(known) if claim.ready), ""),
    )
    claims.make(folder, claim)
    try:
        settle(source, home, claim.mark)
        return confirm(root, claim)
    except BaseException:
        with suppress(OSError):
            claims.rewrite(folder, claim, holder=replace(claim.holder, expires=0.0))
        raise


def refuse_held(root: Path, known: Sequence[Claim], machine: Machine, now: float) -> None:
    """Raise Held if the conductor that claimed last still runs."""
    if known and known[-1].lives(now, machine.name):
        raise Held(f"{root} is held by {known[-1].holder}: wait for it, or stop it with `penstock down`")


def source_to_take(
    root: Path, known: Sequence[Claim], machine: Machine, now: float, *, adopt: bool
) -> Path | None:
    """Return the file to continue from, None if there is no record yet; raises what `take_record` does."""
    source = source_of(root / FOLDER, known, machine)
    if isinstance(source, Claim):
        return copy_to_adopt(root, source) if adopt else refuse_elsewhere(root, source, machine)
    if source and source == root / FOLDER / FILE:
        refuse_old_holder(root, source, now)
    return source


def refuse_old_holder(root: Path, file: Path, now: float) -> None:
    """Raise Held if a conductor still works with the file that was in the folder before it was claimed."""
    with explained(file), closing(connect(file, readonly=True)) as db:
        other = holder(db)
    if other and other.alive(now):
        raise Held(f"{root} is held by {other}: wait for it, or stop it with `penstock down`")


def refuse_elsewhere(root: Path, claim: Claim, machine: Machine) -> Path:
    """Raise an error that says where the record is, and how to continue."""
    if claim.host == machine.name:
        raise LedgerError(
            f"the record of {root} was in {claim.path} and no longer exists: put it back, or continue from the"
            " last published copy with `penstock ledger adopt`"
        )
    raise Held(
        f"the record of {root} is on {claim.host}, in {claim.path}, and {claim.holder} exited without releasing it:"
        f" continue there, or, if {claim.host} is gone for good, take over with `penstock ledger adopt`"
    )


def copy_to_adopt(root: Path, claim: Claim) -> Path:
    """Return the copy to continue from."""
    copy = newest_copy(root / FOLDER)
    if copy is None:
        raise LedgerError(
            f"nothing of the record of {root} was published by {claim.host}: remove {root / FOLDER} to start over"
        )
    return copy


def settle(source: Path | None, home: Path, mark: str) -> None:
    """Put the record at `home`, with `mark` in it; a superseded file there is moved aside."""
    if source == home:
        with closing(connect(home, readonly=False)) as db:
            set_value(db, MARK, mark)
        return
    make_private(home.parent)
    for left in home.parent.glob(f".{FILE}.*"):  # by a process that died on its way here
        left.unlink()
    draft = home.with_name(f".{FILE}.{mark}")
    with explained(home), closing(opened(draft, "mode=rwc")) as db:
        if source:
            with closing(open_any(source)) as old:
                old.backup(db)
        migrations.migrate(db, str(source or home))
        db.execute("UPDATE lease SET pid = NULL, expires = 0")
        set_value(db, MARK, mark)
    put_aside(home)
    os.replace(draft, home)
    sync_folder(home.parent)


def put_aside(home: Path) -> None:
    """Rename an older record, with all that SQLite left beside it."""
    if not home.exists():
        return
    with suppress(sqlite3.Error, LedgerError), closing(connect(home, readonly=False)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for ending in (*REST, ""):
        with suppress(FileNotFoundError):
            os.replace(f"{home}{ending}", f"{home.with_name('superseded.sqlite')}{ending}")


def confirm(root: Path, claim: Claim) -> Claim | None:
    """Publish that the record is here now, and remove earlier claims; on a local disk the record needs none."""
    folder = root / FOLDER
    check_newest(root, claim)
    claim = claims.rewrite(folder, claim, ready=True)
    if Path(claim.path).parent != folder:
        claims.forget(folder, CLAIM, below=claim.number)
        return claim
    claims.forget(folder, COPY, below=claim.number + 1)
    claims.forget(folder, CLAIM, below=claim.number + 1)
    return None


def check_newest(root: Path, claim: Claim) -> None:
    """Raise Held if another host has claimed the record since."""
    if claims.newest(root / FOLDER) != claim.number:
        last = claims.read_claims(root / FOLDER)[-1:]
        who = last[0].holder if last else "an unknown process that removed its folder"
        raise Held(f"the campaign in {root} was taken over by {who}: this conductor stops")


def give_back(root: Path, claim: Claim, db: sqlite3.Connection, whole: str) -> None:
    """Release the claim: no conductor works on the campaign any more.

    The record gets another mark, so that a copy of the folder from before is not taken for the campaign itself.
    """
    rest = os.urandom(8).hex()
    lapsed = replace(claim.holder, expires=0.0)
    claims.rewrite(root / FOLDER, claim, holder=lapsed, mark=rest, before=claim.mark, whole=whole)
    set_value(db, MARK, rest)
