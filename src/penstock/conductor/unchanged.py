"""Sources that are just as the last scan found them: the record has their units, so nothing need be compared.

Units follow from what a source contains and from the definition, so a digest of both tells whether they are the same.
Only a scan that found nothing new and no problem is remembered: what comes in steadily is not looked at twice, and
problems are told again.
"""

from __future__ import annotations

import sqlite3

from penstock import __version__, sources
from penstock.campaign import Campaign, Source
from penstock.ledger import Ledger
from penstock.ledger.absent import count_living
from penstock.ledger.units import Difference


def is_unchanged(ledger: Ledger, source: Source, campaign: Campaign, state: sources.ScanState) -> bool:
    """Whether a source contains what it did when it was last found unchanged."""
    known = ledger.meta(_name(source))
    return bool(known) and known == _mark(ledger, sources.contents(source, campaign, state))


def nothing_new(db: sqlite3.Connection, level: int) -> Difference:
    """Return the difference that a scan finds where nothing changed."""
    highest = db.execute("SELECT max(id) FROM unit").fetchone()[0]
    return Difference(count_living(db, level), 0, highest, same=True)


def remember(ledger: Ledger, source: Source, state: sources.ScanState, difference: Difference) -> None:
    """Note what a source contains if its scan found just what the record has; else forget it."""
    clean = difference.same and not (state.problems or state.unsettled or state.missing_roots or state.failed)
    ledger.set_meta(_name(source), _mark(ledger, state.contents) if clean else "")


def _mark(ledger: Ledger, contents: str | None) -> str:
    return f"{__version__} {ledger.meta('definition')} {contents}" if contents else ""


def _name(source: Source) -> str:
    return f"source.{source.level}"
