"""Halts: stages that wait until a person has fixed the place where they run."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from penstock.ledger import Ledger
from penstock.ledger.outbox import announce

RESUMED = "resumed"  # the newest job when a person last let stages go on


def pause_stages_of(ledger: Ledger, job: sqlite3.Row, why: str, *, now: float) -> None:
    """Pause the stages that a job worked for, until a person has fixed the place."""
    rows = ledger.db.execute("SELECT DISTINCT stage FROM batch WHERE job = ?", (job["id"],))
    pause_stages(ledger, [row[0] for row in rows], why, now=now)


def pause_stages(ledger: Ledger, stages: Sequence[int], why: str, *, now: float) -> None:
    """Pause stages, by their numbers, until a person has fixed what `why` names."""
    with ledger.transaction() as db:
        changed = db.executemany(
            "UPDATE stage SET paused = 'halt', paused_why = ? WHERE id = ? AND paused_why IS NOT ?",
            [(why, stage, why) for stage in stages],
        )
        if changed.rowcount > 0:
            announce(db, "failure", now)


def blow_fuse(ledger: Ledger, stage: int, why: str, *, now: float) -> None:
    """Pause a stage whose first attempts fail the same way, unless it is paused already."""
    with ledger.transaction() as db:
        changed = db.execute(
            "UPDATE stage SET paused = 'fuse', paused_why = ? WHERE id = ? AND paused IS NULL", (why, stage)
        )
        if changed.rowcount:
            announce(db, "failure", now)


def end_halts(ledger: Ledger) -> None:
    """Resume halted stages, as whoever starts a `run` has presumably fixed what was wrong."""
    with ledger.transaction() as db:
        db.execute("UPDATE stage SET paused = NULL, paused_why = NULL WHERE paused = 'halt'")
        note_resumed(ledger)


def note_resumed(ledger: Ledger) -> None:
    """Remember, within a transaction, which jobs may still report what was fixed since."""
    newest = ledger.db.execute("SELECT coalesce(max(id), 0) FROM job").fetchone()[0]
    ledger.set_meta(RESUMED, str(newest))


def may_be_mended(ledger: Ledger, job: sqlite3.Row) -> bool:
    """Whether a person resumed stages since a job was submitted, so that what it met no longer counts."""
    return int(job["id"]) <= int(ledger.meta(RESUMED) or 0)
