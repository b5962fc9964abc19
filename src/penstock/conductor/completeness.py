"""Which units and groups are open by the `complete` condition of their level."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator

from penstock.campaign import Campaign, FileSource, TableSource
from penstock.complete import FORMS, Condition, Group
from penstock.conductor.context import Context
from penstock.decide import OPEN
from penstock.errors import DefinitionError
from penstock.graph import Graph, build

UNCONFIRMED = "members that came last are looked for"


def open_by_condition(context: Context, confirmed: Collection[int]) -> dict[int, str]:
    """Return the units and groups that are open by their level's condition, and why.

    Where a file says that one is complete, it must have been there before members were looked for: `confirmed`.
    """
    reasons: dict[int, str] = {}
    for unit, condition, why in judged(context):
        if why or (condition.file and unit not in confirmed):
            reasons[unit] = why or UNCONFIRMED
    return reasons


def confirmed_by_file(context: Context) -> set[int]:
    """Return the units and groups that a file says are complete."""
    if not any(Condition.parse(text).file for text in context.campaign.complete.values()):
        return set()
    return {unit for unit, _, why in judged(context, by_file=True) if not why}


def judged(context: Context, *, by_file: bool = False) -> Iterator[tuple[int, Condition, str | None]]:
    """Yield the units and groups whose level has a condition, or one `by_file`, and why each is open, if it is.

    Checked are those where a task is still to do, or would be redone because members came or changed.
    """
    campaign, graph, db = context.campaign, context.graph, context.ledger.db
    refuse_endless(campaign)
    for level in sorted({stage.level for stage in graph.stages.values()}):
        name = campaign.levels[level - 1] if level else "campaign"
        text = campaign.complete.get(name)
        if text is None:
            continue
        condition = Condition.parse(text)
        if by_file and not condition.file:
            continue
        for row in undone(db, graph, level):
            group = look_at(context, row, name, condition)
            yield row["id"], condition, condition.why_open(group, now=context.clock.now(), root=campaign.root)


def whole_by_rows(campaign: Campaign, level: int) -> bool:
    """Whether only tables, whose rows are all there at once, bring members into the groups of a level.

    What a stage makes there holds its group open until that stage is done.
    """
    return all(isinstance(source, TableSource) for source in campaign.sources if source.level > level)


def refuse_endless(campaign: Campaign) -> None:
    """Raise DefinitionError if more may come by itself to groups of which nothing says when they are whole."""
    if why := why_endless(campaign):
        raise DefinitionError(why, file=campaign.file)


def why_endless(campaign: Campaign) -> str | None:
    """Say which condition is missing for a campaign to go on as data come, if one is."""
    graph = build(campaign, {stage.name: number for number, stage in enumerate(campaign.stages, 1)})
    for name, stage in graph.stages.items():
        level = campaign.levels[stage.level - 1] if stage.level else "campaign"
        if level in campaign.complete or not graph.is_group(name) or whole_by_rows(campaign, stage.level):
            continue
        return (
            f"a stage at level '{level}' needs to know when its groups are complete, as more data may arrive"
            f' (`tick`, `watch`, `up`): add complete = {{ {level} = "quiet 30min" }} to [units]; it can be {FORMS}'
        )
    return None


def undone(db: sqlite3.Connection, graph: Graph, level: int) -> list[sqlite3.Row]:
    """Return the units of a level whose own tasks are not done, or stale, whose members have work to do, or that are open.

    One that is open stays so until its condition is met, whatever its members have come to.
    """
    stages = ", ".join(str(graph.ids[n]) for n, s in graph.stages.items() if s.level == level)
    open_states = ", ".join(f"'{state}'" for state in OPEN)
    return db.execute(
        f"SELECT DISTINCT u.* FROM task t JOIN unit u ON u.id = t.unit WHERE t.stage IN ({stages})"
        " AND (t.state <> 'done' OR t.stale IS NOT NULL) UNION"
        f" SELECT DISTINCT u.* FROM tally y JOIN unit u ON u.id = y.unit WHERE u.level = {level} AND y.n > 0"
        f" AND y.state IN ({open_states}) UNION"
        f" SELECT u.* FROM opening o JOIN unit u ON u.id = o.unit WHERE u.level = {level}"
    ).fetchall()


def look_at(context: Context, row: sqlite3.Row, name: str, condition: Condition) -> Group:
    """Return what a condition may know of a unit or group; a member that came later than now counts from now on.

    That is written where members count at all: within the transaction of a scan.
    """
    known = context.values.of(row)
    newest, members = members_of(context.ledger.db, row) if condition.of_members else (None, 0)
    if newest and newest > (now := context.clock.now()):
        newest = count_anew(context.ledger.db, row, now)
    if condition.of:
        members = count_values(context.campaign, row, condition.of)
    return Group(known, str(known.get(name, "")), newest, members)


def count_values(campaign: Campaign, row: sqlite3.Row, field: str) -> int:
    """Return how many values a field has among the files of a unit."""
    patterns = [one.pattern for one in campaign.sources if isinstance(one, FileSource) and field in one.many]
    paths = json.loads(row["fields"]).get("paths", ())
    found = (pattern.match(path) for pattern in patterns for path in paths)
    return len({values[field] for values in found if isinstance(values, dict)})


def under(row: sqlite3.Row) -> str:
    """Return the SQL of the units under one."""
    return f"g{row['level']} = {row['id']} AND level > {row['level']}" if row["level"] else "level > 0"


def count_anew(db: sqlite3.Connection, row: sqlite3.Row, now: float) -> float:
    """Let what came to a unit after `now`, by a clock that was put back since, have come now; return that time."""
    for which in (under(row), f"id = {row['id']}"):
        db.execute(f"UPDATE unit SET at = ? WHERE {which} AND at > ?", (now, now))
    return now


def members_of(db: sqlite3.Connection, row: sqlite3.Row) -> tuple[float | None, int]:
    """Return when the last member of a unit came or changed, and how many there are: units under it, else its own files."""
    sql = f"SELECT max(at), count(*) FROM unit WHERE {under(row)} AND gone IS NULL AND origin <> 'group'"
    newest, members = db.execute(sql).fetchone()
    if members or row["origin"] == "group":
        return newest, members
    fields = json.loads(row["fields"])
    return row["at"], len(fields.get("paths", ())) or int("path" in fields)
