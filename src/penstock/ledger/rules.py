"""What rules of the definition decide by the fields of units: vetoes, and marks of tasks that are not to be run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from penstock.campaign import Rule, Stage
from penstock.decide import DECIDED, before_run
from penstock.graph import Graph
from penstock.ledger.evaluating import work_out
from penstock.ledger.marks import count_as_done, unmark_tasks
from penstock.ledger.readers import dependents
from penstock.ledger.readiness import RESTING, Touched
from penstock.ledger.tasks import states_of
from penstock.ledger.units import Values

Decided = Mapping[int, Rule | None]


def apply_rules(
    db: sqlite3.Connection,
    graph: Graph,
    values: Values,
    stage: str,
    rows: Iterable[sqlite3.Row],
    touched: Touched,
    *,
    former: Collection[str] | None = None,
) -> None:
    """Veto or mark the tasks of units as rules say of their fields, and take back what these said before.

    What a person took back stays so. `former` is who decided so far, if the definition was another.
    """
    rules = graph.stages[stage].rules
    present = [rule.by for rule in rules if rule.decides_before]
    ours = present if former is None else former
    if not (present or ours):
        return
    said = work_out(values, f"{stage}.rules", rows, partial(before_run, rules), else_=None)
    have = states_of(db, graph.ids[stage], said)
    decided = {unit: rule for unit, rule in said.items() if unit in have}
    veto(db, graph.ids[stage], decided, ours)
    moved = mark(db, graph, stage, decided, have, ours)
    touched.add(stage, decided)
    for edge in graph.downstreams[stage] if moved else ():
        touched.add(edge.down, dependents(db, graph, edge, moved))


def deciders_before(stage: Stage, before: str) -> set[str] | None:
    """Return who decided by the fields of units under the definition `before`; None if its rules were the same."""
    copies = [copy for copy in json.loads(before).get("rules", ()) if copy["exit"] is copy["log"] is None]
    old = [(copy["name"], copy["where"], copy["verdict"], copy["why"]) for copy in copies]
    by_fields = [(rule, rule.where) for rule in stage.rules if not rule.needs_end]
    if old == [(rule.name, where and where.text, rule.verdict, rule.why) for rule, where in by_fields]:
        return None
    return {f"rule {name}" for name, _, verdict, _ in old if verdict in DECIDED}


def veto(db: sqlite3.Connection, stage_id: int, decided: Decided, ours: Collection[str]) -> None:
    """Bring the vetoes of rules to what these say now."""
    wanted = {
        (unit, rule.by, reason(rule)) for unit, rule in decided.items() if rule and rule.verdict == "veto"
    }
    held = held_now(db, stage_id, decided)
    over = [(number,) for veto, number in held.items() if veto[1] in ours and veto not in wanted]
    db.executemany("UPDATE veto SET lifted = clock(), lifted_by = by WHERE id = ?", over)
    new = wanted - held.keys()
    new -= taken_back(db, stage_id) if new else set()
    sql = "INSERT INTO veto (unit, stage, by, why, at) VALUES (?, ?, ?, ?, clock())"
    db.executemany(sql, [(unit, stage_id, by, why) for unit, by, why in sorted(new)])


def held_now(db: sqlite3.Connection, stage_id: int, units: Iterable[int]) -> dict[tuple[int, str, str], int]:
    """Return the vetoes of these units' own tasks that hold: unit, who and why → number."""
    rows = db.execute(
        "SELECT v.unit, v.by, v.why, v.id FROM json_each(?) j CROSS JOIN veto v ON v.unit = j.value"
        " WHERE v.lifted IS NULL AND v.stage = ?",
        (json.dumps(list(units)), stage_id),
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def taken_back(db: sqlite3.Connection, stage_id: int) -> set[tuple[int, str, str]]:
    """Return the vetoes of rules that a person lifted."""
    sql = "SELECT unit, by, why FROM veto WHERE stage = ? AND lifted IS NOT NULL AND lifted_by <> by"
    return {(row[0], row[1], row[2]) for row in db.execute(sql, (stage_id,))}


def mark(
    db: sqlite3.Connection,
    graph: Graph,
    stage: str,
    decided: Decided,
    have: Mapping[int, sqlite3.Row],
    ours: Collection[str],
) -> set[int]:
    """Bring the marks of rules to what these say now; return the units whose tasks moved."""
    ruled = {unit: rule for unit, rule in decided.items() if rule and rule.verdict == "mark"}
    held = marks_by(db, [row for row in have.values() if row["marked"]], ours)
    over = [have[unit] for unit, by in held.items() if unit not in ruled or ruled[unit].by != by]
    unmark_tasks(db, graph, stage, over, why="", by="")
    free = [unit for unit in ruled if have[unit]["state"] in RESTING and have[unit]["state"] != "vetoed"]
    new = [unit for unit in free if unit not in unmarked(db, graph.ids[stage], free)]
    for rule in {ruled[unit] for unit in new}:
        rows = [have[unit] for unit in new if ruled[unit] == rule]
        count_as_done(db, graph, stage, rows, why=reason(rule), by=rule.by)
    return {*new, *(row["unit"] for row in over)}


def marks_by(db: sqlite3.Connection, marked: Sequence[sqlite3.Row], ours: Collection[str]) -> dict[int, str]:
    """Return the tasks that rules marked, and by which one."""
    rows = db.execute("SELECT id, by FROM cause").fetchall() if marked else ()
    causes = {row["id"]: row["by"] for row in rows if row["by"] in ours}
    found = ((row["unit"], row["marked"]) for row in marked if row["state"] == "done")
    return {unit: causes[cause] for unit, cause in found if cause in causes}


def unmarked(db: sqlite3.Connection, stage_id: int, units: Sequence[int]) -> set[int]:
    """Return those units whose tasks a person unmarked."""
    sql = (
        "SELECT DISTINCT h.unit FROM json_each(?) j CROSS JOIN history h ON h.unit = j.value JOIN cause c ON c.id = h.cause"
        " WHERE h.stage = ? AND h.what = 'unmarked' AND c.by NOT GLOB 'rule *'"
    )
    return {row[0] for row in db.execute(sql, (json.dumps(list(units)), stage_id))}


def reason(rule: Rule) -> str:
    """Say why a rule by fields decides so."""
    return rule.why or (rule.where.text if rule.where else "")
