"""Redoing finished tasks on request, and what follows from that."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock.display import Labels, count, them
from penstock.graph import Graph
from penstock.ledger import Ledger, tasks
from penstock.ledger.closings import closed_above, say_group
from penstock.ledger.history import append_with
from penstock.ledger.products import ALTERED, marked
from penstock.ledger.readers import dependents
from penstock.ledger.readiness import overruled
from penstock.ledger.reading.decided import archived_of
from penstock.ledger.stored import stored_campaign
from penstock.ledger.units import ROOT, Values, rows_of
from penstock.ledger.vetoes import vetoes_of
from penstock.units import Expression

Chosen = dict[str, list[int]]  # stage → units

SHOWN = 3
RESTORE = "bring it back first"


def choose(ledger: Ledger, graph: Graph, target: Mapping[str, Any]) -> Chosen:
    """Return the done tasks that a target selects: by its `units`, `stage` and `where`, each if given."""
    where = Expression.parse(target["where"]) if target.get("where") else None
    chosen: Chosen = {}
    for stage in (name for name in graph.stages if target.get("stage") in (None, name)):
        rows = [
            row
            for unit in target.get("units") or [ROOT]
            for row in tasks.under(ledger.db, graph, stage, unit)
        ]
        units = list(dict.fromkeys(row["unit"] for row in rows if row["state"] == "done"))
        chosen[stage] = fitting(ledger, units, where) if where else units
    return {stage: units for stage, units in chosen.items() if units}


def fitting(ledger: Ledger, units: list[int], where: Expression) -> list[int]:
    """Return those units for which an expression holds; one that lacks the fields it names is left out."""
    values = Values(ledger.db, stored_campaign(ledger))
    return [row["id"] for row in rows_of(ledger.db, units) if where.holds(values.of(row))]


def followers(ledger: Ledger, graph: Graph, chosen: Chosen) -> Chosen:
    """Return the done tasks that are made from what was chosen, and from these in turn."""
    touched = {stage: set(units) for stage, units in chosen.items()}
    for stage in graph.stages:
        for down, units in directly_after(ledger, graph, stage, touched.get(stage, set())).items():
            touched.setdefault(down, set()).update(units)
    after = {stage: sorted(units - set(chosen.get(stage, ()))) for stage, units in touched.items()}
    return {stage: units for stage, units in after.items() if units}


def directly_after(ledger: Ledger, graph: Graph, stage: str, units: set[int]) -> dict[str, set[int]]:
    """Return the done tasks that are made from what some tasks of a stage leave."""
    found: dict[str, set[int]] = {}
    for edge in graph.downstreams[stage] if units else ():
        if not edge.expander:
            rows = tasks.states_of(
                ledger.db, graph.ids[edge.down], dependents(ledger.db, graph, edge, units)
            ).values()
            found.setdefault(edge.down, set()).update(row["unit"] for row in rows if row["state"] == "done")
    return found


class Left(NamedTuple):
    """A done task that was selected and must not run again: why, and what has to happen first."""

    stage: str
    unit: int
    why: str
    remedy: str


class Redoing(NamedTuple):
    """What a request to redo comes to: the tasks that are redone, that may follow, and that are left out."""

    chosen: Chosen
    following: Chosen
    left: Sequence[Left]
    stale: int | None = None
    """Of a request with a limit, which is for what is stale: how many tasks are."""

    def __str__(self) -> str:
        n, more = (sum(map(len, each.values())) for each in (self.chosen, self.following))
        if self.stale == 0:
            return "nothing to redo: no task that matches is stale; a changed definition counts from the next turn on"
        if not (n or self.left):
            return "nothing to redo: no finished task matches; for failed tasks use `penstock retry`"
        also = f", and up to {count(more, 'task')} downstream if products change" if more else ""
        which = count(n, "done task") if self.stale is None else f"{n:,} of {count(self.stale, 'stale task')}"
        again = f"{which} will be redone{also}" if n else "nothing to redo"
        kinds = Counter((left.why, left.remedy) for left in self.left).most_common()
        shown = [f"{k:,} left out ({why}): {remedy}" for (why, remedy), k in kinds[:SHOWN]]
        rest = sum(k for _, k in kinds[SHOWN:])
        return "; ".join([again, *shown, *([f"{rest:,} more left out"] if rest else [])])


def plan_redo(ledger: Ledger, graph: Graph, target: Mapping[str, Any]) -> Redoing:
    """Work out what a request to redo comes to, and change nothing."""
    chosen, left = split(ledger, graph, choose(ledger, graph, target))
    stale = None
    if target.get("limit"):
        old = {stage: stale_among(ledger, graph.ids[stage], units) for stage, units in chosen.items()}
        chosen = {stage: units[: target["limit"]] for stage, units in old.items() if units}
        stale = sum(map(len, old.values()))
    following, _ = split(ledger, graph, followers(ledger, graph, chosen))
    return Redoing(chosen, following, left, stale)


def stale_among(ledger: Ledger, stage_id: int, units: Sequence[int]) -> list[int]:
    """Return those that are stale and not being redone yet, in the order of their stage."""
    sql = (
        "SELECT t.unit FROM json_each(?) j CROSS JOIN task t ON t.stage = ? AND t.unit = j.value"
        " WHERE t.stale IS NOT NULL AND t.redo < ? ORDER BY t.rank, t.unit"
    )
    return [row[0] for row in ledger.db.execute(sql, (json.dumps(units), stage_id, tasks.UNASKED))]


def split(ledger: Ledger, graph: Graph, selected: Chosen) -> tuple[Chosen, list[Left]]:
    """Return those of the selected tasks that may run, and the others."""
    chosen, left, labels = Chosen(), list[Left](), Labels.read(ledger.db)
    for stage, units in selected.items():
        never = overruled(ledger.db, graph, stage, units)
        vetoes = vetoes_of(ledger.db, graph.ids[stage], list(never))
        archived = archived_of(ledger.db, never)
        for unit, verdict in never.items():
            remedy = f"lift the veto with `{vetoes[unit].lifting(labels)}`" if unit in vetoes else RESTORE
            if unit in archived:
                remedy = f"bring it back with `{archived[unit].undoing(labels)}`"
            left.append(Left(stage, unit, verdict.why or verdict.state, remedy))
        closed = closed_above(ledger.db, graph, stage, [unit for unit in units if unit not in never])
        left += [Left(stage, unit, *say_group(ledger.db, labels, group)) for unit, group in closed.items()]
        chosen[stage] = [unit for unit in units if unit not in never and unit not in closed]
    return {stage: units for stage, units in chosen.items() if units}, left


def mark_again(ledger: Ledger, graph: Graph, target: Mapping[str, Any], by: str) -> str:
    """Mark the tasks that a target selects to be redone; report how many these are, and how many may follow."""
    redoing = plan_redo(ledger, graph, target)
    why = f"requested by {by}" + (f": {target['why']}" if target.get("why") else "")
    for stage, units in redoing.chosen.items():
        again = tasks.KEPT | tasks.UNASKED
        tasks.mark_stale(ledger.db, graph, stage, dict.fromkeys(units, why), redo=again)
        tasks.put_behind(ledger.db, graph, stage, units, behind=is_backfill(target))
        whys = dict.fromkeys(units, str(target.get("why", "")))
        append_with(ledger.db, "redo", whys, stage=graph.ids[stage], by=by)
    return str(redoing)


def is_backfill(target: Mapping[str, Any]) -> bool:
    """Whether what is redone goes after new data: all but units that a person named, however many these are."""
    return bool(target.get("limit") or not target.get("units"))


def mark_compared(ledger: Ledger, graph: Graph, target: Mapping[str, Any]) -> str:
    """Mark the tasks of products that were found to differ, and unmark those of `sound` ones; report how many are stale.

    What was redone since it was compared is left alone.
    """
    names = {number: stage for stage, number in graph.ids.items()}
    sql = "SELECT 1 FROM product WHERE path = ? AND digest = ? AND mtime_ns IS ?"
    whys: dict[str, dict[int, str]] = {stage: {} for stage in graph.ids}
    for one in target.get("stale", ()):
        if (
            one["stage"] in names
            and ledger.db.execute(sql, (one["path"], one["digest"], one["mtime_ns"])).fetchone()
        ):
            whys[names[one["stage"]]].setdefault(one["unit"], one["why"])
    for stage, reasons in whys.items():
        tasks.mark_fresh(ledger.db, graph, stage, reasons, redo=tasks.KEPT)
    back = marked(ledger.db, ALTERED) & {
        (stage, unit) for stage, unit in target.get("sound", ()) if stage in names
    }
    for number, unit in sorted(back):
        tasks.clear_stale(ledger.db, graph, names[number], [unit])
    n = sum(map(len, whys.values()))
    return (
        f"{count(n, 'task')} marked stale: `penstock run --stale` redoes {them(n)}"
        if n
        else "no task became stale"
    )


def mark_next(ledger: Ledger, graph: Graph, stage: str, moved: list[int], *, behind: bool) -> None:
    """Mark what is made from redone tasks: it is redone, too, unless their products turn out the same."""
    for down, units in directly_after(ledger, graph, stage, set(moved)).items():
        rows = tasks.states_of(ledger.db, graph.ids[down], units)
        whys = dict.fromkeys(units, "its inputs are redone")
        tasks.mark_stale(ledger.db, graph, down, whys, redo=tasks.UNASKED)
        if behind:
            fresh = [unit for unit, row in rows.items() if row["redo"] < tasks.UNASKED]
            tasks.put_behind(ledger.db, graph, down, fresh)
