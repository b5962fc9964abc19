"""Keeping this machine's cores busy: long-lived runners, one a slot, fed batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.campaign import Stage
from penstock.conductor.batching import LOCAL_S, local_batch_size
from penstock.conductor.context import Context
from penstock.conductor.submission import Submitter
from penstock.errors import DefinitionError
from penstock.ledger import jobs
from penstock.rendering import batch_text, job_spec, relative_to_root
from penstock.site import FeedingSite
from penstock.site.folders import SPEC, TASKS

SHORT_S = 0.5  # units quicker than this are fed one batch ahead, so that no slot waits for us
IDLE_S = 30.0


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


class SlotSubmitter(Submitter):
    """Gives ready tasks to the runners of this machine."""

    def __init__(self, context: Context, site: FeedingSite) -> None:
        super().__init__(context, site.name)
        self.site = site
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
                try:
                    self.give(stage, slot, units)
                except DefinitionError as error:
                    self.set_aside(stage, units, error)
                    continue
                given += len(units)
        return given

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
            if job["site"] == self.site.name
            and job["epoch"] == (self.ledger.epoch or 0)
            and job["id"] not in self.closed
        ]

    def retire(self) -> None:
        """Let the present runners end after what they have."""
        for slot in self.slots():
            self.site.close_feed(slot.token, jobs.batches_of(self.ledger.db, slot.job))
            self.closed.add(slot.job)

    def cores_of(self, stage: Stage) -> int:
        """Return how many cores a batch of `stage` takes here."""
        return min(stage.workers * stage.resources.cpus, self.site.cores)

    def busy_elsewhere(self) -> int:
        """Return the cores of runners that an earlier conductor started and that are still at work."""
        rows = self.ledger.db.execute(
            "SELECT max(b.cores) FROM batch b JOIN job j ON j.id = b.job WHERE b.state <> 'finished'"
            " AND j.state <> 'finished' AND j.epoch <> ? AND j.site = ? GROUP BY j.id",
            (self.ledger.epoch or 0, self.site.name),
        )
        return sum(row[0] for row in rows)

    def slot_for(self, stage: Stage, slots: Sequence[Slot], *, suspect: bool) -> Slot | None:
        """Return the least busy runner that can take a batch of `stage`; a suspect wants one that has nothing else."""
        ahead = 2 if (self.durations.usage(stage.name).mean_s or 1.0) < SHORT_S and not suspect else 1
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
        sql = (
            "SELECT unit FROM task WHERE stage = ? AND state = 'ready' AND alone = ? AND (due IS NULL OR due <= ?)"
            f" AND {self.scope.where} LIMIT ?"
        )
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
            self.durations.usage(stage.name),
            ready=ready,
            slots=slots,
            workers=stage.workers,
            seconds=self.seconds,
        )

    def open_slot(self, slots: list[Slot]) -> Slot:
        """Start another runner: recorded, placed, started, recorded again."""
        token = jobs.new_token()
        folder = self.site.job_folder(token)
        job = jobs.plan_job(
            self.ledger,
            token=token,
            site=self.site.name,
            folder=relative_to_root(folder, self.campaign.root),
            now=self.clock.now(),
        )
        self.site.place(token, {TASKS: b"", SPEC: self.spec(token)})
        self.ledger.check_held()
        jobs.submitted(self.ledger, job, self.site.start(token), self.clock.now())
        slot = Slot(job, token)
        slots.append(slot)
        return slot

    def spec(self, token: str) -> bytes:
        """Return the spec of a local job: every stage, as it may be fed any."""
        return job_spec(
            token, self.campaign, self.stage_specs(list(self.graph.stages)), elements=1, feed=True,
            walltime_s=None, idle_s=IDLE_S, beat_s=60, grace_s=10, environment=dict(self.site.environment()),
        )  # fmt: skip

    def give(self, stage: Stage, slot: Slot, units: Sequence[int]) -> None:
        """Record a batch, then write it where its runner reads."""
        cores = self.cores_of(stage)
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
        self.site.place(slot.token, self.rendered.take_lists())
        self.site.feed(slot.token, batch_text(number, stage.workers, lines))
