"""The jobs: their ids at the site, where they run, what they still have to do, in the scheduler's own words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.display import count, show_bytes, show_duration, show_process, show_time
from penstock.ledger.experience import absence_of
from penstock.ledger.reading.queuestate import QueueState, queue_states, remedy_of, trouble_of

JOBS = """
SELECT job.*,
    (SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id) AS tasks,
    (SELECT coalesce(sum(size), 0) FROM batch WHERE batch.job = job.id AND batch.state <> 'finished') AS left,
    (SELECT group_concat(DISTINCT host) FROM life WHERE life.job = job.id) AS hosts
FROM job WHERE state <> 'finished' OR ? ORDER BY job.id DESC LIMIT ?
"""
TOLD = (
    "token", "site", "native", "state", "elements", "folder", "created", "submitted", "finished", "why", "tasks", "left", "hosts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """One job; of an array at a cluster also where its elements stand, and how those that are held are released."""

    row: Mapping[str, Any]
    queue: tuple[QueueState, ...]
    remedies: tuple[str, ...]
    request: Mapping[str, Any] | None

    @property
    def site(self) -> str:
        """Where it runs."""
        return str(self.row["site"])

    @property
    def native(self) -> str | None:
        """Its id at the site, as people know it."""
        native = self.row["native"]
        return show_process(native) if native and self.row["feed"] else native

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `jobs --json` prints it."""
        told = {name: self.row[name] for name in TOLD}
        return {**told, "request": self.request, "queue": [one.to_json() for one in self.queue]}

    def to_text(self, now: float) -> str:
        """Describe it in a line."""
        row = self.row
        hosts = f" on {row['hosts']}" if row["hosts"] and row["feed"] else ""
        since = show_time(row["finished"] or row["submitted"] or row["created"], now=now)
        why = f": {row['why']}" if row["why"] else ""
        left = "" if row["state"] == "finished" else f"{row['left']} of "
        native = f" ({self.native})" if self.native else ""
        place = f"{row['token']}{native} {row['site']} {row['state']} since {since}{hosts}"
        return f"{place}, {left}{count(row['tasks'], 'task')}{why}"

    def details(self, now: float) -> Iterator[str]:
        """Yield where its elements stand, and what was requested for each."""
        for one, remedy in zip(self.queue, self.remedies, strict=True):
            yield one.to_text(now) + (f": {remedy}" if remedy else "")
        if self.request:
            yield f"requested {count(self.row['elements'], 'element')}, each with {_asked(self.request)}"


def read_jobs(db: sqlite3.Connection, now: float, *, finished: bool = False, limit: int = 100) -> list[Job]:
    """Return the newest jobs that are not over, or also those that are."""
    return [_read(db, row, now) for row in db.execute(JOBS, (finished, limit)).fetchall()]


def notes_on_sites(db: sqlite3.Connection, jobs: Sequence[Job], now: float) -> Iterator[str]:
    """Yield what is wrong at the sites of these jobs."""
    for site in dict.fromkeys(job.site for job in jobs):
        if absence := absence_of(db, site, now):
            yield absence
        elif trouble := trouble_of(db, site):
            yield f"! {site}: {trouble[0]} (since {show_time(trouble[1], now=now)})"


def _read(db: sqlite3.Connection, row: sqlite3.Row, now: float) -> Job:
    there = not row["feed"] and row["state"] != "finished"
    queue = queue_states(db, row["id"], now) if there else []
    remedies = tuple(remedy_of(db, row, one) if one.phase == "held" else "" for one in queue)
    return Job(dict(row), tuple(queue), remedies, json.loads(row["request"]) if row["request"] else None)


def _asked(request: Mapping[str, Any]) -> str:
    """Write what one element requests."""
    memory, walltime, most = (request.get(key) for key in ("memory_bytes", "walltime_s", "max_parallel"))
    amounts = [
        count(request["cpus"], "cpu"),
        show_bytes(memory) if memory else "",
        show_duration(walltime) if walltime else "",
    ]
    excluded = f"; not on {', '.join(request['excluded'])}" if request.get("excluded") else ""
    return ", ".join(filter(None, amounts)) + (f"; at most {most} at once" if most else "") + excluded
