"""Which groups are closed, what holds a closing back, and what people decide about both."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from penstock.campaign import Closing, Stage
from penstock.complete import moment_on, parse_deadline
from penstock.decide import Verdict
from penstock.display import Labels, show_command
from penstock.errors import DefinitionError
from penstock.graph import Graph

SEAL = "seal"
HELD = "reopened by "  # how the reason begins of a closing that a person has to ask for
LATE = "late: "  # how the reason begins of what came into a closed group
CLOSE, REOPENED, CLOSED = "close", "reopened", "closed"  # in the history
DECISION = (
    "SELECT h.what, coalesce(c.by, '') AS by FROM history h LEFT JOIN cause c ON c.id = h.cause WHERE h.unit = ?"
    f" AND h.what IN ('{CLOSE}', '{REOPENED}') ORDER BY h.n DESC LIMIT 1"
)


class Decision(NamedTuple):
    """What a person decided last about a group: to close it, whatever its conditions say, or to reopen it."""

    what: str
    by: str


def steps_at(graph: Graph, level: int) -> list[str]:
    """Return the steps of the closing of a level that are ours, in their order; none if its groups are not closed."""
    return [name for name, stage in graph.stages.items() if stage.closing and stage.level == level]


def seals(graph: Graph) -> list[Stage]:
    """Return the last steps of all closings, the coarsest first."""
    found = [stage for stage in graph.stages.values() if stage.closing and stage.closing.step == SEAL]
    return sorted(found, key=lambda stage: stage.level)


def closed_above(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, int]:
    """Return the closed group, the coarsest one, of those units whose task of a stage belongs to one."""
    found: dict[int, int] = {}
    for seal in seals(graph) if units else ():
        if seal.level > graph.stages[stage].level:
            continue
        group = f"u.g{seal.level}" if seal.level else "1"
        sql = (
            f"SELECT u.id, t.unit FROM json_each(?) j CROSS JOIN unit u ON u.id = j.value"
            f" CROSS JOIN task t ON t.stage = ? AND t.unit = {group} AND t.state = 'done'"
        )
        for unit, closed in db.execute(sql, (json.dumps(list(units)), graph.ids[seal.name])):
            found.setdefault(unit, closed)
    return found


def held_back(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, Verdict]:
    """Return what must not start although nothing is wrong with it: in closed groups, and closings that wait."""
    closed = closed_above(db, graph, stage, units)
    if closed:
        labels = Labels.read(db)
        whys = {
            group: (LATE + "{}; {}").format(*say_group(db, labels, group)) for group in {*closed.values()}
        }
        return {unit: Verdict("blocked", whys[group]) for unit, group in closed.items()} | held_open(
            db, graph, stage, [unit for unit in units if unit not in closed]
        )
    return held_open(db, graph, stage, units)


def say_group(db: sqlite3.Connection, labels: Labels, group: int) -> tuple[str, str]:
    """Say that a group is closed, and what a person can do."""
    row = db.execute("SELECT key, level FROM unit WHERE id = ?", (group,)).fetchone()
    command = show_command("reopen", labels.label(row["key"]))
    return f"{name_of(labels, row)} is closed", f"open it with `{command}`"


def name_of(labels: Labels, row: sqlite3.Row) -> str:
    """Call a group by its level and its name; the campaign is one alone."""
    return "the campaign" if row["level"] == 0 else f"{labels.level(row['level'])} {labels.label(row['key'])}"


def held_open(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, Verdict]:
    """Return why closings may not begin yet: somebody reopened the group, or it is too early."""
    closing = graph.stages[stage].closing
    if closing is None or not closing.is_first or not units:
        return {}
    labels, now = Labels.read(db), db.execute("SELECT clock()").fetchone()[0]
    found: dict[int, Verdict] = {}
    for unit in units:
        key = db.execute("SELECT key FROM unit WHERE id = ?", (unit,)).fetchone()[0]
        if why := why_held(closing, decision_on(db, unit), key, now, labels):
            found[unit] = Verdict("waiting", why)
    return found


def why_held(closing: Closing, decision: Decision | None, key: str, now: float, labels: Labels) -> str | None:
    """Return what keeps a closing from beginning, if anything does."""
    command = show_command("close", labels.label(key))
    if decision:
        reopened = f"{HELD}{decision.by}; `{command}` closes it again"
        return reopened if decision.what == REOPENED else None
    try:
        start = starts(closing, key)
    except DefinitionError as error:
        return error.message
    if start is None or now >= start:
        return None
    return f"it is not {closing.not_before} in {closing.time_zone} yet; `{command}` closes it now"


def starts(closing: Closing, key: str) -> float | None:
    """Return when the closing of a group may begin, in UTC seconds; raises DefinitionError if it is no day."""
    if closing.not_before is None:
        return None
    day = str(json.loads(key)[-1])
    return moment_on(day, parse_deadline(closing.not_before), ZoneInfo(closing.time_zone)).timestamp()


def decision_on(db: sqlite3.Connection, unit: int) -> Decision | None:
    """Return what a person decided last about the closing of a group."""
    row = db.execute(DECISION, (unit,)).fetchone()
    return row and Decision(*row)


def is_closed(db: sqlite3.Connection, graph: Graph, unit: int) -> bool:
    """Whether a group itself has a seal that counts."""
    level = db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone()[0]
    sql = "SELECT 1 FROM task WHERE stage = ? AND unit = ? AND state = 'done'"
    own = [graph.ids[seal.name] for seal in seals(graph) if seal.level == level]
    return any(db.execute(sql, (number, unit)).fetchone() for number in own)


def new_in_closed(db: sqlite3.Connection, graph: Graph, stage: str, after: int) -> list[int]:
    """Return the new units (above `after`) at a stage's level that came into closed groups."""
    level, found = graph.stages[stage].level, set[int]()
    for seal in seals(graph):
        if seal.level > level:
            continue
        group = f"u.g{seal.level}" if seal.level else "1"
        sql = (
            f"SELECT u.id FROM unit u CROSS JOIN task t ON t.stage = ? AND t.unit = {group} AND t.state = 'done'"
            " WHERE u.id > ? AND u.level = ?"
        )
        found.update(row[0] for row in db.execute(sql, (graph.ids[seal.name], after, level)))
    return sorted(found)
