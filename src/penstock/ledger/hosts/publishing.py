"""Copies of a record on one host's own disk, beside its campaign, for readers on other hosts."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from penstock.clock import is_ahead
from penstock.disk import sync_folder
from penstock.ledger.files import REST, opened
from penstock.ledger.hosts.claims import COPY, Claim, forget, place_of
from penstock.ledger.hosts.handover import check_newest
from penstock.ledger.hosts.location import FILE, FOLDER, PUBLISHED, set_value, value_of

EVERY_S = 60.0
SHARE = 0.02  # of the time, at most
SPEED = 50e6  # bytes a second, until it has been measured here

Signature = tuple[tuple[int, int], ...]


class Publisher:
    """Publishes a record while its host works with it."""

    def __init__(self, root: Path, claim: Claim) -> None:
        self.root, self.claim, self.path = root, claim, Path(claim.path)
        self.copy = place_of(root / FOLDER, claim.number, "sqlite")
        self.published: Signature | None = None
        self.whole = claim.rested
        self.took_s = self.path.stat().st_size / SPEED
        self.next: float | None = None

    def changed(self) -> bool:
        """Whether anything was written since the last copy."""
        return self.published != signature(self.path)

    def rests(self) -> bool:
        """Whether a copy from before still has everything."""
        return bool(self.whole) and self.whole == self.claim.rested and not self.changed()

    def begin(self) -> None:
        """Count the present content as published, if a copy had everything when the record was claimed."""
        if self.whole:
            self.published = signature(self.path)

    def turn(self, db: sqlite3.Connection, *, now: float, monotonic: float) -> None:
        """Publish what is new, at most once a minute and in at most a fiftieth of the time."""
        if self.next is None:
            self.next = monotonic + self.pause() if self.whole else monotonic
        if monotonic >= self.next and self.changed():
            self.publish(db, now)
            self.next = monotonic + self.pause()

    def pause(self) -> float:
        """Return how many seconds are to lie between two copies."""
        return max(EVERY_S, self.took_s / SHARE)

    def end(self, db: sqlite3.Connection, now: float, *, often: bool) -> str:
        """Publish all there is, and return the mark of a copy that is whole.

        None is made, and nothing returned, when that would cost too much of the time of a command that is run `often`.
        """
        last, pause = float(value_of(self.copy, PUBLISHED) or 0), self.took_s / SHARE
        if often and self.took_s > 1 and is_ahead(last + pause, now, pause):
            return ""
        self.publish(db, now)
        return self.whole

    def publish(self, db: sqlite3.Connection, now: float) -> None:
        """Write a copy and give it its name when it is whole and safe; raises Held if the record is another host's by now."""
        begun = time.perf_counter()
        set_value(db, PUBLISHED, str(now))
        seen = signature(self.path)
        draft = self.copy.with_name(f".{self.copy.name}")
        draft.unlink(missing_ok=True)
        write_copy(db, draft)
        check_newest(self.root, self.claim)
        os.replace(draft, self.copy)
        sync_folder(self.copy.parent)
        forget(self.copy.parent, COPY, below=self.claim.number)
        for ending in (*REST, ""):  # the record as it lay here before it moved to this host
            (self.copy.parent / f"{FILE}{ending}").unlink(missing_ok=True)
        self.published, self.whole = seen, self.claim.mark
        self.took_s = time.perf_counter() - begun


def write_copy(db: sqlite3.Connection, path: Path) -> None:
    """Copy a database into a new file, without the locks that network file systems get wrong."""
    with closing(opened(path, "mode=rwc&nolock=1")) as copy:
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        db.backup(copy)
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fchmod(descriptor, 0o600)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def signature(path: Path) -> Signature:
    """Return what changes with every write to a database in WAL mode."""
    return tuple(stamp(Path(f"{path}{ending}")) for ending in ("", "-wal"))


def stamp(path: Path) -> tuple[int, int]:
    """Return size and time of a file; zeros if it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
