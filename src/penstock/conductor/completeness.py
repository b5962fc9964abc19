"""When a group is complete, as its level's `complete` says it (RULES 1)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from penstock.conductor.context import Context
from penstock.errors import DefinitionError
from penstock.graph import Graph
from penstock.ledger.units import Values
from penstock.units import Template

UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400}
FORMS = '"not_before 08:00 next day", "quiet 30min", "file {night}.done", "count n_subruns"'


@dataclass(frozen=True, slots=True)
class Group:
    """What a condition may look at."""

    values: Mapping[str, Any]
    day: str | None  # the value of its own level, a date where a condition wants one
    newest: float | None  # when a member last came or changed
    members: int


def why_open(condition: str, group: Group, *, now: float, root: Path) -> str | None:
    """Say why a group is not complete yet; None when it is.

    >>> why_open("count n", Group({"n": 3}, None, None, 2), now=0.0, root=Path())
    '2 of 3 members are there'
    """
    word, _, rest = condition.partition(" ")
    match word:
        case "count":
            wanted = int(group.values[rest])
            return f"{group.members} of {wanted} members are there" if group.members < wanted else None
        case "file":
            path = root / Template.parse(rest).render(group.values, in_path=True)
            return None if path.exists() else f"{path.name} is not there yet"
        case "quiet":
            over = (group.newest or now) + seconds(rest)
            return f"the last member came less than {rest} ago" if now < over else None
        case "not_before":
            start = moment(rest, group.day or "")
            return f"it is not {start:%Y-%m-%d %H:%M} UTC yet" if now < start.timestamp() else None
        case _:
            raise DefinitionError(f'complete = "{condition}" is not understood: it is one of {FORMS}')


def seconds(text: str) -> float:
    """Return a duration like `30min` in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", text)
    if not found:
        raise DefinitionError(f'"{text}" is not a duration: write it as 30min, 2h or 1d')
    return float(found[1]) * UNITS_S[found[2]]


def moment(text: str, day: str) -> datetime:
    """Return the time that `08:00 next day` means for a group whose value is a date."""
    found = re.fullmatch(r"(\d\d):(\d\d)( next day)?", text)
    if not found:
        raise DefinitionError(
            f'complete = "not_before {text}" is not understood: write it as not_before 08:00 next day'
        )
    start = datetime.fromisoformat(day[:10]).replace(tzinfo=UTC) + timedelta(days=1 if found[3] else 0)
    return start + timedelta(hours=int(found[1]), minutes=int(found[2]))


def open_by_condition(context: Context) -> dict[int, str]:
    """Return the groups that are open by their level's condition, and why.

    Looked at are those where a group task is still to do, or would be redone for late members.
    """
    campaign, graph, db = context.campaign, context.graph, context.ledger.db
    reasons: dict[int, str] = {}
    for level in {stage.level for stage in graph.stages.values() if graph.is_group(stage.name)}:
        name = campaign.levels[level - 1] if level else "campaign"
        condition = campaign.complete.get(name)
        if condition is None:
            raise DefinitionError(
                f"a stage at level '{name}' needs [units] complete = {{ {name} = … }} to know when its group is whole:"
                f" one of {FORMS}",
                file=campaign.file,
            )
        for row in undone_groups(db, graph, level):
            why = why_open(
                condition, look_at(db, row, context.values, name), now=context.clock.now(), root=campaign.root
            )
            if why:
                reasons[row["id"]] = why
    return reasons


def undone_groups(db: sqlite3.Connection, graph: Graph, level: int) -> list[sqlite3.Row]:
    """Return the groups of a level whose group tasks are not done, or stale."""
    stages = ", ".join(
        str(graph.ids[n]) for n, s in graph.stages.items() if s.level == level and graph.is_group(n)
    )
    return db.execute(
        f"SELECT DISTINCT u.* FROM task t JOIN unit u ON u.id = t.unit WHERE t.stage IN ({stages})"
        " AND (t.state <> 'done' OR t.stale IS NOT NULL)"
    ).fetchall()


def look_at(db: sqlite3.Connection, row: sqlite3.Row, values: Values, name: str) -> Group:
    """Return what a condition may know of a group."""
    under = f"g{row['level']} = {row['id']} AND level > {row['level']}" if row["level"] else "level > 0"
    newest, members = db.execute(
        f"SELECT max(at), count(*) FROM unit WHERE {under} AND gone IS NULL AND origin <> 'group'"
    ).fetchone()
    known = values.of(row)
    return Group(known, str(known.get(name, "")), newest, members)
