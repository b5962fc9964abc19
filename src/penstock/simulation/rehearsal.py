"""One pretended course of a campaign: the conductor itself works, on a copy of the record and with a turned clock."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Self

from penstock.campaign import Campaign, Site
from penstock.conductor import Conductor
from penstock.conductor.discovery import check_found
from penstock.conductor.plan import drafted
from penstock.conductor.steps import NEVER, discover, look_after
from penstock.hardware import count_cores
from penstock.ledger import FILE, FOLDER, Ledger
from penstock.simulation.cluster import ShapedCluster, ShapedSite, TurnedClock, rule_of
from penstock.simulation.course import Course
from penstock.simulation.room import keep_folder, temporary
from penstock.simulation.shape import Shape
from penstock.simulation.timing import Timing

LOOKS = 200  # that a conductor takes at least at what it follows, in the time that the work takes
LEAST_S, MOST_S = 0.2, 60.0  # between two looks
QUIET = 20  # times as long between them, at most, where nothing happens that the cluster knows of


@contextmanager
def prepared(campaign: Campaign) -> Generator[Path]:
    """Give a private record as it would be after a scan now, whose own jobs are over; it is removed afterwards.

    Raises DefinitionError if the sources gave nothing and never did.
    """
    with temporary() as folder:
        path = folder / FILE
        with drafted(campaign) as (context, found):
            check_found(context.ledger, campaign, found)
            forget_jobs(context.ledger)
            with sqlite3.connect(path) as copy:
                context.ledger.db.backup(copy)
            copy.close()
        yield path


def forget_jobs(ledger: Ledger) -> None:
    """Let no job be under way: what they have is still to be done."""
    with ledger.transaction() as db:
        moved = db.execute(
            "SELECT stage, unit, state FROM task WHERE state IN ('queued', 'running')"
        ).fetchall()
        db.execute("UPDATE task SET state = 'ready', batch = NULL WHERE state IN ('queued', 'running')")
        for stage, unit, state in moved:
            count_again(db, stage, unit, state)
        db.execute("UPDATE job SET state = 'finished' WHERE state <> 'finished'")
        db.execute("UPDATE batch SET state = 'finished' WHERE state <> 'finished'")
        db.execute("UPDATE element SET finished = 1 WHERE NOT finished")


def count_to_do(record: Path) -> int:
    """Return how many tasks may still be done."""
    with closing(sqlite3.connect(record)) as db:
        sql = "SELECT coalesce(sum(n), 0) FROM tally WHERE unit = 1 AND state IN ('waiting', 'ready')"
        return int(db.execute(sql).fetchone()[0])


def count_again(db: sqlite3.Connection, stage: int, unit: int, state: str) -> None:
    """Count a task as ready, in all of its groups."""
    groups = db.execute("SELECT 1, g1, g2, g3, g4, g5 FROM unit WHERE id = ?", (unit,)).fetchone()
    for group in {group for group in groups if group}:
        for name, n in ((state, -1), ("ready", 1)):
            db.execute(
                "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                (stage, group, name, n),
            )


class Rehearsal(Conductor):
    """A conductor that scans nothing and builds nothing: what is there stands in its record."""

    def check(self) -> None:
        """Do nothing: files of the campaign are not in its folder, and sites are pretended."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.ledger.db.execute("PRAGMA synchronous = OFF")  # it is thrown away
        self.due |= dict.fromkeys((discover, look_after), NEVER)
        names = [program.name for stage in self.campaign.stages for program in stage.programs]
        for submitter in (*self.crew.slots, *self.crew.arrays):
            submitter.building.built.update(names)
            submitter.building.due.update(dict.fromkeys(names, NEVER))
            submitter.pythons.fitting.update(stage.name for stage in self.campaign.stages)
        return self


