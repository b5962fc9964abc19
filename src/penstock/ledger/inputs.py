"""What a task is made from: the products of its upstreams, and the digest by which a change is seen.

The digest of a group has two parts, `own.members`: only new or changed members make it again by itself.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from penstock.campaign import DIGESTS
from penstock.graph import Edge, Graph
from penstock.ledger.uses import Uses, made_from

NOTHING = hashlib.sha256().hexdigest()[:32]  # the digest of no members

Texts = Iterable[tuple[int, str]]


@dataclass(slots=True)
class Inputs:
    """The upstream products of one task: (product name, path) by stage, and the digest of all that it is made from."""

    paths: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])
    digest: str = ""


class Made(NamedTuple):
    """A product of an upstream, as one task sees it."""

    unit: int  # of the task that looks
    member: int  # of the task that made it
    name: str | None
    path: str | None
    digest: str | None


def inputs_of(
    db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int], *, since: float | None = None
) -> dict[int, Inputs]:
    """Return what the tasks of `stage` for `units` are made from, by the present ledger.

    A group that is made without vanished members is looked at with those that vanished at or after `since`, if given.
    """
    found = gather(db, graph, stage, units, texts=made_from(db, Uses(graph, stage), units), since=since)
    for inputs in found.values():
        inputs.digest = DIGESTS + inputs.digest
    return found


def gather(
    db: sqlite3.Connection,
    graph: Graph,
    stage: str,
    units: Sequence[int],
    *,
    texts: Texts,
    since: float | None = None,
) -> dict[int, Inputs]:
    """Digest what tasks are made from: the `texts` of their units, and the products of their upstreams."""
    found = {unit: Inputs() for unit in units}
    own = {unit: hashlib.sha256() for unit in units}
    members = {unit: hashlib.sha256() for unit in units} if graph.is_group(stage) else {}
    for unit, text in texts:
        own[unit].update(f"{text}\n".encode())
    for edge in graph.upstreams[stage]:
        if edge.expander:
            continue
        hashes = members if edge.kind == "finer" else own
        for made in products_seen(db, graph, edge, units, since):
            hashes[made.unit].update(f"{edge.up}\0{made.member}\0{made.name}\0{made.digest}\n".encode())
            if made.name and made.path:
                found[made.unit].paths.setdefault(edge.up, []).append((made.name, made.path))
    for unit, inputs in found.items():
        inputs.digest = own[unit].hexdigest()[:32]
        if unit in members:
            inputs.digest += f".{members[unit].hexdigest()[:32]}"
    return found


def products_seen(
    db: sqlite3.Connection, graph: Graph, edge: Edge, units: Sequence[int], since: float | None = None
) -> Iterator[Made]:
    """Yield the products of the done upstream tasks along one edge, in a stable order."""
    up = graph.ids[edge.up]
    looking, member, joined = seen_along(graph, edge)
    counts = "m.gone IS NULL OR m.archived IS NOT NULL" + (
        "" if since is None else f" OR m.gone >= {since!r}"
    )
    there = f" AND ({counts})" if leaves_vanished(graph, edge) else ""
    query = (
        f"SELECT {looking} AS looking, {member} AS member, p.name, p.path, p.digest FROM {joined}{there}"
        f" JOIN task t ON t.stage = {up} AND t.unit = {member} AND t.state = 'done'"
        f" LEFT JOIN product p ON p.stage = {up} AND p.unit = {member} AND p.digest IS NOT NULL AND {is_read(edge)}"
        " ORDER BY looking, member, p.name"
    )
    for row in db.execute(query, (json.dumps(list(units)),)):
        yield Made(*row)


def leaves_vanished(graph: Graph, edge: Edge) -> bool:
    """Whether a group is made without members that were done and are gone."""
    return edge.kind == "finer" and graph.stages[edge.down].vanished != "ignore"


def is_read(edge: Edge) -> str:
    """Return the SQL condition for a row of `product` (p) that is an input along an edge."""
    names = edge.after.products if edge.after else ()
    return f"p.name IN ({', '.join(map(repr, names))})" if names else "true"


def members_of(db: sqlite3.Connection, graph: Graph, edge: Edge, units: Iterable[int]) -> set[int]:
    """Return the upstream units that these units see along `edge`."""
    _, member, joined = seen_along(graph, edge)
    return {row[0] for row in db.execute(f"SELECT {member} FROM {joined}", (json.dumps(list(units)),))}


def seen_along(graph: Graph, edge: Edge) -> tuple[str, str, str]:
    """Return the SQL that pairs each looking unit with the members that it sees: its id, theirs, and the tables."""
    level_up, level_down = graph.stages[edge.up].level, graph.stages[edge.down].level
    match edge.kind:
        case "same":
            return "j.value", "j.value", "json_each(?) j"
        case "coarser":
            member = f"u.g{level_up}" if level_up else "1"
            return "u.id", member, "json_each(?) j JOIN unit u ON u.id = j.value"
        case "finer":
            under = f"m.g{level_down} = j.value" if level_down else "j.value = 1"
            return "j.value", "m.id", f"json_each(?) j JOIN unit m ON m.level = {level_up} AND {under}"
        case "keyed":
            stages = f"k.stage = {graph.ids[edge.down]} AND k.upstream = {graph.ids[edge.up]}"
            links = f"json_each(?) j JOIN link k ON {stages} AND k.unit = j.value"
            return "j.value", "m.id", f"{links} JOIN unit m ON m.level = {level_up} AND m.key = k.key"


def digests_of(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, str]:
    """Return the input digest of each task as it would be made now."""
    return {unit: inputs.digest for unit, inputs in inputs_of(db, graph, stage, units).items()}


def vanished_at(db: sqlite3.Connection, graph: Graph, stage: str, unit: int) -> list[float]:
    """Return when members of a group vanished, the last ones first."""
    found = set[float]()
    for edge in graph.upstreams[stage]:
        if leaves_vanished(graph, edge):
            _, _, joined = seen_along(graph, edge)
            sql = f"SELECT DISTINCT m.gone FROM {joined} WHERE m.gone IS NOT NULL AND m.archived IS NULL"
            found.update(row[0] for row in db.execute(sql, (json.dumps([unit]),)))
    return sorted(found, reverse=True)


def members_left_out(
    db: sqlite3.Connection, graph: Graph, stage: str, unit: int
) -> list[tuple[str, int, str]]:
    """Return (upstream stage, unit, state) of the members that a group goes without, as `members = "done"` lets it."""
    left: list[tuple[str, int, str]] = []
    for edge in graph.upstreams[stage]:
        if edge.kind == "finer":
            level_up, level_down = graph.stages[edge.up].level, graph.stages[stage].level
            under = f"m.g{level_down} = {unit}" if level_down else "true"
            rows = db.execute(
                f"SELECT m.id, t.state FROM unit m JOIN task t ON t.unit = m.id AND t.stage = ? WHERE m.level = {level_up}"
                f" AND {under} AND t.state IN ('failed', 'blocked') ORDER BY m.id",
                (graph.ids[edge.up],),
            )
            left += [(edge.up, row[0], row[1]) for row in rows]
    return left
