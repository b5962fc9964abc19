"""Jobs that are not over, or whose archives lack an excerpt: their tasks are given to them again, and their events heard."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from penstock.conductor.context import Context
from penstock.ledger import FOLDER, jobs, tasks
from penstock.ledger.applying import Applier, Piece
from penstock.ledger.jobs import Ending, Finisher
from penstock.ledger.readiness import Touched, propagate
from penstock.site.evidence import unproven
from penstock.site.remains import Remains
from penstock.site.tasksfile import chain_of

Task = tuple[int, int]  # stage and unit, as numbers

JOB = (
    "INSERT OR REPLACE INTO job (id, token, site, native, epoch, elements, feed, folder, state, created, submitted,"
    " request, tries) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
)


class Place(NamedTuple):
    """Where a task was given to a job: the last of its batches there, and the line."""

    batch: int
    line: Mapping[str, Any]
    times: int  # how often it was given to the job


class Replay:
    """Repeats in a new record what happened in jobs of which it has no excerpt."""

    def __init__(self, context: Context) -> None:
        self.context, self.ledger, self.graph = context, context.ledger, context.graph
        self.applier = Applier(context.ledger, context.graph, context.values, context.allowances)
        self.finisher = Finisher(context.ledger, context.graph, context.allowances)

    def repeat(self, remains: Remains) -> None:
        """Repeat one job; one that is not over continues from what is on the disk."""
        job = self.record_job(remains)
        if remains.spec.get("feed") and not remains.events and not remains.packed:
            return  # its runner never came to be: the next conductor finds a job that was never fed
        places = self.place(job, remains)
        if remains.spec.get("feed") or remains.packed:
            for (element, life), data in sorted(remains.events.items()):
                self.hear(job, remains, places, (element, life), data)
        self.queue_rest(job, remains, places)
        if remains.packed:
            row = self.ledger.db.execute("SELECT * FROM job WHERE id = ?", (job,)).fetchone()
            ending = Ending("lost", "its end is not in its archive")
            self.finisher.finish(row, ending, now=self.context.clock.now())

    def record_job(self, remains: Remains) -> int:
        """Record a job as it was before it was started, or as its runner's claim says; return its number."""
        spec, now = remains.spec, self.context.clock.now()
        told = remains.intent
        feed, elements = bool(spec.get("feed")), spec.get("elements", 1)
        native = next(filter(None, map(native_of, remains.events.values())), None) if feed else None
        folder = told.get("folder") or f"{FOLDER}/jobs/{remains.token}"
        row = (
            told.get("id"), remains.token, told.get("site") or remains.site, native, told.get("epoch", 0), elements,
            int(feed), folder, "submitted" if native else "planned", told.get("created", now), now, told.get("request"),
        )  # fmt: skip
        with self.ledger.transaction() as db:
            job = int(db.execute(JOB, row).lastrowid or 0)
            lives = {(1, 1)} if feed else set(remains.events) if remains.packed else set[tuple[int, int]]()
            rows = [(job, element, life) for element, life in lives]
            db.executemany("INSERT INTO life (job, element, life) VALUES (?, ?, ?)", rows)
            if not feed:
                db.executemany(
                    "INSERT INTO element (job, element) VALUES (?, ?)",
                    [(job, n) for n in range(1, elements + 1)],
                )
        return job

    def place(self, job: int, remains: Remains) -> dict[Task, Place]:
        """Record the batches of a job, and return where each of its tasks is."""
        found, times = dict[Task, Place](), Counter[Task]()
        feed, stages = bool(remains.spec.get("feed")), remains.spec.get("stages", {})
        with self.ledger.transaction() as db:
            for n, lines in enumerate(remains.batches, 1):
                number, spec = stage_in(stages, lines[0])
                batch, _ = jobs.plan_batch(
                    db, job=job, element=1 if feed else n, stage=number, size=len(lines),
                    cores=int(spec.get("cpus") or 1), now=self.context.clock.now(),
                )  # fmt: skip
                for line in (one for whole in lines for one in chain_of(whole)):
                    task = stage_in(stages, line)[0], int(line["u"])
                    times[task] += 1
                    found[task] = Place(batch, line, times[task])
            db.execute("UPDATE batch SET state = 'delivered' WHERE job = ?", (job,))
        return {task: place for task, place in found.items() if task[0] in self.graph.names}

    def hear(
        self, job: int, remains: Remains, places: Mapping[Task, Place], life: tuple[int, int], data: bytes
    ) -> None:
        """Apply an event file piece by piece, in none of which a task is begun twice."""
        for end, begun in pieces(data):
            self.queue({task: at for task, at in begun.items() if task in places}, job, remains, places)
            sql = "SELECT * FROM life WHERE job = ? AND element = ? AND life = ?"
            row = self.ledger.db.execute(sql, (job, *life)).fetchone()
            last = remains.packed and end == len(data)
            piece = Piece(row, remains.token, data[row["offset"] : end], not remains.spec.get("feed"))
            self.applier.apply(
                [piece],
                now=self.context.clock.now(),
                prove=partial(unproven, self.ledger.root) if last else lambda _: {},
                last=last,
            )

    def queue_rest(self, job: int, remains: Remains, places: Mapping[Task, Place]) -> None:
        """Give a job the tasks of which its runners have not said an end yet."""
        if remains.packed:
            return
        over = Counter[Task]() if not remains.spec.get("feed") else ended_in(remains.events.values())
        left = {task: None for task, place in places.items() if over[task] < place.times}
        self.queue(left, job, remains, places)

    def queue(
        self,
        some: Mapping[Task, float | None],
        job: int,
        remains: Remains,
        places: Mapping[Task, Place],
    ) -> None:
        """Queue tasks in a job, unless they are, or another job has ended them since they began (None: since it was made)."""
        created = remains.intent.get("created", 0.0)
        changed = dict[str, list[int]]()
        with self.ledger.transaction() as db:
            for stage, name in self.graph.names.items():
                units = [unit for number, unit in some if number == stage]
                rows = tasks.states_of(db, stage, units) if units else {}
                for unit, row in rows.items():
                    began = some[stage, unit]
                    if row["state"] in ("queued", "running") or self.ended_later(
                        (stage, unit), job, created if began is None else began
                    ):
                        continue
                    place = places[stage, unit]
                    tasks.queue(db, self.graph, name, place.batch, [queued(place.line)], old=row["state"])
                    made = remains.spec["stages"][place.line["s"]].get("digest")
                    db.execute(
                        "UPDATE task SET made = coalesce(?, made) WHERE stage = ? AND unit = ?",
                        (made, stage, unit),
                    )
                    changed.setdefault(name, []).append(unit)
            propagate(db, self.graph, changed, Touched())

    def ended_later(self, task: Task, job: int, since: float) -> bool:
        """Whether another job ended a task after a time."""
        sql = "SELECT 1 FROM attempt WHERE stage = ? AND unit = ? AND job <> ? AND ended > ? LIMIT 1"
        return self.ledger.db.execute(sql, (*task, job, since)).fetchone() is not None


