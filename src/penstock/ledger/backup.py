"""Copies of a record that people make, and restoring one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from penstock.clock import Clock, SystemClock
from penstock.disk import sync_folder
from penstock.errors import Corrupt, LedgerError
from penstock.ledger import Ledger, migrations
from penstock.ledger.files import REST, connect, connect_copy, explained, opened
from penstock.ledger.generation import begin_generation
from penstock.ledger.hosts.lease import held
from penstock.ledger.hosts.location import FILE, FOLDER, MARK, find_location, set_value
from penstock.ledger.hosts.publishing import write_copy
from penstock.machine import Machine


def back_up(root: Path, file: Path, *, machine: Machine | None = None) -> Path:
    """Copy the record into `file`, also while somebody writes it; the old file stays until the new one is whole."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with Ledger.open(root, readonly=True, machine=machine) as ledger:
            draft.unlink(missing_ok=True)
            write_copy(ledger.db, draft)
        os.replace(draft, file)
        sync_folder(file.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise LedgerError(
            f"{file} cannot be written ({error.strerror}): name a file in a folder of yours"
        ) from error
    return file


def restore(
    root: Path, file: Path, *, clock: Clock | None = None, machine: Machine | None = None
) -> Path | None:
    """Restore a backup, and return where the previous record is kept; None if there was none.

    Raises Held if somebody works on the campaign, Corrupt or LedgerError if the file is not a backup of a record.
    """
    clock, machine = clock or SystemClock(), machine or Machine.here()
    check_backup(file)
    kept = set_aside_damaged(root, machine)
    with (
        held(root, command="ledger restore", clock=clock, machine=machine) as ledger,
        explained(file),
        closing(connect_copy(file)) as backup,
    ):
        before = put_in_place(ledger, backup)
    return kept or before


def check_backup(file: Path) -> None:
    """Raise LedgerError unless a file is a whole record that this penstock can read."""
    if not file.is_file():
        raise LedgerError(f"there is no file {file}: name one that `penstock ledger backup` made")
    with explained(file), closing(connect_copy(file)) as db:
        try:
            version = migrations.version_of(db, str(file))
        except Corrupt as corrupt:
            raise LedgerError(
                f"{file} is not a backup of a record: name one that `penstock ledger backup` made"
            ) from corrupt
        if not 0 < version <= migrations.VERSION:
            raise LedgerError(f"{file} is not a record that this penstock can read: name one that it made")
        wrong = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if wrong != "ok":
            raise Corrupt(f"{file} is damaged ({wrong}): restore an older backup")


def set_aside_damaged(root: Path, machine: Machine) -> Path | None:
    """Keep a record that cannot be read under another name, as it is; None if it can be read, or there is none."""
    try:
        find_location(root, machine)
        Ledger.open(root, readonly=True, machine=machine).close()
    except Corrupt:
        kept = keep(root / FOLDER / FILE)
        (root / FOLDER / FILE).unlink()
        return kept
    except LedgerError:  # there is none, or it is elsewhere, which taking it tells
        return None
    return None


def put_in_place(ledger: Ledger, other: sqlite3.Connection) -> Path | None:
    """Make another database the record from here on, under the lease and the marks of the present one.

    Return where that is kept; None if it was only made to have the lease.
    """
    is_first = ledger.epoch == 1
    draft = ledger.path.with_name(f".{FILE}.restored")
    draft.unlink(missing_ok=True)
    with explained(draft), closing(opened(draft, "mode=rwc")) as db:
        other.backup(db)
        migrations.migrate(db, str(draft))
        ledger.epoch = take_lease_over(ledger.db, db)
        if mark := ledger.meta(MARK):
            set_value(db, MARK, mark)
        begin_generation(db)
    begin_generation(
        ledger.db
    )  # what is beside its file is not needed, should the next steps be the last ones
    ledger.db.close()
    before = keep(ledger.path)
    os.replace(draft, ledger.path)
    sync_folder(ledger.path.parent)
    ledger.db = connect(ledger.path, readonly=False)
    if not is_first:
        return before
    for ending in ("", *REST):
        Path(f"{before}{ending}").unlink(missing_ok=True)
    return None


def take_lease_over(old: sqlite3.Connection, new: sqlite3.Connection) -> int:
    """Write the present lease into another record, with an epoch that neither had, and return that."""
    lease = dict(old.execute("SELECT * FROM lease").fetchone())
    epoch = 1 + max(lease["epoch"], new.execute("SELECT epoch FROM lease").fetchone()[0])
    names = [name for name in lease if name != "id"]
    changes = ", ".join(f"{name} = ?" for name in names)
    new.execute(f"UPDATE lease SET {changes}", [epoch if name == "epoch" else lease[name] for name in names])
    return epoch


def keep(path: Path) -> Path:
    """Give a record another name besides, and only that to the files that SQLite left beside it; it is not opened."""
    kept = next(place for n in count(1) if not (place := path.with_name(f"replaced-{n}.sqlite")).exists())
    os.link(path, kept)
    for ending in REST:
        place = Path(f"{path}{ending}")
        if place.exists():
            os.replace(place, f"{kept}{ending}")
    return kept
