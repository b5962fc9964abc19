"""Reading the status from the ledger: a few rows, however many units there are."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from penstock.display import Labels, show_time, visible
from penstock.ledger.experience import notes_of
from penstock.ledger.hosts.holder import holder, last_turn
from penstock.ledger.locations import any_away
from penstock.ledger.order import backfill_left, full
from penstock.ledger.reading.channels import channel_states
from penstock.ledger.reading.closed import closed_groups, late_tasks
from penstock.ledger.reading.decided import count_archived, count_marked
from penstock.ledger.reading.failuregroups import read_failure_groups
from penstock.ledger.reading.late import late_groups
from penstock.ledger.reading.queuestate import QueueState, goes_on, queue_states, remedy_of
from penstock.status.model import STATES, JobStatus, Problem, StageStatus, Status

if TYPE_CHECKING:
    from penstock.ledger import Ledger

_LOOKED_AT = 10_000  # elements of arrays
_RECENT = 1000  # attempts that the rate is taken from


def read_status(ledger: Ledger, now: float, problems: int) -> Status:
    """Return the status; at most so many `problems` are listed."""
    db = ledger.db
    labels = Labels.read(db)
    stages = _read_stages(db, labels, now)
    failed = sum(stage.tasks["failed"] for stage in stages)
    jobs = _read_jobs(db, now)
    named, more = _read_problems(db, labels, jobs, failed, problems, now)
    groups = read_failure_groups(db, labels) if failed and problems else []
    name = db.execute("SELECT value FROM meta WHERE name = 'name'").fetchone()
    return Status(
        campaign=name[0] if name else ledger.root.name,
        at=now,
        driver=_read_driver(db, now),
        stages=stages,
        jobs=jobs,
        problems=named,
        more_problems=more,
        failures=tuple(groups[: problems - sum(problem.stage is None for problem in named)]),
        settling=(settling := db.execute("SELECT count(*), min(path) FROM settling").fetchone())[0],
        settles=settling[1],
        sites=tuple(notes_of(db, now)) if any_away(db) or any(stage.left for stage in stages) else (),
        late=tuple(late_groups(db, labels)),
        turned=last_turn(db),
        channels=tuple(channel_states(db)),
        archived=count_archived(db),
        closings=(closings := tuple(closed_groups(db))),
        came_late=late_tasks(db) if closings else 0,
        as_of=ledger.as_of,
    )


def _read_stages(db: sqlite3.Connection, labels: Labels, now: float) -> tuple[StageStatus, ...]:
    rates = _read_rates(db, now)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = db.execute(
        "SELECT id, name, level, paused, paused_why, definition FROM stage WHERE NOT removed ORDER BY position"
    ).fetchall()
    for row in rows:
        counts[row[0]] = dict(
            tuple(r) for r in db.execute("SELECT state, n FROM tally WHERE stage = ? AND unit = 1", (row[0],))
        )
    return tuple(
        StageStatus(
            name=row[1],
            each=labels.level(row[2]),
            tasks={state: counts[row[0]].get(state, 0) for state in STATES},
            stale=counts[row[0]].get("stale", 0),
            marked=count_marked(db, row[0]),
            rate=rates.get(row[0]),
            paused=row[4] or row[3],
            goes_on=goes_on(row[1], row[3]) if row[3] else None,
            backfill=backfill_left(db, row[0]),
            full=full(db, row["id"], row["definition"]) if counts[row[0]].get("ready") else None,
        )
        for row in rows
    )


def _read_rates(db: sqlite3.Connection, now: float) -> dict[int, float]:
    """Tasks a second, by stage, over the newest attempts since the present conductor began; none without a conductor."""
    lease = db.execute("SELECT since FROM lease WHERE pid IS NOT NULL").fetchone()
    if not lease or not lease[0]:
        return {}
    seen: dict[int, list[float]] = defaultdict(list)
    recent = db.execute(
        "SELECT stage, outcome, began, ended FROM attempt ORDER BY id DESC LIMIT ?", (_RECENT,)
    )
    for stage, outcome, began, ended in recent:
        if outcome == "ok" and ended >= lease[0]:
            seen[stage].append(max(began or lease[0], lease[0]))
    return {
        stage: len(began) / (now - min(began))
        for stage, began in seen.items()
        if len(began) > 1 and now - min(began) > 1
    }


def _read_driver(db: sqlite3.Connection, now: float) -> str | None:
    who = holder(db)
    if who is None or not who.alive(now):
        return None
    since = show_time(who.since, now=now)
    if who.pid == os.getpid():
        return f"working since {since}"
    return visible(
        f"`penstock {who.command}` has been running since {since} (process {who.pid} on {who.host})"
    )


def _read_jobs(db: sqlite3.Connection, now: float) -> tuple[JobStatus, ...]:
    rows = db.execute(
        "SELECT *, coalesce(submitted, created) AS since,"
        " (SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id AND batch.state <> 'finished') AS tasks"
        " FROM job WHERE state <> 'finished' ORDER BY id"
    ).fetchall()
    stand = _read_queues(db, rows, now)
    return tuple(
        JobStatus(
            r["token"], r["site"], r["native"], r["state"], r["elements"], r["tasks"], r["since"],
            stand.get(r["id"], ()),
        )
        for r in rows
    )  # fmt: skip


def _read_queues(
    db: sqlite3.Connection, jobs: Sequence[sqlite3.Row], now: float
) -> dict[int, tuple[QueueState, ...]]:
    """The states of the newest arrays' elements, as many as can be read without a delay."""
    left, found = _LOOKED_AT, dict[int, tuple[QueueState, ...]]()
    for job in reversed([job for job in jobs if not job["feed"]]):
        if left <= 0:
            break
        found[job["id"]] = tuple(queue_states(db, job["id"], now, most=left))
        left -= sum(one.elements for one in found[job["id"]])
    return found


