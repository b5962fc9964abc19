"""What follows when units come, change, go or return: for their tasks, and for those that depend on them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from penstock.graph import Edge, Graph
from penstock.ledger import tasks
from penstock.ledger.closings import new_in_closed
from penstock.ledger.evaluating import forget_wrong, work_out
from penstock.ledger.history import Entry, append
from penstock.ledger.inputs import leaves_vanished
from penstock.ledger.order import rank_under
from penstock.ledger.policies import obey
from penstock.ledger.readers import dependents
from penstock.ledger.readiness import RESTING, Touched, candidates, propagate
from penstock.ledger.rules import apply_rules
from penstock.ledger.units import Change, Difference, Values, beneath, under
from penstock.ledger.uses import Uses, write
from penstock.ledger.vetoes import vetoes_of
from penstock.units import Placeholder, Template, canonical


def admit(db: sqlite3.Connection, graph: Graph, values: Values, difference: Difference) -> None:
    """Update the tasks by the `difference` of the units."""
    touched, moved = Touched(), defaultdict[str, set[int]](set)
    changed = [change.unit for change in difference.changed]
    if changed:
        values.forget()
        note_changes(db, graph, difference)
    append(db, (Entry(unit, "gone") for unit in difference.gone))
    append(db, (Entry(unit, "returned") for unit in difference.back))
    if difference.gone:
        forget_wrong(values, difference.gone)
    again = changed or difference.back or joins_archived(db, graph, difference)
    for stage in graph.stages:
        uses = Uses(graph, stage)
        reasons = affected(db, uses, difference)
        ignored = obey(db, graph, stage, reasons, affected(db, uses, returned_of(difference)))
        drop_left_out(db, graph, values, stage, changed, touched)
        link_again(db, graph, values, stage, changed, touched)
        rule_again(db, graph, values, stage, changed, touched)
        rank_under(db, graph, values, stage, changed)
        add_tasks(db, graph, values, stage, 0 if again else difference.new_after, touched)
        touched.add(stage, (*difference.gone, *difference.back, *reasons))
        touched.reasons[stage] = reasons
        moved[stage].update(renew(db, graph, stage, list(reasons), ignored))
        if graph.stages[stage].level == difference.level:
            touch_groups(db, graph, stage, {*difference.gone, *difference.back}, touched)
    propagate(db, graph, moved, touched)


def joins_archived(db: sqlite3.Connection, graph: Graph, difference: Difference) -> bool:
    """Whether new units are in groups with archived ones, which may have no task any more."""
    if (
        not difference.new
        or not db.execute("SELECT 1 FROM unit WHERE archived IS NOT NULL LIMIT 1").fetchone()
    ):
        return False
    sql = (
        "SELECT 1 FROM unit n JOIN unit a ON a.g{0} = n.g{0} AND a.level > {0} AND a.archived IS NOT NULL"
        " WHERE n.id > ? AND n.level > {0} LIMIT 1"
    )
    levels = range(1, len(graph.levels))
    return any(db.execute(sql.format(level), (difference.new_after,)).fetchone() for level in levels)


def returned_of(difference: Difference) -> Difference:
    """Return the part of a difference that is of units which are back."""
    back = set(difference.back)
    return difference._replace(changed=[change for change in difference.changed if change.unit in back])


def touch_groups(db: sqlite3.Connection, graph: Graph, stage: str, units: set[int], touched: Touched) -> None:
    """Touch the groups of units that went or came back, where that is of concern."""
    for edge in graph.downstreams[stage] if units else ():
        if leaves_vanished(graph, edge):
            touched.add(edge.down, dependents(db, graph, edge, units))


def affected(db: sqlite3.Connection, uses: Uses, difference: Difference) -> dict[int, str]:
    """Return the units whose tasks are made from something that changed, and what that is."""
    told = {change.unit: uses.tell(difference.level, change) for change in difference.changed}
    found = {unit: why for unit, why in told.items() if why}
    if not found or difference.level == uses.level:
        return found
    return {unit: found[group] for group, unit in beneath(db, found, difference.level, uses.level)}


def note_changes(db: sqlite3.Connection, graph: Graph, difference: Difference) -> None:
    """Record what changed of all that a stage uses, to explain later why a task is stale."""
    level, uses = difference.level, [Uses(graph, stage) for stage in graph.stages]
    near = [one for one in uses if 0 < level <= one.level]
    rows = [Entry(change.unit, *said) for change in difference.changed for said in used(change, level, near)]
    append(db, rows)


def used(change: Change, level: int, uses: Sequence[Uses]) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield (what, old, new) for all of a change that a stage uses."""
    if change.files and any(one.has_files(level, change.new) for one in uses):
        yield "files", *change.files
    for name in change.names:
        if any(one.has_field(name) for one in uses):
            old, new = (write(side[name]) if name in side else None for side in (change.old, change.new))
            yield f"field {name}", old, new


