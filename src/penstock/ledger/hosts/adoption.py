"""Continuing without the host that had the record."""

from __future__ import annotations

from pathlib import Path

from penstock.clock import Clock, SystemClock
from penstock.display import show_time
from penstock.errors import LedgerError
from penstock.ledger import FOLDER
from penstock.ledger.hosts.lease import held
from penstock.ledger.hosts.location import as_of, find_location
from penstock.ledger.witnesses import accept
from penstock.machine import Machine


def adopt_record(root: Path, *, yes: bool, clock: Clock | None = None, machine: Machine | None = None) -> str:
    """Bring the record to this host from its published copy, and return as of when it is.

    Raises LedgerError unless `yes`, and Held while its conductor counts as alive.
    """
    clock, machine = clock or SystemClock(), machine or Machine.here()
    location = find_location(root, machine)
    if location.whole:
        return "nothing to adopt: the record is complete and can be used from here: `penstock run` continues"
    made = show_time(as_of(location.path), now=clock.now())
    if not yes:
        place = f"{location.claim.host}, in {location.claim.path}" if location.claim else "another host"
        raise LedgerError(
            f"the record of {root} is on {place}, and its copy here of {made}: what was done since would be done"
            " again; if that host is gone for good, confirm it with --yes"
        )
    with held(root, command="ledger adopt", clock=clock, machine=machine, adopt=True) as ledger:
        accept(ledger, [root / FOLDER / "jobs"])
        return f"the record is on {machine.name} now, as of {made}: `penstock run` continues from there"