def _read_held(db: sqlite3.Connection, jobs: Sequence[JobStatus]) -> list[Problem]:
    """What waits in a queue until a person does something."""
    held = [(job, one) for job in jobs for one in job.queue if one.phase == "held"]
    found = list[Problem]()
    for job, one in held:
        row = db.execute("SELECT * FROM job WHERE token = ?", (job.token,)).fetchone()
        said = one.reason or one.word or "no reason given"
        why = f"{one.elements} of {job.elements} held ({said}): {remedy_of(db, row, one)}"
        found.append(Problem(f"job {job.native or job.token} at {job.site}", why))
    return found


def _read_problems(
    db: sqlite3.Connection, labels: Labels, jobs: Sequence[JobStatus], failed: int, limit: int, now: float
) -> tuple[tuple[Problem, ...], int]:
    """Problems take half of the space at most, failed tasks the rest."""
    held = _read_held(db, jobs)
    noticed = len(held) + db.execute("SELECT count(*) FROM problem").fetchone()[0]
    room = min(limit, max(limit - failed, (limit + 1) // 2))
    rows = db.execute(
        "SELECT * FROM problem ORDER BY source LIKE 'site %' DESC, id DESC LIMIT ?", (room,)
    ).fetchall()
    found = (held + [_noticed(row, now) for row in rows])[:room]
    if failed:
        found += _read_failed(db, labels, limit - len(found))
    return tuple(found), failed + noticed - len(found)


def _noticed(row: sqlite3.Row, now: float) -> Problem:
    """A problem of a site lasts, so its begin is shown."""
    since = f" (since {show_time(row['at'], now=now)})" if row["source"].startswith("site ") else ""
    return Problem(row["subject"], f"{row['why']}{since}")


def _read_failed(db: sqlite3.Connection, labels: Labels, limit: int) -> Iterator[Problem]:
    rows = db.execute(
        "SELECT stage.name, unit.key, task.why, task.stage, task.unit FROM stage "
        "JOIN task ON task.stage = stage.id AND task.state = 'failed' JOIN unit ON unit.id = task.unit "
        "WHERE NOT stage.removed LIMIT ?",
        (limit,),
    )
    for name, key, why, stage, unit in rows:
        last = db.execute(
            "SELECT attempt.why, job.folder || '/' || log AS file FROM attempt LEFT JOIN job ON job.id = job "
            "WHERE stage = ? AND unit = ? AND NOT late ORDER BY attempt.id DESC LIMIT 1",
            (stage, unit),
        ).fetchone()
        reason = why or (last and last["why"]) or "failed"
        yield Problem(labels.label(key), reason, name, last["file"] if last else None)
