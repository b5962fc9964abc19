"""Jobs and batches in the ledger: recorded before anything is started, finished when nothing more can come."""

from __future__ import annotations

import json
import sqlite3
import string
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock.campaign import Allowance, Stage
from penstock.decide import Failure, Outcome, after_failure
from penstock.graph import Graph
from penstock.ledger import Ledger, tasks
from penstock.ledger.readiness import Touched, propagate

ALPHABET = string.ascii_lowercase + string.digits


def new_token() -> str:
    """Return a fresh token: `p` and ten of [a-z0-9], fit for a job's name everywhere."""
    import secrets

    return "p" + "".join(secrets.choice(ALPHABET) for _ in range(10))


def plan_job(ledger: Ledger, *, token: str, site: str, folder: str, now: float) -> int:
    """Record the intent to start a runner that will be fed, before it is."""
    with ledger.transaction() as db:
        job = insert_job(db, (token, site, ledger.epoch or 0, 1, 1, folder, None), now)
        db.execute("INSERT INTO life (job, element, life) VALUES (?, 1, 1)", (job,))
        return job


def plan_array(
    ledger: Ledger,
    *,
    token: str,
    site: str,
    folder: str,
    elements: int,
    request: Mapping[str, Any],
    now: float,
) -> int:
    """Record, within a transaction that also records its batches, the intent to submit an array."""
    db, epoch = ledger.db, ledger.epoch or 0
    job = insert_job(db, (token, site, epoch, elements, 0, folder, json.dumps(request)), now)
    rows = [(job, n) for n in range(1, elements + 1)]
    db.executemany("INSERT INTO element (job, element) VALUES (?, ?)", rows)
    return job


def insert_job(db: sqlite3.Connection, values: tuple[Any, ...], now: float) -> int:
    """Insert the row of a job and return its id."""
    cursor = db.execute(
        "INSERT INTO job (token, site, epoch, elements, feed, folder, request, state, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'planned', ?)",
        (*values, now),
    )
    return int(cursor.lastrowid or 0)


def intent(db: sqlite3.Connection, job: int) -> dict[str, Any]:
    """Return what was recorded of a job before it was started, as its spec has it in case the record is lost."""
    sql = "SELECT id, site, epoch, elements, feed, folder, created, request FROM job WHERE id = ?"
    return dict(db.execute(sql, (job,)).fetchone())


def hand_in(ledger: Ledger, job: int, now: float) -> None:
    """Record, before it is done, that a job is submitted to its scheduler."""
    with ledger.transaction() as db:
        db.execute("UPDATE job SET tries = tries + 1, submitted = ? WHERE id = ?", (now, job))


def submitted(ledger: Ledger, job: int, native: str, now: float) -> None:
    """Record what the scheduler calls the job."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE job SET state = 'submitted', native = ?, submitted = ? WHERE id = ?", (native, now, job)
        )


def count_anew(ledger: Ledger, now: float) -> None:
    """Count from now on what open jobs did at a later time: the clock was put back since, nobody knows how far."""
    out = "SELECT id FROM job WHERE state <> 'finished'"
    with ledger.transaction() as db:
        db.execute(
            f"UPDATE job SET submitted = :now WHERE id IN ({out}) AND coalesce(submitted, created) > :now",
            {"now": now},
        )
        db.execute(f"UPDATE life SET news = :now WHERE job IN ({out}) AND news > :now", {"now": now})


def plan_batch(
    db: sqlite3.Connection, *, job: int, element: int, stage: int, size: int, cores: int, now: float
) -> tuple[int, int]:
    """Record a batch that will be given to an element; return its id and its number there."""
    number = db.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM batch WHERE job = ? AND element = ?", (job, element)
    ).fetchone()[0]
    cursor = db.execute(
        "INSERT INTO batch (job, element, number, stage, size, cores, state, at) VALUES (?,?,?,?,?,?,'planned',?)",
        (job, element, number, stage, size, cores, now),
    )
    return int(cursor.lastrowid or 0), int(number)


def delivered(ledger: Ledger, batches: Sequence[int]) -> None:
    """Record that batches are where their element reads them."""
    with ledger.transaction() as db:
        db.executemany(
            "UPDATE batch SET state = 'delivered' WHERE id = ? AND state = 'planned'", [(b,) for b in batches]
        )


def open_jobs(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the jobs from which events can still come."""
    return db.execute("SELECT * FROM job WHERE state <> 'finished' ORDER BY id").fetchall()


