"""Vetoes that hold for tasks: of their unit, of a group above it, or of the campaign; some end by themselves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.display import Labels, show_command
from penstock.ledger.units import ROOT


@dataclass(frozen=True, slots=True)
class Veto:
    """What a person vetoed, and why; `key` is that of the unit or group, `stage` the only one it is about, if any."""

    by: str
    why: str
    key: str
    stage: str | None
    until: float | None = None

    def __str__(self) -> str:
        return describe(self.by, self.why, self.until)

    def lifting(self, labels: Labels) -> str:
        """Return the command that lifts it."""
        return show_command("unveto", labels.label(self.key), self.stage)


def describe(by: str, why: str, until: float | None) -> str:
    """Say who vetoed something, until when, and why."""
    return f"vetoed by {by}{'' if until is None else f' until {show_end(until)}'}: {why}"


def show_end(until: float) -> str:
    """Write when a veto ends."""
    return f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"


def over(db: sqlite3.Connection, now: float) -> list[sqlite3.Row]:
    """Return the vetoes whose time is over and that still hold."""
    sql = "SELECT * FROM veto WHERE lifted IS NULL AND until IS NOT NULL AND until <= ? ORDER BY id"
    return db.execute(sql, (now,)).fetchall()


def vetoes_of(db: sqlite3.Connection, stage_id: int, units: Sequence[int]) -> dict[int, Veto]:
    """Return the veto of each unit's task of a stage where one holds; the last one wins."""
    if not units or not db.execute("SELECT 1 FROM veto WHERE lifted IS NULL LIMIT 1").fetchone():
        return {}
    groups = ", ".join(f"u.g{level}" for level in range(1, 6))
    sql = (
        "SELECT u.id, v.by, v.why, above.key, s.name, v.until FROM json_each(?) j CROSS JOIN unit u ON u.id = j.value"
        f" CROSS JOIN veto v ON v.unit IN ({ROOT}, u.id, {groups}) AND v.lifted IS NULL"
        " AND (v.stage IS NULL OR v.stage = ?)"
        " JOIN unit above ON above.id = v.unit LEFT JOIN stage s ON s.id = v.stage ORDER BY v.id"
    )
    return {row[0]: Veto(*row[1:]) for row in db.execute(sql, (json.dumps(list(units)), stage_id))}
