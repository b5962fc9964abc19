"""Jobs and batches in the ledger: recorded before anything is started, settled when nothing more can come."""

from __future__ import annotations

import secrets
import sqlite3
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.campaign import Allowance, Stage
from penstock.decide import Failure, after_failure
from penstock.graph import Graph
from penstock.ledger import Ledger, tasks
from penstock.ledger.readiness import Touched, propagate

ALPHABET = string.ascii_lowercase + string.digits


def new_token() -> str:
    """Return a fresh token: `p` and ten of [a-z0-9], fit for a job's name everywhere (RULES 11)."""
    return "p" + "".join(secrets.choice(ALPHABET) for _ in range(10))


def plan_job(
    ledger: Ledger, *, token: str, site: str, folder: Path, elements: int, feed: bool, now: float
) -> int:
    """Record the intent to start a job, before it is."""
    with ledger.transaction() as db:
        cursor = db.execute(
            "INSERT INTO job (token, site, epoch, elements, feed, folder, state, created) VALUES (?,?,?,?,?,?,'planned',?)",
            (token, site, ledger.epoch or 0, elements, int(feed), str(folder), now),
        )
        job = int(cursor.lastrowid or 0)
        db.executemany(
            "INSERT INTO life (job, element, life) VALUES (?, ?, 1)",
            [(job, n) for n in range(1, elements + 1)],
        )
        return job


def submitted(ledger: Ledger, job: int, native: str, now: float) -> None:
    """Record what the scheduler calls the job."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE job SET state = 'submitted', native = ?, submitted = ? WHERE id = ?", (native, now, job)
        )


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
    """Record that batches lie where their element reads them."""
    with ledger.transaction() as db:
        db.executemany(
            "UPDATE batch SET state = 'delivered' WHERE id = ? AND state = 'planned'", [(b,) for b in batches]
        )


def open_jobs(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the jobs of which news can still come."""
    return db.execute("SELECT * FROM job WHERE state <> 'settled' ORDER BY id").fetchall()


def open_batches(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the batches that are not gone through."""
    return db.execute(
        "SELECT b.* FROM batch b JOIN job j ON j.id = b.job WHERE b.state <> 'settled' AND j.state <> 'settled' ORDER BY b.id"
    ).fetchall()


def with_suspect(db: sqlite3.Connection) -> set[int]:
    """Return the jobs that have a task which may be what ended an earlier runner."""
    sql = "SELECT b.job FROM batch b JOIN task t ON t.batch = b.id WHERE b.state <> 'settled' AND b.size = 1 AND t.alone"
    return {row[0] for row in db.execute(sql)}


def lives(db: sqlite3.Connection, job: int) -> list[sqlite3.Row]:
    """Return the event files of a job, as far as they were read."""
    return db.execute("SELECT * FROM life WHERE job = ? ORDER BY element, life", (job,)).fetchall()


def open_lives(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the event files that may still grow, with the token of their job."""
    return db.execute(
        "SELECT j.token, l.* FROM job j JOIN life l ON l.job = j.id WHERE j.state <> 'settled'"
    ).fetchall()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended for the tasks that it still had."""

    outcome: str  # of those in flight: lost, node_failure, preempted, cancelled
    why: str
    suspects: bool  # whether those in flight may be what ended it


class Settler:
    """Closes the books of jobs from which nothing more can come."""

    def __init__(
        self, ledger: Ledger, graph: Graph, allowances: Mapping[str, Mapping[str, Allowance]]
    ) -> None:
        self.ledger, self.graph, self.allowances = ledger, graph, allowances

    def settle(self, job: sqlite3.Row, ending: Ending, *, now: float) -> int:
        """Give back what never started, judge what was in flight, and return how many tasks that was."""
        changed, touched = dict[str, list[int]](), Touched()
        with self.ledger.transaction() as db:
            for stage in self.graph.stages:
                rows = self.unfinished(db, job["id"], stage)
                if rows:
                    changed[stage] = [row["unit"] for row in rows]
                    touched.add(stage, changed[stage])
                    self.judge(stage, job, rows, ending, now)
            db.execute("UPDATE batch SET state = 'settled' WHERE job = ?", (job["id"],))
            db.execute(
                "UPDATE job SET state = 'settled', settled = ?, why = ? WHERE id = ?",
                (now, ending.why, job["id"]),
            )
            propagate(db, self.graph, changed, touched)
        return sum(map(len, changed.values()))

    def unfinished(self, db: sqlite3.Connection, job: int, stage: str) -> list[sqlite3.Row]:
        """Return the tasks of a stage that the job still had."""
        return db.execute(
            "SELECT t.* FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ? AND t.stage = ?"
            " AND t.state IN ('queued', 'running')",
            (job, self.graph.ids[stage]),
        ).fetchall()

    def judge(
        self, stage: str, job: sqlite3.Row, rows: Sequence[sqlite3.Row], ending: Ending, now: float
    ) -> None:
        """Free the innocent, and decide what becomes of those in flight."""
        db, graph = self.ledger.db, self.graph
        tasks.give_back(db, graph, stage, [row for row in rows if row["state"] == "queued"])
        for row in rows:
            if row["state"] == "running":
                failure = Failure(
                    ending.outcome, ending.why, tries=row["tries"], free=row["free"], suspect=ending.suspects
                )
                after = after_failure(failure, self.allowances[stage])
                db.execute(
                    "INSERT INTO attempt (stage, unit, job, outcome, ended, why, next) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        graph.ids[stage],
                        row["unit"],
                        job["id"],
                        ending.outcome,
                        now,
                        ending.why,
                        f"{after.state}: {after.why}",
                    ),
                )
                tasks.come_back(db, graph, stage, row, after, now=now)


def allowances_for(
    stages: Mapping[str, Stage], defaults: Mapping[str, Allowance]
) -> dict[str, Mapping[str, Allowance]]:
    """Return the retry policy of each stage: the defaults, and what it says itself."""
    return {name: {**defaults, **stage.retry} for name, stage in stages.items()}
