"""Keeping this machine's cores busy: long-lived runners, one a slot, fed batch by batch."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.batching import LOCAL_S, local_batch_size
from penstock.campaign import Campaign, Stage
from penstock.conductor.context import Context
from penstock.errors import DefinitionError
from penstock.graph import Graph
from penstock.ledger import jobs, tasks
from penstock.ledger.inputs import inputs_of, members_left_out
from penstock.ledger.units import rows_of
from penstock.rendering import Line, Paths, Renderer, batch_text, job_spec, relative_to_root, stage_spec
from penstock.site import JobSite
from penstock.transports.local import write_file
from penstock.units import show_key

SHORT_S = 0.5  # units quicker than this are fed one batch ahead, so that no slot waits for us
IDLE_S = 30.0
NAMED = 10  # members that a note names


@dataclass(slots=True)
class Slot:
    """A runner, and the cores that its open batches take; `alone`: it has a suspect, and gets nothing beside it."""

    job: int
    token: str
    cores: list[int] = field(default_factory=list[int])
    alone: bool = False

    @property
    def taken(self) -> int:
        return max(self.cores, default=0)


class Rendered:
    """The renderers of all stages, and the list files they ask for."""

    def __init__(self, campaign: Campaign, site: JobSite) -> None:
        self.site, self.token = site, ""
        self.of = {s.name: Renderer(s, campaign, list_file=self.list_file) for s in campaign.stages}

    def list_file(self, paths: Sequence[str]) -> str:
        """Write a list of inputs into the job's folder, once for the same list, and return its name."""
        text = "".join(f"{path}\n" for path in paths).encode()
        name = f"inputs-{hashlib.sha256(text).hexdigest()[:32]}.txt"
        path = self.site.job_folder(self.token) / name
        if self.token and not path.exists():
            write_file(path, text)
        return name