def add_tasks(
    db: sqlite3.Connection, graph: Graph, values: Values, stage: str, after: int, touched: Touched
) -> None:
    """Make the tasks of new units, vetoed where a veto holds or a rule says so, and touch what they may change."""
    new = decided_at_once(db, graph, stage, after)
    if not tasks.create(db, graph, values, stage, after=after):
        return
    for edge in keyed_edges(graph, stage):
        sql = "SELECT * FROM unit WHERE id > ? AND level = ?"
        add_links(db, graph, values, edge, db.execute(sql, (after, graph.stages[stage].level)).fetchall())
    veto_new(db, graph, stage, [row["id"] for row in new])
    touched.add(stage, new_in_closed(db, graph, stage, after))
    for units in candidates(db, graph, stage, after=after) if graph.first_state(stage) == "waiting" else ():
        touched.add(stage, units)
    for edge in graph.downstreams[stage]:
        if edge.kind == "finer":
            touched.add(edge.down, groups_with_new(db, graph, edge, after))
        elif edge.kind == "keyed" or not after:
            touched.add(edge.down, not_begun(db, graph, edge.down))
    apply_rules(db, graph, values, stage, new, touched)


def decided_at_once(db: sqlite3.Connection, graph: Graph, stage: str, after: int) -> list[sqlite3.Row]:
    """Return the units that get a task of a stage, where there is a veto or a rule that may keep it from being run."""
    if not (
        any(rule.decides_before for rule in graph.stages[stage].rules)
        or db.execute("SELECT 1 FROM veto WHERE lifted IS NULL LIMIT 1").fetchone()
    ):
        return []
    return db.execute(f"SELECT u.* FROM unit u WHERE {tasks.without_task(graph, stage, after)}").fetchall()


def not_begun(db: sqlite3.Connection, graph: Graph, stage: str) -> list[int]:
    """Return the units whose tasks of `stage` an upstream that appears can still hold back or set free."""
    sql = "SELECT unit FROM task WHERE stage = ? AND state IN ('waiting', 'ready', 'blocked')"
    return [row[0] for row in db.execute(sql, (graph.ids[stage],))]


def drop_left_out(
    db: sqlite3.Connection, graph: Graph, values: Values, stage: str, units: Sequence[int], touched: Touched
) -> None:
    """Remove the tasks, of these units and of those under them, that a `where` leaves out now; what is done stays."""
    definition = graph.stages[stage]
    if definition.where is None or not units:
        return
    rows = [row for row in under(db, units, definition.level) if row["gone"] is None]
    said = work_out(values, f"{stage}.where", rows, definition.where.holds, else_=False)
    out = [unit for unit, held in said.items() if not held]
    states = tasks.states_of(db, graph.ids[stage], out).values()
    dropped = [row for row in states if row["state"] in RESTING]
    tasks.drop(db, graph, stage, dropped)
    for edge in graph.downstreams[stage]:
        touched.add(edge.down, dependents(db, graph, edge, {row["unit"] for row in dropped}))


def link_again(
    db: sqlite3.Connection, graph: Graph, values: Values, stage: str, units: Sequence[int], touched: Touched
) -> None:
    """Note anew which upstream the changed fields of these units, or of their groups, name."""
    edges = keyed_edges(graph, stage)
    rows = under(db, units, graph.stages[stage].level) if edges and units else []
    for edge in edges:
        add_links(db, graph, values, edge, rows)
        touched.add(stage, [row["id"] for row in rows])


def rule_again(
    db: sqlite3.Connection,
    graph: Graph,
    values: Values,
    stage: str,
    units: Sequence[int],
    touched: Touched,
    *,
    former: Collection[str] | None = None,
) -> None:
    """Decide anew what rules say of changed fields, of these units or of their groups."""
    if units and (former or any(rule.decides_before for rule in graph.stages[stage].rules)):
        rows = under(db, units, graph.stages[stage].level)
        apply_rules(db, graph, values, stage, rows, touched, former=former)


def keyed_edges(graph: Graph, stage: str) -> list[Edge]:
    """Return the edges to upstreams that fields name."""
    return [edge for edge in graph.upstreams[stage] if edge.kind == "keyed"]


