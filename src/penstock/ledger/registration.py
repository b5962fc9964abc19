"""The definition in the ledger: a frozen copy, and what its changes mean for finished work."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from penstock.campaign import DIGESTS, Campaign, Stage
from penstock.errors import DefinitionError
from penstock.graph import Graph, build
from penstock.ledger import Ledger, tasks
from penstock.ledger.configuration import keep_configuration
from penstock.ledger.evaluating import forget_topics
from penstock.ledger.order import place_again
from penstock.ledger.outbox import listen
from penstock.ledger.readiness import Touched, propagate
from penstock.ledger.rebasing import rebase_definitions, rebase_inputs
from penstock.ledger.rules import deciders_before
from penstock.ledger.stored import write_copy as sealed_copy
from penstock.ledger.tallies import recount
from penstock.ledger.unitchanges import (
    add_tasks,
    drop_left_out,
    link_again,
    not_begun,
    retry_failed,
    rule_again,
)
from penstock.ledger.units import ROOT, Values


def register(ledger: Ledger, campaign: Campaign, frozen: Mapping[str, Any], *, now: float) -> Graph:
    """Make `campaign` the ledger's current definition and return its graph.

    Done tasks of a stage whose digest changed become stale; failed ones get their retries again.
    Raises DefinitionError if the levels, or that of a stage, are no longer those of the ledger.
    """
    with ledger.transaction() as db:
        check_levels(ledger, campaign)
        rebase_definitions(db, campaign)
        before = {row["name"]: row for row in db.execute("SELECT * FROM stage")}
        known = digest_known(ledger) == frozen["digest"]
        follow_renamed(db, campaign, before)
        check_stages(campaign, before)
        ids: dict[str, int] = {}
        for position, stage in enumerate(campaign.stages):
            ids[stage.name] = write_stage(ledger, stage, position, frozen["stages"][position])
        graph = build(campaign, ids)
        if ledger.meta("digests") != DIGESTS:
            rebase_inputs(db, graph)
            ledger.set_meta("digests", DIGESTS)
        write_copy(ledger, campaign, frozen, now)
        keep_configuration(
            db, campaign, {path: mark for s in campaign.stages for path, mark in s.code.items()}
        )
        remove_missing(ledger, graph)
        listen(db, [(c.name, kind) for c in campaign.notify.values() for kind in c.on], now)
        if not known:
            welcome_stages(ledger, campaign, graph, before)
    return graph


def digest_known(ledger: Ledger) -> str | None:
    """Return the digest of the definition that the ledger was brought to last."""
    sql = "SELECT d.digest FROM definition d JOIN meta m ON m.name = 'definition' AND d.id = m.value"
    row = ledger.db.execute(sql).fetchone()
    return row and row[0]


def follow_renamed(db: sqlite3.Connection, campaign: Campaign, before: dict[str, Any]) -> None:
    """Let a stage that has another name and does the same work keep what was done under the old one."""
    names = {stage.name for stage in campaign.stages}
    left = [row for name, row in before.items() if name not in names]
    for stage in (s for s in campaign.stages if s.name not in before):
        same = [row for row in left if (row["digest"], row["level"]) == (stage.digest, stage.level)]
        if len(same) == 1:
            db.execute("UPDATE stage SET name = ? WHERE id = ?", (stage.name, same[0]["id"]))
            before[stage.name] = before.pop(same[0]["name"])
            left.remove(same[0])


def check_stages(campaign: Campaign, before: Mapping[str, Any]) -> None:
    """Refuse a stage that moved to another level: its tasks are those of other units."""
    for stage in campaign.stages:
        if stage.name in before and before[stage.name]["level"] != stage.level:
            raise DefinitionError(
                f"stage '{stage.name}' moved to another level than its recorded tasks: give it another name",
                file=campaign.file,
            )


def check_levels(ledger: Ledger, campaign: Campaign) -> None:
    """Refuse other levels or key types than the ledger's."""
    identity = json.dumps(
        {"levels": campaign.levels, "types": {n: campaign.types.get(n, "str") for n in campaign.levels}}
    )
    before = ledger.meta("levels")
    if before is not None and before != identity:
        raise DefinitionError(
            f"the levels or the types of their keys changed since the ledger was made ({before} → {identity}):"
            " put them back, or start a new campaign in another folder",
            file=campaign.file,
        )
    ledger.set_meta("levels", identity)
    ledger.set_meta("name", campaign.name)