class Submitter:
    """Gives ready tasks to the runners of the local site."""

    def __init__(self, context: Context) -> None:
        self.ledger, self.campaign, self.graph = context.ledger, context.campaign, context.graph
        self.site, self.clock, self.values, self.measured = (
            context.site,
            context.clock,
            context.values,
            context.measured,
        )
        self.rendered = Rendered(context.campaign, context.site)
        self.closed: set[int] = set()  # jobs that take no more batches
        self.seconds = LOCAL_S  # of work in a batch: as long as it takes until somebody looks again

    def fill(self) -> int:
        """Give work to every slot that can take more; return how many tasks were given."""
        slots, given = self.slots(), 0
        for stage in reversed(self.active_stages()):
            while True:
                units, suspect = self.pick(stage)
                slot = self.slot_for(stage, slots, suspect=suspect)
                if not units or not (slot or self.room_for(stage, slots)):
                    break
                slot = slot or self.open_slot(slots)
                slot.alone = suspect
                self.give(stage, slot, units)
                given += len(units)
        return given

    def active_stages(self) -> list[Stage]:
        """Return the stages with ready tasks that may run, in the order of the definition."""
        rows = self.ledger.db.execute(
            "SELECT s.name FROM stage s JOIN tally y ON y.stage = s.id AND y.unit = 1 AND y.state = 'ready' AND y.n > 0"
            " WHERE s.paused IS NULL AND NOT s.removed ORDER BY s.position"
        )
        return [self.graph.stages[row[0]] for row in rows]

    def slots(self) -> list[Slot]:
        """Return the runners of this conductor that still take work."""
        batches, alone = jobs.open_batches(self.ledger.db), jobs.with_suspect(self.ledger.db)
        return [
            Slot(
                job["id"],
                job["token"],
                [b["cores"] for b in batches if b["job"] == job["id"]],
                job["id"] in alone,
            )
            for job in jobs.open_jobs(self.ledger.db)
            if job["feed"] and job["epoch"] == (self.ledger.epoch or 0) and job["id"] not in self.closed
        ]

    def cores_of(self, stage: Stage) -> int:
        """Return how many cores a batch of `stage` takes here."""
        return min(stage.workers * stage.resources.cpus, self.site.cores)

    def busy_elsewhere(self) -> int:
        """Return the cores of runners that an earlier conductor started and that are still at work."""
        rows = self.ledger.db.execute(
            "SELECT max(b.cores) FROM batch b JOIN job j ON j.id = b.job WHERE b.state <> 'settled'"
            " AND j.state <> 'settled' AND j.epoch <> ? GROUP BY j.id",
            (self.ledger.epoch or 0,),
        )
        return sum(row[0] for row in rows)

    def slot_for(self, stage: Stage, slots: Sequence[Slot], *, suspect: bool) -> Slot | None:
        """Return the least busy runner that can take a batch of `stage`; a suspect wants one that has nothing else."""
        ahead = 2 if (self.measured.usage(stage.name).mean_s or 1.0) < SHORT_S and not suspect else 1
        needed, used = self.cores_of(stage), sum(slot.taken for slot in slots) + self.busy_elsewhere()
        free = [
            s
            for s in slots
            if len(s.cores) < ahead
            and not s.alone
            and used - s.taken + max(s.taken, needed) <= self.site.cores
        ]
        return min(free, key=lambda slot: len(slot.cores), default=None)

    def room_for(self, stage: Stage, slots: Sequence[Slot]) -> bool:
        """Whether another runner may be started for a batch of `stage`."""
        used = sum(slot.taken for slot in slots) + self.busy_elsewhere()
        return used + self.cores_of(stage) <= self.site.cores and len(slots) < self.site.cores

    def pick(self, stage: Stage) -> tuple[list[int], bool]:
        """Return the units of the next batch of `stage`, and whether it is a suspect, which goes alone."""
        number, now = self.graph.ids[stage.name], self.clock.now()
        sql = "SELECT unit FROM task WHERE stage = ? AND state = 'ready' AND alone = ? AND (due IS NULL OR due <= ?) LIMIT ?"
        suspects = self.ledger.db.execute(sql, (number, 1, now, 1)).fetchall()
        if suspects:
            return [suspects[0][0]], True
        ready = self.ledger.db.execute(
            "SELECT n FROM tally WHERE stage = ? AND unit = 1 AND state = 'ready'", (number,)
        ).fetchone()
        size = self.batch_size(stage, ready[0] if ready else 0)
        return [row[0] for row in self.ledger.db.execute(sql, (number, 0, now, size))], False

    def batch_size(self, stage: Stage, ready: int) -> int:
        """Return how many units the next batch of `stage` takes."""
        slots = self.site.cores // max(1, self.cores_of(stage))
        return local_batch_size(
            stage.batch,
            self.measured.usage(stage.name),
            ready=ready,
            slots=slots,
            workers=stage.workers,
            seconds=self.seconds,
        )

    def preview(self, stage: Stage, units: Sequence[int]) -> list[dict[str, Any]]:
        """Render tasks as they would be given to a runner, and give them to none."""
        inputs = inputs_of(self.ledger.db, self.graph, stage.name, units)
        return [line.data for line in self.render(stage, units, {u: inputs[u].paths for u in units}).values()]

    def open_slot(self, slots: list[Slot]) -> Slot:
        """Start another runner: recorded, placed, started, recorded again."""
        token = jobs.new_token()
        folder = self.site.job_folder(token)
        job = jobs.plan_job(
            self.ledger,
            token=token,
            site=self.site.name,
            folder=Path(relative_to_root(folder, self.campaign.root)),
            elements=1,
            feed=True,
            now=self.clock.now(),
        )
        self.site.place(token, self.spec(token))
        self.ledger.check_epoch()
        jobs.submitted(self.ledger, job, self.site.start(token), self.clock.now())
        slot = Slot(job, token)
        slots.append(slot)
        return slot

    def spec(self, token: str) -> bytes:
        """Return the spec of a local job: every stage, as it may be fed any."""
        stages = {
            name: stage_spec(s, self.graph.ids[name], self.campaign) for name, s in self.graph.stages.items()
        }
        return job_spec(
            token, self.campaign, stages, elements=1, feed=True, walltime_s=None, idle_s=IDLE_S, beat_s=60, grace_s=10,
            environment=dict(self.site.environment()),
        )  # fmt: skip

    def give(self, stage: Stage, slot: Slot, units: Sequence[int]) -> None:
        """Record a batch, then write it where its runner reads."""
        cores = self.cores_of(stage)
        self.rendered.token = slot.token
        with self.ledger.transaction() as db:
            batch, number = jobs.plan_batch(
                db,
                job=slot.job,
                element=1,
                stage=self.graph.ids[stage.name],
                size=len(units),
                cores=cores,
                now=self.clock.now(),
            )
            lines = self.lines(stage, batch, units)
        slot.cores.append(cores)
        self.site.feed(slot.token, batch_text(number, stage.workers, lines))

    def lines(self, stage: Stage, batch: int, units: Sequence[int]) -> list[dict[str, Any]]:
        """Queue the tasks of a batch, their followers with them, and return what the runner reads of them."""
        inputs = inputs_of(self.ledger.db, self.graph, stage.name, units)
        lines = self.render(stage, units, {unit: inputs[unit].paths for unit in units})
        notes = {unit: self.note_missing(stage, unit, line) for unit, line in lines.items()}
        queued = [tasks.Queued(u, inputs[u].digest, line.products, notes[u]) for u, line in lines.items()]
        self.queue(stage, batch, queued, old="ready")
        self.add_followers(stage, batch, lines)
        return [line.data for line in lines.values()]

    def render(self, stage: Stage, units: Sequence[int], inputs: Mapping[int, Paths]) -> dict[int, Line]:
        """Render the tasks of one stage."""
        db, renderer = self.ledger.db, self.rendered.of[stage.name]
        scales, lines = scales_of(db, self.graph.ids[stage.name], units), dict[int, Line]()
        for row in rows_of(db, units):
            unit, values = row["id"], self.values.of(row)
            key = [values[level] for level in self.campaign.levels[: stage.level]]
            label = show_key(key, self.campaign.levels, self.campaign.formats)
            lines[unit] = renderer.line(unit, label, key, values, inputs.get(unit, {}))
            if unit in scales and stage.resources.walltime_s:
                lines[unit].data["limit_s"] = stage.resources.walltime_s * scales[unit]
        return lines

    def note_missing(self, stage: Stage, unit: int, line: Line) -> str | None:
        """Tell a group's task, and the record, which members it goes without (RULES 2)."""
        if stage.members != "done":
            return None
        left = members_left_out(self.ledger.db, self.graph, stage.name, unit)
        labels = [self.label(member) for _, member, _ in left]
        line.data["missing"] = labels
        more = ", …" if len(labels) > NAMED else ""
        return f"made without {len(labels)} members: {', '.join(labels[:NAMED])}{more}" if labels else None

    def label(self, unit: int) -> str:
        """Return a unit's key as people see it."""
        key = self.ledger.db.execute("SELECT key FROM unit WHERE id = ?", (unit,)).fetchone()[0]
        return show_key(json.loads(key), self.campaign.levels, self.campaign.formats)

    def add_followers(self, stage: Stage, batch: int, lines: Mapping[int, Line]) -> None:
        """Let the followers (`with`) of these tasks run right after them, in the same worker (RULES 6)."""
        for follower in (s for s in self.graph.stages.values() if s.follows == stage.name):
            rows = tasks.states_of(self.ledger.db, self.graph.ids[follower.name], lines)
            units = [unit for unit, row in rows.items() if row["state"] == "waiting"]
            inputs: dict[int, Paths] = {unit: {stage.name: lines[unit].products} for unit in units}
            following = self.render(follower, units, inputs)
            queued = [tasks.Queued(unit, "", line.products) for unit, line in following.items()]
            self.queue(follower, batch, queued, old="waiting")
            for unit, line in following.items():
                lines[unit].data["then"] = line.data
            self.add_followers(follower, batch, following)

    def queue(self, stage: Stage, batch: int, queued: Sequence[tasks.Queued], *, old: str) -> None:
        """Record tasks as queued; raises DefinitionError if two of them would make one file."""
        try:
            tasks.queue(self.ledger.db, self.graph, stage.name, batch, queued, old=old)
        except sqlite3.IntegrityError as error:
            raise DefinitionError(
                clash(self.ledger.db, self.graph, stage.name, queued), file=self.campaign.file
            ) from error


def scales_of(db: sqlite3.Connection, stage_id: int, units: Sequence[int]) -> Mapping[int, float]:
    """Return by how much the time limit of a unit was raised, where it was."""
    rows = tasks.states_of(db, stage_id, units).items()
    return {unit: row["time_scale"] for unit, row in rows if row["time_scale"] != 1}


def clash(db: sqlite3.Connection, graph: Graph, stage: str, queued: Sequence[tasks.Queued]) -> str:
    """Say which two tasks want to make one product."""
    mine: dict[str, int] = {}
    for task in queued:
        for _, path in task.products:
            other = db.execute("SELECT stage, unit FROM product WHERE path = ?", (path,)).fetchone()
            if path in mine or (other and tuple(other) != (graph.ids[stage], task.unit)):
                maker = (
                    stage
                    if path in mine
                    else graph.name(other[0])
                    if other[0] in graph.names
                    else "a removed stage"
                )
                return (
                    f"stage '{stage}': the product {path} of two of its units, or of stage '{maker}' too, would be the same"
                    " file: put more fields into its pattern"
                )
    return f"stage '{stage}': two tasks have one product: put more fields into its pattern"
