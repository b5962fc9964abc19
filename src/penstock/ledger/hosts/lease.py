"""Who works on the campaign: one conductor at a time, and no unlocking by hand."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from penstock.clock import Clock
from penstock.disk import make_private
from penstock.errors import Held, LedgerError
from penstock.host import this_process
from penstock.ledger import FOLDER, Ledger, connect
from penstock.ledger.files import explained, set_clock
from penstock.ledger.generation import begin_generation
from penstock.ledger.hosts import claims
from penstock.ledger.hosts.claims import LASTS_S, Claim
from penstock.ledger.hosts.handover import check_newest, give_back, take_record
from penstock.ledger.hosts.holder import Holder, holder
from penstock.ledger.hosts.publishing import Publisher
from penstock.machine import Machine

__all__ = ["LASTS_S", "Holder", "acquire", "find_holder", "held", "holder", "release", "renew"]

LOOK_S = 3.0  # between looks at the clock
NEVER = 1e12  # seconds; where hosts are told apart by claims, the lease is among processes of one host


def find_holder(root: Path, now: float, machine: Machine | None = None) -> Holder | None:
    """Return the running conductor of the campaign in `root`; raises LedgerError if nothing has been run there."""
    if claim := last_claim(root):
        return claim.holder if claim.lives(now, (machine or Machine.here()).name) else None
    with Ledger.open(root, readonly=True, machine=machine) as ledger:
        found = holder(ledger.db)
    return found if found and found.alive(now) else None


def last_claim(root: Path) -> Claim | None:
    """Return the claim that counts, where the campaign is on a file system that hosts share."""
    known = claims.read_claims(root / FOLDER)
    return known[-1] if known else None


def acquire(ledger: Ledger, *, command: str, clock: Clock) -> int:
    """Take the lease and return its epoch; raises Held if a running conductor has it."""
    me, now = this_process(), clock.now()
    with ledger.transaction() as db:
        other = holder(db)
        if other and (other.counts_beside_claims(now) if ledger.publisher else other.alive(now)):
            raise Held(f"{ledger.root} is held by {other}: wait for it, or stop it with `penstock down`")
        db.execute(
            "UPDATE lease SET epoch = epoch + 1, host = ?, boot = ?, pid = ?, start = ?, space = ?,"
            " command = ?, since = ?, expires = ?",
            (
                me.host,
                me.boot,
                me.pid,
                me.start,
                me.space,
                command,
                now,
                NEVER if ledger.publisher else now + LASTS_S,
            ),
        )
        return int(db.execute("SELECT epoch FROM lease").fetchone()[0])


def renew(db: sqlite3.Connection, epoch: int, now: float) -> None:
    """Renew the lease, if it is still ours."""
    db.execute("UPDATE lease SET expires = ? WHERE epoch = ?", (now + LASTS_S, epoch))


def release(db: sqlite3.Connection, epoch: int) -> None:
    """Release the lease, if it is still ours."""
    db.execute("UPDATE lease SET pid = NULL, expires = 0 WHERE epoch = ?", (epoch,))


@contextmanager
def held(
    root: Path, *, command: str, clock: Clock, machine: Machine | None = None, adopt: bool = False
) -> Generator[Ledger]:
    """Open the ledger of `root` for writing, under a lease that a thread renews.

    Where the campaign is on a file system that other hosts share, the record is brought to this host first and
    published when all is done; `adopt`: from a copy that may lack what was done last.
    """
    mended = make_private(root / FOLDER)
    machine = machine or Machine.here()
    claim = take_record(root, machine, command=command, now=clock.now(), adopt=adopt)
    with Ledger.at(Path(claim.path), root) if claim else Ledger.open(root, create=True) as ledger:
        ledger.note = f"others could read {root / FOLDER}: it is private now" if mended else None
        ledger.publisher = claim and Publisher(root, claim)
        ledger.epoch = acquire(ledger, command=command, clock=clock)
        set_clock(ledger.db, clock.now)
        begin_generation(ledger.db)
        if ledger.publisher:
            ledger.publisher.begin()
        over = threading.Event()
        thread = threading.Thread(target=keep, args=(ledger, claim, clock, over), daemon=True)
        with ExitStack() as exits:
            exits.callback(leave, ledger, command, clock)
            start(thread)
            exits.callback(thread.join)
            exits.callback(over.set)
            with explained(ledger.path):
                yield ledger


def start(thread: threading.Thread) -> None:
    """Start a thread; raises LedgerError where the user may have no more of them."""
    try:
        thread.start()
    except RuntimeError as error:
        raise LedgerError(
            f"no thread can be started to keep the campaign ours ({error}): raise the limit on processes"
            " (`ulimit -u`), or end some of yours, and run the same command again"
        ) from error


def leave(ledger: Ledger, command: str, clock: Clock) -> None:
    """Release the lease and the claim; what cannot be written then counts for nothing once this process has ended."""
    publisher, whole = ledger.publisher, ""
    rests = publisher and publisher.rests()
    with suppress(sqlite3.Error):  # no room: the lease of a process that ended counts for nothing
        release(ledger.db, ledger.epoch or 0)
    if publisher is None:
        return
    with suppress(sqlite3.Error, OSError, LedgerError):
        check_newest(ledger.root, publisher.claim)
        with suppress(sqlite3.Error, OSError):
            whole = (
                publisher.whole if rests else publisher.end(ledger.db, clock.now(), often=command == "tick")
            )
        give_back(ledger.root, publisher.claim, ledger.db, whole)


def keep(ledger: Ledger, claim: Claim | None, clock: Clock, over: threading.Event) -> None:
    """Renew the lease until `over`, and soon after this machine has slept; a renewal that fails is tried again in time.

    How long it slept only the wall clock knows, which may also be set back.
    """
    renewed = time.time()
    while not over.wait(LOOK_S):
        if abs(time.time() - renewed) < LASTS_S / 4:
            continue
        renewed = time.time()
        with (
            suppress(sqlite3.Error, OSError, LedgerError),
            closing(connect(ledger.path, readonly=False)) as db,
        ):
            if claim is None:
                renew(db, ledger.epoch or 0, clock.now())
            else:
                renew_claim(ledger.root, claim, db, clock.now())


def renew_claim(root: Path, claim: Claim, db: sqlite3.Connection, now: float) -> None:
    """Renew the claim; if another host has claimed the record, end the lease of the conductor here."""
    last = last_claim(root)
    if last and last.number == claim.number:
        claims.rewrite(root / FOLDER, claim, holder=replace(claim.holder, expires=now + LASTS_S))
    elif last:
        other = last.holder
        db.execute("UPDATE lease SET epoch = epoch + 1, host = ?, pid = ?", (other.host, other.pid))
