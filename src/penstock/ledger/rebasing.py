"""Records with digests of a former format: they are compared in that format, and get present ones where nothing changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from penstock.campaign import DIGESTS, Campaign, Stage
from penstock.graph import Graph
from penstock.ledger import inputs, tasks

SHARED_WORDS = frozenset({"product", "cpus", "scratch", "outdir"})


def rebase_definitions(db: sqlite3.Connection, campaign: Campaign) -> None:
    """Replace the digests of unchanged stages, and those of the tasks that they made."""
    stages = {stage.name: stage for stage in campaign.stages}
    rows = db.execute(
        "SELECT id, name, digest FROM stage WHERE digest NOT LIKE ?", (f"{DIGESTS}%",)
    ).fetchall()
    if not rows:
        return
    from penstock.config.former import former_digests as former_definitions

    for number, name, former in rows:
        if stage := stages.get(name):
            same = former_definitions(stage, campaign.root)
            made = [(stage.digest, number, one) for one in same]
            db.executemany("UPDATE task SET made = ? WHERE stage = ? AND made = ?", made)
            if former in same:
                db.execute("UPDATE stage SET digest = ? WHERE id = ?", (stage.digest, number))


def rebase_inputs(db: sqlite3.Connection, graph: Graph) -> None:
    """Digest anew what tasks were made from, where it is as it was; from then on only files have fingerprints."""
    same = {stage: unchanged(db, graph, stage) for stage in graph.ids}
    for width in (8, 16):  # of the digest of a row, which stood alone or before those of files
        db.execute(
            "UPDATE unit SET fingerprint = substr(fingerprint, ?1 + 2) WHERE substr(fingerprint, ?1 + 1, 1) IN ('', ',')"
            " AND length(fingerprint) >= ?1 AND NOT instr(substr(fingerprint, 1, ?1), ':')",
            (width,),
        )
    for stage, members in same.items():
        for units in tasks.chunks(members):
            now = inputs.digests_of(db, graph, stage, units)
            rows = [(now[u].partition(".")[0] + members[u], graph.ids[stage], u) for u in units]
            db.executemany("UPDATE task SET inputs = ? WHERE stage = ? AND unit = ?", rows)


def unchanged(db: sqlite3.Connection, graph: Graph, stage: str) -> dict[int, str]:
    """Return the units of which the former way says that they are as they were, and what is noted of their members."""
    rows = db.execute(
        "SELECT unit, inputs FROM task WHERE stage = ? AND inputs > '' AND inputs NOT LIKE ?",
        (graph.ids[stage], f"{DIGESTS}%"),
    ).fetchall()
    found: dict[int, str] = {}
    for some in tasks.chunks(rows):
        former = former_digests(db, graph, stage, {row["unit"]: row for row in some})
        for unit, made_from in some:
            own, dot, members = made_from.partition(".")
            if own == former[unit].partition(".")[0]:
                found[unit] = dot + members
    return found


def former_digests(
    db: sqlite3.Connection, graph: Graph, stage: str, rows: Mapping[int, sqlite3.Row]
) -> dict[int, str]:
    """Return in the former way what tasks would be made from now, of those whose digest is of that kind."""
    units = [unit for unit, row in rows.items() if not (row["inputs"] or DIGESTS).startswith(DIGESTS)]
    if not units:
        return {}
    texts = (
        fingerprints(db, units) if uses_unit(graph, stage) else named_fields(db, units, graph.stages[stage])
    )
    found = inputs.gather(db, graph, stage, units, texts=texts)
    return {unit: one.digest for unit, one in found.items()}


def uses_unit(graph: Graph, stage: str) -> bool:
    """Whether a task of `stage` was taken to be made from its unit's own files and fields."""
    definition = graph.stages[stage]
    fed = any(e.kind in ("same", "finer") and not e.expander for e in graph.upstreams[stage])
    named = {name for part in definition.command for name in part.names} - SHARED_WORDS
    return bool(definition.python) or not fed or any("." not in name for name in named)


def fingerprints(db: sqlite3.Connection, units: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Yield (unit, fingerprint and fields of its files)."""
    sql = "SELECT u.id, coalesce(u.fingerprint, '') || u.fields FROM json_each(?) j JOIN unit u ON u.id = j.value"
    for row in db.execute(sql, (json.dumps(list(units)),)):
        yield row[0], row[1]


def named_fields(db: sqlite3.Connection, units: Sequence[int], stage: Stage) -> Iterator[tuple[int, str]]:
    """Yield (unit, fields that say where its products go)."""
    names = {name for product in stage.products for name in product.path.names}
    sql = "SELECT u.id, u.fields FROM json_each(?) j JOIN unit u ON u.id = j.value"
    for unit, text in db.execute(sql, (json.dumps(list(units)),)) if names else ():
        fields = json.loads(text)
        if named := {name: fields[name] for name in sorted(names & fields.keys())}:
            yield unit, json.dumps(named)