def rehearse(
    campaign: Campaign,
    record: Path,
    shape: Shape,
    timings: Mapping[str, Timing],
    *,
    seed: int,
    now: float,
    keep: Path | None = None,
) -> Course:
    """Let a campaign go its course once; `keep` is where its record goes afterwards. The same seed gives the same course."""
    random = Random(seed)
    with temporary() as root:
        (root / FOLDER).mkdir(mode=0o700)
        shutil.copy(record, root / FOLDER / FILE)
        pretended = replace(
            campaign, root=root, sites={n: pretend(s) for n, s in campaign.sites.items()}, notify={}
        )
        least_s = least_step_s(campaign, record, shape, timings)
        clock = TurnedClock(now, least_s, max(least_s, min(MOST_S, QUIET * least_s)))
        rule = rule_of(timings, random)
        here = ShapedSite(root, clock, cores_here(campaign), rule)
        cluster = ShapedCluster(clock, shape, rule, random)
        clock.happens += here.next_at, cluster.next_at
        there = {n: cluster.site(s, root) for n, s in pretended.sites.items() if not s.is_here}
        with Rehearsal(pretended, command="simulate", clock=clock, site=here, clusters=there) as conductor:
            conductor.run()
            course = read_course(conductor.ledger, campaign, cluster, now)
        if keep:
            keep_folder(root / FOLDER, keep)
        return course


def pretend(site: Site) -> Site:
    """Return a site whose scheduler is pretended; this machine stays what it is."""
    if site.is_here:
        return site
    return Site(
        site.name, "slurm", max_jobs=site.max_jobs, max_queued_tasks=site.max_queued_tasks, array_size=site.array_size,
        max_parallel=site.max_parallel, max_walltime_s=site.max_walltime_s, partitions=site.partitions,
        visibility_s=site.visibility_s,
    )  # fmt: skip


def cores_here(campaign: Campaign) -> int:
    """Return how many tasks run at once on this machine."""
    return next((s.cores for s in campaign.sites.values() if s.is_here and s.cores), None) or count_cores()


def least_step_s(campaign: Campaign, record: Path, shape: Shape, timings: Mapping[str, Timing]) -> float:
    """Return for how many seconds a conductor need not look, since that matters little in all the work that there is."""
    with closing(sqlite3.connect(record)) as db:
        rows = db.execute(
            "SELECT s.name, sum(y.n) FROM tally y JOIN stage s ON s.id = y.stage WHERE y.unit = 1"
            " AND y.state IN ('waiting', 'ready') GROUP BY 1"
        ).fetchall()
    known = {stage.name for stage in campaign.stages}
    work_s = sum(n * timings[name].median_s for name, n in rows if name in known)
    return min(MOST_S, max(LEAST_S, work_s / (shape.nodes * shape.cores) / LOOKS))


def read_course(ledger: Ledger, campaign: Campaign, cluster: ShapedCluster, begun: float) -> Course:
    """Return what a pretended record says."""
    db, cpus = ledger.db, {stage.name: stage.resources.cpus for stage in campaign.stages}
    here = db.execute(
        "SELECT s.name, sum(a.wall_s) FROM attempt a JOIN stage s ON s.id = a.stage JOIN job j ON j.id = a.job AND j.feed"
        " WHERE a.ended >= ? GROUP BY 1",
        (begun,),
    )
    ended = db.execute(
        "SELECT s.name, max(a.ended) FROM attempt a JOIN stage s ON s.id = a.stage WHERE a.ended >= ? GROUP BY 1",
        (begun,),
    )
    ends = {name: at - begun for name, at in ended}
    attempts = db.execute("SELECT outcome, count(*) FROM attempt WHERE ended >= ? GROUP BY 1", (begun,))
    states = db.execute("SELECT state, sum(n) FROM tally WHERE unit = 1 AND n > 0 GROUP BY 1")
    jobs = db.execute("SELECT count(*), coalesce(sum(elements), 0) FROM job WHERE created >= ?", (begun,))
    return Course(
        max(ends.values(), default=0.0),
        cluster.core_s + sum(wall_s * cpus[name] for name, wall_s in here),
        *jobs.fetchone(),
        attempts=dict(attempts.fetchall()),
        states=dict(states.fetchall()),
        ends_s=ends,
    )