def write_stage(ledger: Ledger, stage: Stage, position: int, frozen: Any) -> int:
    """Write one stage and return its id; a changed definition ends a pause.

    What is recorded already is not written again: a cron turn without news leaves the file unchanged.
    """
    text = json.dumps(frozen)
    same = ledger.db.execute(
        "SELECT id FROM stage WHERE name = ? AND level = ? AND position = ? AND digest = ? AND definition = ?"
        " AND NOT removed",
        (stage.name, stage.level, position, stage.digest, text),
    ).fetchone()
    if same:
        return int(same[0])
    row = ledger.db.execute(
        "INSERT INTO stage (name, level, position, digest, definition) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET level = excluded.level, position = excluded.position, removed = 0,"
        " paused = CASE WHEN digest = excluded.digest THEN paused END,"
        " paused_why = CASE WHEN digest = excluded.digest THEN paused_why END,"
        " digest = excluded.digest, definition = excluded.definition RETURNING id",
        (stage.name, stage.level, position, stage.digest, text),
    ).fetchone()
    return int(row[0])


def write_copy(ledger: Ledger, campaign: Campaign, frozen: Mapping[str, Any], now: float) -> None:
    """Keep the frozen copy, once for each digest."""
    text = sealed_copy(frozen)
    ledger.db.execute(
        "INSERT INTO definition (digest, text, at) VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE SET text = excluded.text"
        " WHERE text IS NOT excluded.text",
        (frozen["digest"], text, now),
    )
    number = ledger.db.execute("SELECT id FROM definition WHERE digest = ?", (frozen["digest"],)).fetchone()[
        0
    ]
    ledger.set_meta("definition", str(number))


def remove_missing(ledger: Ledger, graph: Graph) -> None:
    """Keep the tasks of stages that are no longer defined, and never run them; active ones are no longer waited for."""
    names = json.dumps(list(graph.ids))
    removed = ledger.db.execute(
        "UPDATE stage SET removed = 1 WHERE NOT removed AND name NOT IN (SELECT value FROM json_each(?)) RETURNING name",
        (names,),
    ).fetchall()
    for row in removed:
        forget_topics(ledger.db, row["name"])
        ledger.db.execute(
            "UPDATE task SET state = 'waiting', batch = NULL WHERE stage = (SELECT id FROM stage WHERE name = ?)"
            " AND state IN ('queued', 'running')",
            (row["name"],),
        )


def welcome_stages(ledger: Ledger, campaign: Campaign, graph: Graph, before: Mapping[str, Any]) -> None:
    """Make the tasks of new stages for the units there are, and mark what an older definition made."""
    db, touched, changed = ledger.db, Touched(), defaultdict[str, set[int]](set)
    values = Values(db, campaign)
    for name, stage in graph.stages.items():
        if name not in before:
            add_tasks(db, graph, values, name, 0, touched)
            continue
        recount(db, graph, name)
        place_again(db, graph, values, name, before[name]["definition"])
        if (former := deciders_before(stage, before[name]["definition"])) is not None:
            rule_again(db, graph, values, name, [ROOT], touched, former=former)
        if before[name]["digest"] != stage.digest or before[name]["removed"]:
            forget_topics(db, name)
            drop_left_out(db, graph, values, name, [ROOT], touched)
            link_again(db, graph, values, name, [ROOT], touched)
            add_tasks(db, graph, values, name, 0, touched)
            changed[name].update(mark_older(ledger, graph, name))
        touched.add(name, not_begun(db, graph, name))
        if graph.is_group(name) or before[name]["removed"]:
            touched.add(name, done_of(db, graph, name))
    propagate(db, graph, changed, touched)


def done_of(db: sqlite3.Connection, graph: Graph, stage: str) -> list[int]:
    """Return the units whose tasks of `stage` are done."""
    sql = "SELECT unit FROM task WHERE stage = ? AND state = 'done'"
    return [row[0] for row in db.execute(sql, (graph.ids[stage],))]


def mark_older(ledger: Ledger, graph: Graph, stage: str) -> list[int]:
    """Mark done tasks that another definition made as stale (or no longer), and try failed ones again."""
    number, digest = graph.ids[stage], graph.stages[stage].digest
    ledger.db.execute(
        "UPDATE task SET stale = ? WHERE stage = ? AND state = 'done' AND made <> ? AND stale IS NULL",
        (tasks.REDEFINED, number, digest),
    )
    ledger.db.execute(
        "UPDATE task SET stale = NULL WHERE stage = ? AND state = 'done' AND made = ? AND stale = ?",
        (number, digest, tasks.REDEFINED),
    )
    recount(ledger.db, graph, stage)
    sql = "SELECT unit FROM task INDEXED BY task_failed WHERE stage = ? AND state = 'failed'"
    failed = [row[0] for row in ledger.db.execute(sql, (number,))]
    return retry_failed(ledger.db, graph, stage, failed, why=tasks.REDEFINED)
