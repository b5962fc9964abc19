"""Which tasks may run now: the touched ones are evaluated again, whatever touched them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from penstock.decide import NO_KEY, OPEN, Upstream, Verdict, readiness
from penstock.graph import Edge, Graph
from penstock.ledger import tasks
from penstock.ledger.closings import closed_above, held_back
from penstock.ledger.history import append_with
from penstock.ledger.inputs import NOTHING, digests_of, inputs_of, members_of, seen_along, vanished_at
from penstock.ledger.readers import awaiting_readers, dependents, note_awaiting, read_before, read_now
from penstock.ledger.rebasing import former_digests
from penstock.ledger.tasks import KEPT, MEANWHILE, REDEFINED, chunks, doubtful_among
from penstock.ledger.units import ROOT
from penstock.ledger.vetoes import vetoes_of

RESTING = ("waiting", "ready", "blocked", "failed", "gone", "vetoed")  # neither done nor on their way


class Touched:
    """Units whose tasks must be evaluated again, by stage."""

    def __init__(self) -> None:
        self.units: defaultdict[str, set[int]] = defaultdict(set)
        self.reasons: dict[
            str, Mapping[int, str]
        ] = {}  # by stage, what changed of a unit, where that is known

    def add(self, stage: str, units: Iterable[int]) -> None:
        self.units[stage].update(units)

    def __bool__(self) -> bool:
        return any(self.units.values())


def propagate(
    db: sqlite3.Connection, graph: Graph, changed: Mapping[str, Iterable[int]], touched: Touched | None = None
) -> None:
    """Judge what depends on the `changed` tasks (units by stage), and what depends on that in turn.

    One pass does: stages come in an order in which each follows its upstreams.
    """
    touched = touched or Touched()
    touch_put_off(db, graph, changed, touched)
    for stage, units in awaiting_readers(db, graph).items():
        touched.add(stage, units)
    for stage in graph.stages:
        moved = set(changed.get(stage, ()))
        for units in chunks(touched.units.pop(stage, set()) | to_judge(db, graph, stage, moved)):
            moved.update(judge(db, graph, stage, units, touched.reasons.get(stage, {})))
        for edge in graph.downstreams[stage]:
            if moved:
                touched.add(edge.down, dependents(db, graph, edge, moved))


def to_judge(db: sqlite3.Connection, graph: Graph, stage: str, moved: set[int]) -> set[int]:
    """Return the moved tasks to be judged themselves: groups, all not done, and what changed while it was made."""
    if graph.is_group(stage) or not moved:
        return moved
    number, states = graph.ids[stage], ", ".join(f"'{state}'" for state in RESTING)
    sql = (
        f"SELECT t.unit FROM json_each(?) j CROSS JOIN task t ON t.stage = {number} AND t.unit = j.value"
        f" WHERE t.state IN ({states}) OR (t.state = 'done' AND t.stale = ?)"
    )
    return {row[0] for piece in chunks(moved) for row in db.execute(sql, (json.dumps(piece), MEANWHILE))}


def touch_put_off(
    db: sqlite3.Connection, graph: Graph, changed: Mapping[str, Iterable[int]], touched: Touched
) -> None:
    """Touch stale groups upstream of what moved: they may have waited for these readers to end."""
    late = {n for n, s in graph.stages.items() if graph.is_group(n) and "redo" in (s.late, s.vanished)}
    for edge in (edge for name in late for edge in graph.downstreams[name]):
        readers = {*changed.get(edge.down, ()), *touched.units.get(edge.down, ())}
        if readers and any_stale(db, graph.ids[edge.up]):
            for piece in chunks(readers):
                touched.add(edge.up, members_of(db, graph, edge, piece))


def any_stale(db: sqlite3.Connection, stage_id: int) -> bool:
    """Whether the tally counts stale tasks of a stage."""
    sql = "SELECT n FROM tally WHERE stage = ? AND unit = ? AND state = 'stale' AND n > 0"
    return db.execute(sql, (stage_id, ROOT)).fetchone() is not None


def judge(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int], reasons: Mapping[int, str]
) -> list[int]:
    """Give tasks the state that people, their input and their upstreams allow; return those that moved."""
    rows = tasks.states_of(db, graph.ids[stage], units)
    resting = {unit: row for unit, row in rows.items() if row["state"] in RESTING}
    verdicts = overruled(db, graph, stage, list(resting))
    free = [u for u, row in resting.items() if u not in verdicts and row["state"] != "failed"]
    verdicts |= verdicts_of(db, graph, stage, free)
    verdicts |= held_back(db, graph, stage, [u for u in free if verdicts[u].state == "ready"])
    verdicts |= still_read(db, graph, stage, [u for u in free if verdicts[u].state == "ready"])
    moves = [
        tasks.Move(unit, resting[unit]["state"], verdict.state, verdict.why)
        for unit, verdict in verdicts.items()
        if (resting[unit]["state"], resting[unit]["why"]) != (verdict.state, verdict.why)
        and not (verdict.state == resting[unit]["state"] == "ready")
    ]
    tasks.move(db, graph, stage, moves)
    tasks.forget_tries(db, graph, stage, [m.unit for m in moves if m.new in ("gone", "vetoed")])
    blocked = {m.unit: m.why or "" for m in moves if m.new == "blocked" != m.old}
    append_with(db, "blocked", blocked, stage=graph.ids[stage])
    done = [unit for unit, row in rows.items() if row["state"] == "done"]
    redone = look_again(db, graph, stage, done, reasons)
    return [m.unit for m in moves if m.old != m.new] + redone


def still_read(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, Verdict]:
    """Return what must not remove files yet that were moved: tasks read them that know only where they were."""
    closing = graph.stages[stage].closing
    if closing is None or closing.step != "clear":
        return {}
    whys = {unit: read_before(db, graph, stage.replace(".clear-", ".move-", 1), unit) for unit in units}
    if any(whys.values()):
        note_awaiting(db)
    return {unit: Verdict("waiting", why) for unit, why in whys.items() if why}


def overruled(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, Verdict]:
    """Return what is never run whatever its upstreams say: vetoed, or its input is gone."""
    if not units:
        return {}
    ids = json.dumps(list(units))
    sql = (
        "SELECT u.id, c.by, c.why FROM json_each(?) j CROSS JOIN unit u ON u.id = j.value"
        " LEFT JOIN cause c ON c.id = u.archived WHERE u.gone IS NOT NULL"
    )
    found = {
        row[0]: Verdict("gone", f"archived by {row[1]}: {row[2]}" if row[1] else "its input disappeared")
        for row in db.execute(sql, (ids,))
    }
    vetoes = vetoes_of(db, graph.ids[stage], units)
    return found | {unit: Verdict("vetoed", str(veto)) for unit, veto in vetoes.items()}


def look_again(
    db: sqlite3.Connection,
    graph: Graph,
    stage: str,
    done: Sequence[int],
    reasons: Mapping[int, str],
) -> list[int]:
    """Find done tasks whose inputs are no longer what they were made from; return those that are redone, or not doubtful now.

    A task is checked when all its upstreams are final: until then it is not known what it would be made from.
    `reasons` may say more precisely what changed about a unit.
    """
    done = may_run(db, graph, stage, done)
    if graph.stages[stage].closing:
        closed = closed_above(db, graph, stage, done)
        done = [unit for unit in done if unit not in closed]
    if not done:
        return []
    before = doubtful_among(db, graph, stage, done) if any_stale(db, graph.ids[stage]) else set[int]()
    redone = redo(db, graph, stage, compare_inputs(db, graph, stage, done, reasons))
    cleared = before - doubtful_among(db, graph, stage, before) if before else before
    return [*redone, *(cleared.difference(redone))]


LATE, VANISHED = "its members changed", "a member of it vanished"


def compare_inputs(
    db: sqlite3.Connection, graph: Graph, stage: str, done: Sequence[int], reasons: Mapping[int, str]
) -> dict[int, str]:
    """Mark the tasks whose inputs changed, unmark those that are back to what they were.

    Return the groups that are to be made again by themselves, and why.
    """
    rows, digests = tasks.states_of(db, graph.ids[stage], done), digests_of(db, graph, stage, done)
    digests |= former_digests(db, graph, stage, rows)
    own_of = {unit: rows[unit]["inputs"] or digests[unit] for unit in done}
    regrouped = [u for u in done if own_of[u].partition(".")[2] != digests[u].partition(".")[2]]
    why, again = members_changed(
        db, graph, stage, {unit: (own_of[unit], digests[unit]) for unit in regrouped}
    )
    stale = dict[int, str]()
    for unit in done:
        own, own_now = (one[unit].partition(".")[0] for one in (own_of, digests))
        if unit in why:
            stale[unit] = why[unit]
        elif own != own_now:
            stale[unit] = reasons.get(unit, "its inputs changed")
    marked = {u for u in done if rows[u]["stale"] not in (None, REDEFINED) and not rows[u]["redo"] & KEPT}
    tasks.clear_stale(db, graph, stage, [unit for unit in marked if unit not in stale])
    fresh = {unit: why for unit, why in stale.items() if rows[unit]["stale"] is None}
    tasks.mark_stale(db, graph, stage, fresh)
    append_with(db, "stale", fresh, stage=graph.ids[stage])
    return {unit: why[unit] for unit in again if rows[unit]["marked"] is None}


def members_changed(
    db: sqlite3.Connection, graph: Graph, stage: str, digests: Mapping[int, tuple[str, str]]
) -> tuple[dict[int, str], list[int]]:
    """Say why groups with other members are stale, and which of them are made again by themselves.

    `digests` are of what each was made from, and would be. Where only members are missing that vanished, the policy about
    these counts, and a group of which none is left stays as it is.
    """
    definition = graph.stages[stage]
    if definition.vanished != "ignore":
        digests = {u: two for u, two in digests.items() if two[1].partition(".")[2] != NOTHING}
    vanished = set[int]()
    if definition.vanished != "ignore":
        vanished = {
            unit for unit, (made, _) in digests.items() if lacks_vanished(db, graph, stage, unit, made)
        }
    late = digests.keys() - vanished if definition.late != "ignore" else set[int]()
    whys = dict.fromkeys(late, LATE) | dict.fromkeys(vanished, VANISHED)
    again = [
        *(late if definition.late == "redo" else ()),
        *(vanished if definition.vanished == "redo" else ()),
    ]
    return whys, again


def lacks_vanished(db: sqlite3.Connection, graph: Graph, stage: str, unit: int, made: str) -> bool:
    """Whether a group lacks nothing of what it was made from but members that vanished since, and has nothing new.

    Those that had vanished before are not in what it was made from.
    """
    with_them = (
        inputs_of(db, graph, stage, [unit], since=at)[unit] for at in vanished_at(db, graph, stage, unit)
    )
    return any(one.digest.partition(".")[2] == made.partition(".")[2] for one in with_them)


def redo(db: sqlite3.Connection, graph: Graph, stage: str, whys: Mapping[int, str]) -> list[int]:
    """Make done tasks ready again that may be; return those that are."""
    free = redoable(db, graph, stage, list(whys))
    make_ready(db, graph, stage, {unit: whys[unit] for unit in free})
    return free


def redoable(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> list[int]:
    """Return the done tasks that may be made ready again: no upstream is being made, no reader is active."""
    possible = may_run(db, graph, stage, units)
    never = overruled(db, graph, stage, units) | held_back(db, graph, stage, possible)
    return [unit for unit in possible if unit not in never and not read_now(db, graph, stage, unit)]


def make_ready(db: sqlite3.Connection, graph: Graph, stage: str, whys: Mapping[int, str]) -> None:
    """Make done tasks ready again."""
    moves = [tasks.Move(unit, "done", "ready", f"redo: {why}") for unit, why in whys.items()]
    tasks.move(db, graph, stage, moves)
    rows = tasks.states_of(db, graph.ids[stage], list(whys))
    tasks.clear_stale(db, graph, stage, [unit for unit, row in rows.items() if row["stale"] is not None])
    tasks.put_behind(db, graph, stage, [unit for unit, row in rows.items() if row["behind"]])
    tasks.forget_marks(db, graph, stage, list(whys))


def may_run(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> list[int]:
    """Return those units whose upstreams are all there."""
    return [
        unit for unit, verdict in verdicts_of(db, graph, stage, units).items() if verdict.state == "ready"
    ]


def verdicts_of(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, Verdict]:
    """Judge the tasks of one stage by what their upstreams say."""
    if not units:
        return {}
    definition = graph.stages[stage]
    views: dict[int, list[Upstream]] = {unit: [] for unit in units}
    for edge in graph.upstreams[stage]:
        for unit, states in states_seen(db, graph, edge, units).items():
            views[unit].append(view(edge, states))
    opening = open_groups(db, units) if graph.may_be_open(stage) else {}
    return {
        unit: readiness(seen, opening=opening.get(unit), members=definition.members, empty=definition.empty)
        for unit, seen in views.items()
    }


def view(edge: Edge, states: Mapping[str, int]) -> Upstream:
    """Return an upstream as `decide` wants it."""
    missing = f"'{edge.up}' {NO_KEY}" if edge.kind == "keyed" else ""
    return Upstream(
        edge.up,
        states,
        group=edge.kind == "finer",
        expander=edge.expander,
        optional=edge.optional,
        missing=missing,
    )


def states_seen(
    db: sqlite3.Connection, graph: Graph, edge: Edge, units: Sequence[int]
) -> dict[int, dict[str, int]]:
    """Return, for each unit, how many tasks upstream along `edge` are in which state."""
    up, level_up = graph.ids[edge.up], graph.stages[edge.up].level
    seen: dict[int, dict[str, int]] = {unit: {} for unit in units}
    ids = json.dumps(list(units))
    for row in db.execute(states_sql(graph, edge, up, level_up), (ids,)):
        if row[1] is not None and row[2]:
            seen[row[0]][row[1]] = row[2]
    if edge.kind == "finer" and any_stale(db, up):
        for group, n in db.execute(doubtful_sql(graph, edge), (ids, MEANWHILE)):
            seen[group]["doubtful"] = n
            seen[group]["done"] -= n
    return seen


def doubtful_sql(graph: Graph, edge: Edge) -> str:
    """Return the query for how many members of each group were made while their input changed."""
    _, member, joined = seen_along(graph, edge)
    task = f"t.stage = {graph.ids[edge.up]} AND t.unit = {member} AND t.state = 'done'"
    return f"SELECT j.value, count(*) FROM {joined} JOIN task t ON {task} WHERE t.stale = ? GROUP BY j.value"


def states_sql(graph: Graph, edge: Edge, up: int, level_up: int) -> str:
    """Return the query for (unit, state, count) along one edge."""
    if edge.kind == "finer":
        return (
            "SELECT j.value, y.state, y.n FROM json_each(?) j CROSS JOIN tally y"
            f" ON y.stage = {up} AND y.unit = j.value AND y.state <> 'stale' AND y.n > 0"
        )
    state = f"CASE WHEN t.state = 'done' AND t.stale = '{MEANWHILE}' THEN 'doubtful' ELSE t.state END"
    if edge.kind == "keyed":
        return (
            f"SELECT j.value, {state}, 1 FROM json_each(?) j JOIN link k ON k.stage = {graph.ids[edge.down]}"
            f" AND k.unit = j.value AND k.upstream = {up} JOIN unit u ON u.level = {level_up} AND u.key = k.key"
            f" JOIN task t ON t.stage = {up} AND t.unit = u.id"
        )
    if edge.kind == "same":
        return f"SELECT j.value, {state}, 1 FROM json_each(?) j CROSS JOIN task t ON t.stage = {up} AND t.unit = j.value"
    group = f"u.g{level_up}" if level_up else "1"
    return (
        f"SELECT j.value, {state}, 1 FROM json_each(?) j JOIN unit u ON u.id = j.value"
        f" JOIN task t ON t.stage = {up} AND t.unit = {group}"
    )


def open_groups(db: sqlite3.Connection, units: Iterable[int]) -> dict[int, str]:
    """Return why groups are still open, for those that are."""
    sql = "SELECT o.unit, o.why FROM json_each(?) j JOIN opening o ON o.unit = j.value ORDER BY o.why DESC"
    return {row[0]: row[1] for row in db.execute(sql, (json.dumps(list(units)),))}


def candidates(db: sqlite3.Connection, graph: Graph, stage: str, *, after: int = 0) -> Iterator[list[int]]:
    """Yield waiting tasks (units above `after`) that no unfinished upstream task of the same unit holds back."""
    number = graph.ids[stage]
    open_states = ", ".join(f"'{state}'" for state in OPEN)
    same = [e for e in graph.upstreams[stage] if e.kind == "same"]
    held = "".join(
        f" AND NOT EXISTS (SELECT 1 FROM task a WHERE a.stage = {graph.ids[e.up]} AND a.unit = t.unit"
        f" AND a.state IN ({open_states}))"
        for e in same
    )
    sql = f"SELECT t.unit FROM task t WHERE t.stage = {number} AND t.unit > ? AND t.state IN ('waiting', 'blocked'){held}"
    rows: Iterator[Any] = iter(db.execute(sql, (after,)).fetchall())
    yield from chunks(row[0] for row in rows)
