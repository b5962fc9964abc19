"""Requests that a rebuilt record has only from `actions.jsonl`: those that still matter are applied again."""

from __future__ import annotations

import sqlite3

from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.actions import ACTIONS, Action, Target, read_actions, target_now
from penstock.ledger.closings import steps_at
from penstock.ledger.readiness import propagate
from penstock.ledger.reopening import note_reopened, seal_stage, unit_row
from penstock.ledger.requests import Requests, insert
from penstock.ledger.units import ROOT

AGAIN = ("veto", "unveto", "cancel", "retry", "mark", "unmark", "archive", "unarchive", "close", "reopen")
"""Others had their effect in jobs, or are to be asked for again."""
ANSWER = "taken from actions.jsonl"


class Again(Requests):
    """Applies a request of the past: tasks that a job ended since are left as they are."""

    at = 0.0

    def rows(self, stage: str, target: Target, *states: str) -> list[sqlite3.Row]:
        """Return the tasks that a request selects, but for those with a later attempt."""
        found = super().rows(stage, target, *states)
        return [row for row in found if not self.was_made_since(row["stage"], row["unit"])]

    def reopen(self, target: Target, by: str, now: float) -> str:
        """Open a closed group, unless it was closed again since."""
        unit = target["unit"]
        level = unit_row(self.db, unit)["level"]
        if steps_at(self.graph, level) and self.was_made_since(seal_stage(self.graph, level), unit):
            note_reopened(self.db, unit, None, by, target.get("why", ""))
            return ANSWER
        return super().reopen(target, by, now)

    def was_made_since(self, stage_id: int, unit: int) -> bool:
        """Whether a task has an attempt that ended after the request."""
        sql = "SELECT 1 FROM attempt WHERE stage = ? AND unit = ? AND ended > ? LIMIT 1"
        return self.db.execute(sql, (stage_id, unit, self.at)).fetchone() is not None


def ask_again(ledger: Ledger, graph: Graph) -> list[str]:
    """Apply what people asked for in its order; return what cannot be, a sentence each."""
    actions, damaged = read_actions(ledger.root)
    lacks = [f"line {number} of {ACTIONS} is damaged: that request is lost" for number in damaged]
    newest = ledger.db.execute("SELECT coalesce(max(ended), 0) FROM attempt").fetchone()[0]
    again = Again(ledger, graph)
    for action in actions:
        lacks += apply_again(again, action, newest)
    return lacks


def apply_again(again: Again, action: Action, newest: float) -> list[str]:
    """Apply one request, if it still matters; return what is wrong with it."""
    target, missing = target_now(again.db, action)
    said = f"{action.action} by {action.by}"
    with again.ledger.transaction() as db:
        number = insert(db, action.action, target, action.by, action.at)
        if (
            action.action in AGAIN
            and target.get("stage") in (None, *again.graph.stages)
            and has_units(target)
        ):
            again.at = action.at
            getattr(again, action.action)({"unit": ROOT, **target}, action.by, action.at)
            propagate(db, again.graph, again.changed, again.touched)
            again.changed.clear()
        sql = "UPDATE request SET applied = ?, answer = ? WHERE id = ?"
        db.execute(sql, (action.at, ANSWER, number))
    lacks = [f"{said} is about the unit {name}, which no longer exists" for name in missing]
    if action.action == "redo" and action.at > newest:
        lacks.append(f"{said} came after the last attempt: ask for it again")
    return lacks


def has_units(target: Target) -> bool:
    """Whether any unit is left of those that a request named."""
    return ("unit" not in target or target["unit"] is not None) and target.get("units", True) != []
