"""Taking a record as it is, though what lies beside it knows more."""

from __future__ import annotations

from pathlib import Path

from penstock.clock import Clock, SystemClock
from penstock.conductor.context import recorded_context
from penstock.errors import NothingYet
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.hosts.lease import held
from penstock.ledger.witnesses import accept


def accept_record(root: Path, *, clock: Clock | None = None) -> int:
    """Accept the record of a campaign, and return how many jobs it may be behind."""
    clock = clock or SystemClock()
    with held(root, command="ledger accept", clock=clock) as ledger:
        return accept(ledger, folders_of(ledger, clock))


def folders_of(ledger: Ledger, clock: Clock) -> list[Path]:
    """Return where jobs of a campaign are, by the definition in its record."""
    try:
        return recorded_context(ledger, clock).sites.folders_here()
    except NothingYet:
        return [ledger.root / FOLDER / "jobs"]