def stage_in(stages: Mapping[str, Any], line: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Return the number of the stage of a line, 0 if its job's spec does not say it, and what that spec has of it."""
    spec = stages.get(line["s"], {})
    return int(spec.get("id", 0)), spec


def queued(line: Mapping[str, Any]) -> tasks.Queued:
    """Return a task as it was when it was given to its runner."""
    made: Mapping[str, Any] = line.get("products") or {}
    products = [(name, str(product["path"])) for name, product in made.items()]
    return tasks.Queued(int(line["u"]), line.get("made_from", ""), products)


def said(data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield where each whole line of an event file ends, and its event; nothing for what cannot be read."""
    offset = 0
    for line in data[: data.rfind(b"\n") + 1].splitlines(keepends=True):
        offset += len(line)
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield offset, event  # type: ignore[reportUnknownVariableType]


def pieces(data: bytes) -> Iterator[tuple[int, Mapping[Task, float]]]:
    """Yield where pieces end in which no task begins again, and when the tasks of each began."""
    begun, given, before = dict[Task, float](), set[Task](), 0
    for end, event in said(data):
        if event.get("e") == "start":
            task = int(event["s"]), int(event["u"])
            if task in begun or task in given:
                yield before, begun
                begun, given = dict[Task, float](), set[Task]()
            begun[task] = float(event["at"])
        given.update(given_in(event))
        before = end
    yield len(data), begun


def ended_in(files: Iterable[bytes]) -> Counter[Task]:
    """Count how often each task ended, or was given back."""
    over = Counter[Task]()
    for data in files:
        for _, event in said(data):
            over.update(given_in(event))
            if event.get("e") == "end":
                over[int(event["s"]), int(event["u"])] += 1
    return over


def given_in(event: Mapping[str, Any]) -> Sequence[Task]:
    """Return the tasks that a runner gave back."""
    return [(int(stage), int(unit)) for stage, unit in event["tasks"]] if event.get("e") == "give" else ()


def native_of(data: bytes) -> str | None:
    """Return the native id of a fed runner, as its claim has it."""
    claims = (event for _, event in said(data) if event.get("e") == "claim")
    parts = ("pid", "start", "boot", "space")
    return next((".".join(str(claim.get(part) or "") for part in parts) for claim in claims), None)
