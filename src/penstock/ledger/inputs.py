"""What a task is made from: the products of its upstreams, and the digest by which a change is seen (RULES 26)."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.campaign import Stage
from penstock.graph import Edge, Graph

FILE_WORDS = frozenset({"path", "paths", "name", "stem", "size"})


@dataclass(slots=True)
class Inputs:
    """The upstream products of one task: (product name, path) by stage, and the digest of all that it is made from."""

    paths: dict[str, list[tuple[str, str]]] = field(default_factory=dict[str, list[tuple[str, str]]])
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A product of an upstream, as one task sees it."""

    unit: int  # of the task that looks
    member: int  # of the task that made it
    name: str | None
    path: str | None
    digest: str | None


def inputs_of(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> dict[int, Inputs]:
    """Return what the tasks of `stage` for `units` are made from, as the ledger stands."""
    found = {unit: Inputs() for unit in units}
    hashes = {unit: hashlib.sha256() for unit in units}
    if uses_files(graph.stages[stage]):
        for unit, fingerprint in fingerprints(db, units):
            hashes[unit].update(f"{fingerprint}\n".encode())
    for edge in graph.upstreams[stage]:
        if edge.expander:
            continue
        for made in products_seen(db, graph, edge, units):
            hashes[made.unit].update(f"{edge.up}\0{made.member}\0{made.name}\0{made.digest}\n".encode())
            if made.name and made.path:
                found[made.unit].paths.setdefault(edge.up, []).append((made.name, made.path))
    for unit, digest in hashes.items():
        found[unit].digest = digest.hexdigest()[:32]
    return found


def uses_files(stage: Stage) -> bool:
    """Whether a task of `stage` depends on its unit's files; of a Python stage it is taken for granted."""
    if stage.python or not stage.after:
        return True
    return any(name in FILE_WORDS for part in stage.command for name in part.names)


def fingerprints(db: sqlite3.Connection, units: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Yield (unit, fingerprint and fields of its files)."""
    sql = "SELECT u.id, coalesce(u.fingerprint, '') || u.fields FROM json_each(?) j JOIN unit u ON u.id = j.value"
    for row in db.execute(sql, (json.dumps(list(units)),)):
        yield row[0], row[1]


def products_seen(db: sqlite3.Connection, graph: Graph, edge: Edge, units: Sequence[int]) -> Iterator[Made]:
    """Yield the products of the done upstream tasks along one edge, in a stable order."""
    up = graph.ids[edge.up]
    sql, parameters = selection(graph, edge, up)
    query = (
        f"{sql} JOIN task t ON t.stage = {up} AND t.unit = member AND t.state = 'done'"
        f" LEFT JOIN product p ON p.stage = {up} AND p.unit = member AND p.digest IS NOT NULL ORDER BY looking, member, p.name"
    )
    for row in db.execute(query, (*parameters, json.dumps(list(units)))):
        yield Made(*row)


def selection(graph: Graph, edge: Edge, up: int) -> tuple[str, tuple[int, ...]]:
    """Return the SQL that pairs each looking unit with the members that it sees along `edge`."""
    level_up, level_down = graph.stages[edge.up].level, graph.stages[edge.down].level
    columns = "SELECT {looking} AS looking, {member} AS member, p.name, p.path, p.digest FROM "
    match edge.kind:
        case "same":
            return columns.format(looking="j.value", member="j.value") + "json_each(?) j", ()
        case "coarser":
            member = f"u.g{level_up}" if level_up else "1"
            return columns.format(
                looking="u.id", member=member
            ) + "json_each(?) j JOIN unit u ON u.id = j.value", ()
        case "finer":
            under = f"m.g{level_down} = j.value" if level_down else "j.value = 1"
            joined = f"json_each(?) j JOIN unit m ON m.level = {level_up} AND {under}"
            return columns.format(looking="j.value", member="m.id") + joined, ()
        case "keyed":
            number = graph.ids[edge.down]
            joined = (
                f"json_each(?) j JOIN link k ON k.stage = {number} AND k.unit = j.value AND k.upstream = {up}"
                f" JOIN unit m ON m.level = {level_up} AND m.key = k.key"
            )
            return columns.format(looking="j.value", member="m.id") + joined, ()


def digests_of(db: sqlite3.Connection, graph: Graph, stage: str, units: Sequence[int]) -> Mapping[int, str]:
    """Return the input digest of each task as it would be made now."""
    return {unit: inputs.digest for unit, inputs in inputs_of(db, graph, stage, units).items()}


def members_left_out(
    db: sqlite3.Connection, graph: Graph, stage: str, unit: int
) -> list[tuple[str, int, str]]:
    """Return (upstream stage, unit, state) of the members that a group goes without, as `members = "done"` lets it (RULES 2)."""
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