def groups_with_new(db: sqlite3.Connection, graph: Graph, edge: Edge, after: int) -> list[int]:
    """Return the groups of `edge`'s lower end that have new members."""
    level = graph.stages[edge.down].level
    if level == 0:
        return [1]
    sql = f"SELECT DISTINCT g{level} FROM unit WHERE id > ? AND level = ?"
    return [row[0] for row in db.execute(sql, (after, graph.stages[edge.up].level))]


def add_links(
    db: sqlite3.Connection, graph: Graph, values: Values, edge: Edge, rows: Iterable[sqlite3.Row]
) -> None:
    """Note which upstream unit the fields of each of these units name."""
    down, up = graph.ids[edge.down], graph.ids[edge.up]
    named = work_out(values, f"{edge.down}.after", rows, partial(key_named, edge), else_="")
    db.executemany(
        "INSERT INTO link VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET key = excluded.key",
        [(down, unit, up, key) for unit, key in named.items()],
    )


def key_named(edge: Edge, values: Mapping[str, Any]) -> str:
    """Return the key that templates like `{calib_night}` make of a unit's values; a lone placeholder keeps its type.

    It is nobody's key while a field is unknown, as that of a row which is not in its table yet.
    """
    assert edge.after is not None
    if any(name not in values for template in edge.after.key for name in template.names):
        return ""
    return canonical([value_of(template, values) for template in edge.after.key])


def value_of(template: Template, values: Mapping[str, Any]) -> Any:
    """Return what a template makes of `values`: the very value when it is one placeholder, else text."""
    match template.parts:
        case (Placeholder(name=name),) if name in values:
            return values[name]
        case _:
            return template.render(values)


def veto_new(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> None:
    """Veto the new tasks whose unit or group a person has vetoed."""
    for some in tasks.chunks(units):
        vetoes = vetoes_of(db, graph.ids[stage], some)
        rows = tasks.states_of(db, graph.ids[stage], vetoes).values()
        moves = [tasks.Move(row["unit"], row["state"], "vetoed", str(vetoes[row["unit"]])) for row in rows]
        tasks.move(db, graph, stage, moves)


def veto_tasks(db: sqlite3.Connection, graph: Graph, stage: str, above: Iterable[int], why: str) -> list[int]:
    """Veto the tasks of `stage` for units and all under them that are not done or on their way; return those units."""
    moves = {
        row["unit"]: tasks.Move(row["unit"], row["state"], "vetoed", why)
        for unit in above
        for row in tasks.under(db, graph, stage, unit)
        if row["state"] in RESTING and row["state"] != "vetoed"
    }
    tasks.move(db, graph, stage, [*moves.values()])
    tasks.forget_tries(db, graph, stage, [*moves])
    return [*moves]


def renew(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int], ignored: Collection[int]
) -> list[int]:
    """Retry what failed on an input that changed, and mark active tasks whose input did; return the former."""
    rows = tasks.states_of(db, graph.ids[stage], units).values() if units else ()
    active = [r for r in rows if r["state"] in ("queued", "running") and r["unit"] not in ignored]
    tasks.mark_meanwhile(db, graph, stage, active)
    failed = [r["unit"] for r in rows if r["state"] == "failed"]
    return retry_failed(db, graph, stage, failed, why="its input changed")


def retry_failed(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Iterable[int], *, why: str
) -> list[int]:
    """Give failed tasks all their retries again."""
    failed = list(units)
    tasks.forget_tries(db, graph, stage, failed)
    tasks.move(db, graph, stage, [tasks.Move(unit, "failed", "ready", f"retry: {why}") for unit in failed])
    return failed


def retry_unbegun(db: sqlite3.Connection, graph: Graph) -> None:
    """Retry what failed before it started, as whoever starts a `run` has presumably fixed the cause."""
    touched, moved = Touched(), defaultdict[str, set[int]](set)
    for stage, number in graph.ids.items():
        rows = db.execute(
            "SELECT unit FROM task t INDEXED BY task_failed WHERE stage = ? AND state = 'failed' AND 'unstarted' = ("
            " SELECT outcome FROM attempt a WHERE a.stage = t.stage AND a.unit = t.unit ORDER BY id DESC LIMIT 1)",
            (number,),
        )
        units = retry_failed(db, graph, stage, [row[0] for row in rows], why="it had not started")
        moved[stage].update(units)
        touched.add(stage, units)
    propagate(db, graph, moved, touched)
