"""Taking over: what an earlier conductor started is found again, and what it only meant to start is forgotten."""

from __future__ import annotations

import json

from penstock.clock import Clock
from penstock.graph import Graph
from penstock.ledger import Ledger, jobs, tasks
from penstock.ledger.readiness import Touched, propagate
from penstock.site import JobSite


def take_over(ledger: Ledger, graph: Graph, site: JobSite, clock: Clock) -> int:
    """Adopt the jobs of earlier conductors; return how many still run.

    They finish what they were fed and get no more: only the conductor that started a runner feeds it,
    so that one which wakes up late can do no harm.
    """
    running = 0
    for job in jobs.open_jobs(ledger.db):
        placed = (site.job_folder(job["token"]) / "spec.json").exists()
        fed = count_batches(site.fed(job["token"])) if placed else 0
        if placed:
            site.close_feed(job["token"], fed)
        forget_undelivered(ledger, graph, job["id"], fed)
        if job["native"] is None:
            settle_unstarted(ledger, job["id"], clock.now())
        else:
            running += 1
    return running


def count_batches(feed: bytes) -> int:
    """Return how many whole batches a feed holds; a last one that was cut off by a crash does not count."""
    count, offset = 0, 0
    while offset < len(feed):
        newline = feed.find(b"\n", offset)
        if newline < 0:
            break
        end = newline + 1 + int(json.loads(feed[offset:newline])["bytes"])
        if end > len(feed):
            break
        count, offset = count + 1, end
    return count


def forget_undelivered(ledger: Ledger, graph: Graph, job: int, fed: int) -> None:
    """Free the tasks of batches that were recorded but never reached their runner."""
    touched = Touched()
    with ledger.transaction() as db:
        for stage, number in graph.ids.items():
            rows = db.execute(
                "SELECT t.* FROM batch b JOIN task t ON t.batch = b.id WHERE b.job = ? AND b.number > ? AND t.stage = ?"
                " AND t.state = 'queued'",
                (job, fed, number),
            ).fetchall()
            tasks.give_back(db, graph, stage, rows)
            touched.add(stage, [row["unit"] for row in rows])
        db.execute("UPDATE batch SET state = 'settled' WHERE job = ? AND number > ?", (job, fed))
        propagate(db, graph, {}, touched)


def settle_unstarted(ledger: Ledger, job: int, now: float) -> None:
    """Close the books of a job whose runner was never recorded: it was never fed, so it has nothing."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE job SET state = 'settled', settled = ?, why = 'never started' WHERE id = ?", (now, job)
        )
