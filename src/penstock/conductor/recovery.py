"""Taking over: what an earlier conductor started is adopted, and what it only planned to start is dropped."""

from __future__ import annotations

import sqlite3
from functools import partial

from penstock.conductor.contact import visit
from penstock.conductor.context import Context
from penstock.conductor.greeting import tidy_up
from penstock.graph import Graph
from penstock.ledger import Ledger, jobs, tasks
from penstock.ledger.readiness import Touched, propagate
from penstock.ledger.witnesses import refuse_behind, take_in_lost
from penstock.site import FeedingSite
from penstock.site.tasksfile import read_feed


def check_record(context: Context) -> None:
    """Raise LedgerError if the record is behind what lies beside it; bring in requests that it lacks."""
    ledger, fed = context.ledger, dict[str, int]()
    for job in jobs.open_jobs(ledger.db):
        if job["feed"] and (site := context.sites.feeding_site(job["site"])):
            fed[job["token"]] = len(read_feed(site.fed(job["token"])).batches)
    refuse_behind(ledger, context.sites.folders_here(), fed)
    take_in_lost(ledger, context.clock.now())


def take_over(context: Context) -> None:
    """Adopt the jobs of earlier conductors, and tidy up the folders of those that are over."""
    ledger, sites = context.ledger, context.sites
    forget_down(ledger, context.clock.now())
    open_jobs = jobs.open_jobs(ledger.db)
    for job in open_jobs:
        if site := sites.feeding_site(job["site"]):
            follow(context, site, job)
    for name in {job["site"] for job in open_jobs}.union(sites.used()):
        if site := sites.feeding_site(name):
            tidy_up(ledger, site)
        else:
            visit(context, name, partial(tidy_up, ledger, sites.cluster(name)), None)


def follow(context: Context, site: FeedingSite, job: sqlite3.Row) -> None:
    """Adopt a runner of this machine.

    It finishes what it was fed and gets no more: only the conductor that started a runner feeds it,
    so that one which wakes up late can do no harm.
    """
    seen = job["native"] and site.sees(job["native"]) and site.alive(job["native"])
    if job["native"] and not seen:  # dead, on another host or in another container: then it must not go on
        site.revoke_all(job["token"])
    if site.damage(job["token"]):  # what it was fed cannot be told: all that it has goes back when it is gone
        site.revoke_all(job["token"])
        return
    fed = close_feed(site, job["token"]) if site.is_placed(job["token"]) else 0
    forget_undelivered(context.ledger, context.graph, job["id"], fed)
    if job["native"] is None:
        site.end_leftovers(job["token"])
        finish_unstarted(context.ledger, job["id"], context.clock.now())


def forget_down(ledger: Ledger, now: float) -> None:
    """Answer requests for `down` that an earlier conductor did not see before it stopped."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE request SET applied = ?, answer = 'the conductor had stopped' WHERE applied IS NULL"
            " AND action = 'down' AND at < (SELECT since FROM lease)",
            (now,),
        )


def close_feed(site: FeedingSite, token: str) -> int:
    """Close a job's feed behind what it holds, also when a conductor that still lives adds a last batch meanwhile."""
    closed, fed = -1, len(read_feed(site.fed(token)).batches)
    while closed != fed:
        closed = fed
        site.close_feed(token, closed)
        fed = len(read_feed(site.fed(token)).batches)
    return fed


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
        db.execute("UPDATE batch SET state = 'finished' WHERE job = ? AND number > ?", (job, fed))
        propagate(db, graph, {}, touched)


def finish_unstarted(ledger: Ledger, job: int, now: float) -> None:
    """Finish a job whose runner was never recorded: it was never fed, so it has nothing."""
    with ledger.transaction() as db:
        db.execute(
            "UPDATE job SET state = 'finished', finished = ?, why = 'never started' WHERE id = ?", (now, job)
        )