def open_batches(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the batches that are not finished."""
    return db.execute(
        "SELECT b.* FROM batch b JOIN job j ON j.id = b.job WHERE b.state <> 'finished' AND j.state <> 'finished' ORDER BY b.id"
    ).fetchall()


def batches_of(db: sqlite3.Connection, job: int) -> int:
    """Return how many batches a job was given."""
    return int(db.execute("SELECT count(*) FROM batch WHERE job = ?", (job,)).fetchone()[0])


def with_suspect(db: sqlite3.Connection) -> set[int]:
    """Return the jobs with a task that may have ended an earlier runner."""
    sql = "SELECT b.job FROM batch b JOIN task t ON t.batch = b.id WHERE b.state <> 'finished' AND b.size = 1 AND t.alone"
    return {row[0] for row in db.execute(sql)}


def lives(db: sqlite3.Connection, job: int) -> list[sqlite3.Row]:
    """Return the event files of a job, as far as they were read."""
    return db.execute("SELECT * FROM life WHERE job = ? ORDER BY element, life", (job,)).fetchall()


def lives_of(db: sqlite3.Connection, ids: Sequence[int]) -> list[sqlite3.Row]:
    """Return the event files of these jobs, with the tokens of their jobs."""
    return db.execute(
        "SELECT j.token, l.* FROM json_each(?) i CROSS JOIN life l ON l.job = i.value JOIN job j ON j.id = l.job",
        (json.dumps(list(ids)),),
    ).fetchall()


def is_finished(db: sqlite3.Connection, job: int) -> bool:
    """Whether nothing more can come of a job."""
    return db.execute("SELECT state FROM job WHERE id = ?", (job,)).fetchone()[0] == "finished"


def open_lives(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the event files of fed runners that may still grow, with token and site of their job."""
    return db.execute(
        "SELECT j.token, j.site, l.* FROM job j JOIN life l ON l.job = j.id WHERE j.state <> 'finished' AND j.feed"
    ).fetchall()


class Ending(NamedTuple):
    """How a job, or some of its elements, ended for the remaining tasks."""

    outcome: Outcome  # of those in flight; when a person cancelled, also of those that had not begun
    why: str
    suspects: bool = False  # whether those in flight may be what ended it
    host: str | None = None
    is_over: bool = True  # whether no runner of theirs can be at work any more


class Finisher:
    """Finishes jobs from which nothing more can come."""

    def __init__(
        self, ledger: Ledger, graph: Graph, allowances: Mapping[str, Mapping[str, Allowance]]
    ) -> None:
        self.ledger, self.graph, self.allowances = ledger, graph, allowances

    def finish(
        self, job: sqlite3.Row, ending: Ending, *, now: float, elements: Sequence[int] | None = None
    ) -> int:
        """Free what never started, judge what was in flight, and return how many tasks that was.

        With `elements` (None: all) the job itself goes on until it has no others.
        """
        changed, touched = dict[str, list[int]](), Touched()
        which = json.dumps(list(elements or range(1, job["elements"] + 1)))
        with self.ledger.transaction() as db:
            for stage in self.graph.stages:
                rows = unfinished(db, job["id"], which, self.graph.ids[stage])
                if rows:
                    changed[stage] = [row["unit"] for row in rows]
                    touched.add(stage, changed[stage])
                    self.judge(stage, job, rows, ending, now)
            self.close(db, job["id"], which, ending.why, now)
            propagate(db, self.graph, changed, touched)
        return sum(map(len, changed.values()))

    def close(self, db: sqlite3.Connection, job: int, elements: str, why: str, now: float) -> None:
        """Close the rows of these elements, and that of the job when they were its last ones."""
        among = "job = ? AND element IN (SELECT value FROM json_each(?))"
        db.execute(f"UPDATE batch SET state = 'finished' WHERE {among}", (job, elements))
        db.execute(f"UPDATE element SET finished = 1 WHERE {among}", (job, elements))
        db.execute(
            "UPDATE job SET state = 'finished', finished = ?, why = ? WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM element WHERE job = job.id AND NOT finished)",
            (now, why, job),
        )

    def judge(
        self, stage: str, job: sqlite3.Row, rows: Sequence[sqlite3.Row], ending: Ending, now: float
    ) -> None:
        """Free what had not started, and decide what happens to what was in flight."""
        db, graph = self.ledger.db, self.graph
        judged = {r["unit"] for r in rows if r["state"] == "running" or ending.outcome == "cancelled"}
        tasks.give_back(db, graph, stage, [row for row in rows if row["unit"] not in judged])
        for row in (row for row in rows if row["unit"] in judged):
            failure = Failure(
                ending.outcome, ending.why, tries=row["tries"], free=row["free"], suspect=ending.suspects
            )
            after = after_failure(failure, self.allowances[stage])
            said = f"{after.state}: {after.why}"
            db.execute(
                "INSERT INTO attempt (stage, unit, job, outcome, ended, host, why, next) VALUES (?,?,?,?,?,?,?,?)",
                (
                    graph.ids[stage],
                    row["unit"],
                    job["id"],
                    ending.outcome,
                    now,
                    ending.host,
                    ending.why,
                    said,
                ),
            )
            tasks.come_back(db, graph, stage, row, after, now=now)


def unfinished(db: sqlite3.Connection, job: int, elements: str, stage_id: int) -> list[sqlite3.Row]:
    """Return the tasks of a stage that some elements (JSON) of a job still have."""
    return db.execute(
        "SELECT t.* FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ? AND t.stage = ?"
        " AND b.element IN (SELECT value FROM json_each(?)) AND t.state IN ('queued', 'running')",
        (job, stage_id, elements),
    ).fetchall()


def allowances_for(
    stages: Mapping[str, Stage], defaults: Mapping[str, Mapping[str, Allowance]]
) -> dict[str, Mapping[str, Allowance]]:
    """Return the retry policy of each stage: the defaults of its site, and its own rules."""
    return {name: {**defaults[name], **stage.retry} for name, stage in stages.items()}
