"""Keeping this machine's cores busy: long-lived runners, one a slot, fed batch by batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.campaign import Resources, Stage
from penstock.conductor.batching import LOCAL_S, local_batch_size
from penstock.conductor.context import Context
from penstock.conductor.submission import Submitter
from penstock.errors import DefinitionError
from penstock.hardware import Amounts, Node
from penstock.ledger import jobs, tasks
from penstock.ledger.order import Waiting, note_served
from penstock.rendering import View, batch_text, job_spec, relative_to_root
from penstock.site import FeedingSite
from penstock.site.fitting import roomiest, taken_by
from penstock.site.folders import SPEC, TASKS
from penstock.site.processes import node_named
from penstock.site.tasksfile import read_devices

SHORT_S = 0.5  # units quicker than this are fed one batch ahead, so that no slot waits for us
IDLE_S = 30.0
COUNTED = 10_000  # tasks of backfill that are counted


@dataclass(frozen=True, slots=True)
class Given:
    """What a batch takes of its node, and which of its GPUs."""

    amounts: Amounts
    devices: tuple[str, ...] = ()


@dataclass(slots=True)
class Slot:
    """A runner, and what its open batches take; `alone`: it has a suspect, and gets nothing beside it."""

    job: int
    token: str
    node: Node
    given: list[Given] = field(default_factory=list[Given])
    alone: bool = False

    @property
    def taken(self) -> Amounts:
        """What it takes at most: its batches run one after the other."""
        return most(one.amounts for one in self.given)

    @property
    def devices(self) -> list[str]:
        """The GPUs of its batches."""
        return list(dict.fromkeys(device for one in self.given for device in one.devices))


class SlotSubmitter(Submitter):
    """Gives ready tasks to the runners of this machine."""

    def __init__(self, context: Context, site: FeedingSite) -> None:
        self.site, self.view = site, View(context.campaign.root)
        super().__init__(context, site.name, self.view)
        self.nodes = {node.name: node for node in site.nodes}
        self.node = roomiest(site.nodes)
        self.closed: set[int] = set()  # jobs that take no more batches
        self.given: dict[int, Given] = {}  # what open batches of ours were given
        self.others: Sequence[Slot] = ()  # runners that are at work but take no more
        self.seconds = LOCAL_S  # of work in a batch: as long as it takes until somebody looks again

    @property
    def cores(self) -> int:
        """The cores of all nodes."""
        return sum(node.room.cores for node in self.nodes.values())

    def fill(self) -> int:
        """Feed every slot that can take more; return how many tasks that was."""
        self.held.clear()
        slots = self.slots()
        self.others = self.elsewhere(slots)
        return sum(self.fill_from(waiting, slots) for waiting in self.in_line())

    def fill_from(self, waiting: Waiting, slots: list[Slot]) -> int:
        """Feed the slots from the tasks of one stage, for as long as there is room and work."""
        given, stage = 0, waiting.stage
        while True:
            units, suspect = self.pick(waiting)
            amounts = self.amounts(stage, units if suspect else ())
            slot = self.slot_for(stage, amounts, slots, suspect=suspect)
            node = None if slot else self.node_for(amounts, slots)
            if not units or not (slot or node):
                return given
            slot = slot or self.open_slot(slots, node or self.node)
            slot.alone = suspect
            devices = self.choose_devices(slot, slots, amounts.gpus)
            try:
                self.give(stage, slot, units, Given(amounts, devices))
            except DefinitionError as error:
                self.set_aside(stage, units, error)
                continue
            given += len(units)

    def slots(self) -> list[Slot]:
        """Return the runners of this conductor that still accept work."""
        batches, alone = jobs.open_batches(self.ledger.db), jobs.with_suspect(self.ledger.db)
        self.given = {b["id"]: self.given[b["id"]] for b in batches if b["id"] in self.given}
        return [
            Slot(
                job["id"],
                job["token"],
                self.node_of(job),
                [self.given_to(b) for b in batches if b["job"] == job["id"]],
                job["id"] in alone,
            )
            for job in jobs.open_jobs(self.ledger.db)
            if self.is_mine(job) and job["id"] not in self.closed
        ]

    def is_mine(self, job: sqlite3.Row) -> bool:
        """Whether this conductor started a runner."""
        return job["site"] == self.site.name and job["epoch"] == (self.ledger.epoch or 0)

    def node_of(self, job: sqlite3.Row) -> Node:
        """Return where a runner is."""
        return self.nodes.get(node_named(job["native"] or ""), self.node)

    def given_to(self, batch: sqlite3.Row) -> Given:
        """Return what a batch takes; of one that an earlier conductor gave, without its GPUs by name."""
        if known := self.given.get(batch["id"]):
            return known
        stage = self.stage_of(batch)
        return Given(self.amounts(stage) if stage else Amounts(batch["cores"]))

    def stage_of(self, batch: sqlite3.Row) -> Stage | None:
        """Return the stage of a batch; None for one that the definition no longer has."""
        return next(
            (s for name, s in self.graph.stages.items() if self.graph.ids[name] == batch["stage"]), None
        )

    def retire(self) -> None:
        """Let the present runners exit after what they have."""
        for slot in self.slots():
            self.site.close_feed(slot.token, jobs.batches_of(self.ledger.db, slot.job))
            self.closed.add(slot.job)

    def workers(self, stage: Stage) -> int:
        """Return how many workers a batch of `stage` has here: as many as a node has room for."""
        return min(stage.workers, self.node.room.holds(self.worker(stage)))

    def worker(self, stage: Stage) -> Amounts:
        """Return what one worker of a stage and its followers takes."""
        asked = [link.resources for link in self.campaign.chain(stage)]
        return taken_by(Resources.together(asked), self.node)

    def amounts(self, stage: Stage, suspects: Sequence[int] = ()) -> Amounts:
        """Return what a batch of `stage` takes; a suspect that needed more memory than it asked for gets more."""
        whole = self.worker(stage) * self.workers(stage)
        rows = tasks.states_of(self.ledger.db, self.graph.ids[stage.name], suspects).values()
        scale = max((row["memory_scale"] for row in rows), default=1.0)
        memory = min(int(whole.memory_bytes * scale), self.node.room.memory_bytes)
        return replace(whole, memory_bytes=memory)

    def batches_at_once(self, stage: Stage) -> int:
        """Return how many batches of `stage` there is room for."""
        amounts = self.amounts(stage)
        return sum(node.room.holds(amounts) for node in self.nodes.values())

    def elsewhere(self, slots: Sequence[Slot]) -> list[Slot]:
        """Return the other runners that are at work: an earlier conductor's, and those that were retired."""
        batches, mine = jobs.open_batches(self.ledger.db), {slot.job for slot in slots}
        return [
            Slot(
                job["id"],
                job["token"],
                self.node_of(job),
                [
                    replace(self.given_to(b), devices=self.devices_of(job, b))
                    for b in batches
                    if b["job"] == job["id"]
                ],
            )
            for job in jobs.open_jobs(self.ledger.db)
            if job["site"] == self.site.name and job["id"] not in mine
        ]

    def devices_of(self, job: sqlite3.Row, batch: sqlite3.Row) -> tuple[str, ...]:
        """Return the GPUs of a batch that an earlier conductor gave: all that its runner ever had."""
        known, stage = self.given.get(batch["id"]), self.stage_of(batch)
        if known or not stage or not self.worker(stage).gpus:
            return known.devices if known else ()
        return tuple(read_devices(self.site.fed(job["token"])))

    def taken_on(self, node: Node, slots: Sequence[Slot]) -> Amounts:
        """Return what all runners on a node take."""
        return sum((slot.taken for slot in (*slots, *self.others) if slot.node == node), Amounts())

    def slot_for(
        self, stage: Stage, amounts: Amounts, slots: Sequence[Slot], *, suspect: bool
    ) -> Slot | None:
        """Return the least busy runner that can take a batch; a suspect needs one that has nothing else."""
        ahead = 2 if (self.durations.usage(stage.name).mean_s or 1.0) < SHORT_S and not suspect else 1
        taken = {name: self.taken_on(node, slots) for name, node in self.nodes.items()}
        free = [
            s
            for s in slots
            if len(s.given) < ahead
            and not s.alone
            and taken[s.node.name] + (s.taken | amounts) <= s.node.room + s.taken
        ]
        return min(free, key=lambda slot: len(slot.given), default=None)

    def node_for(self, amounts: Amounts, slots: Sequence[Slot]) -> Node | None:
        """Return where another runner may be started for a batch."""
        for node in self.nodes.values():
            runners = sum(slot.node == node for slot in slots)
            if runners < node.room.cores and self.taken_on(node, slots) + amounts <= node.room:
                return node
        return None

    def choose_devices(self, slot: Slot, slots: Sequence[Slot], count: int) -> tuple[str, ...]:
        """Return so many GPUs for the next batch of a runner: rather those that it has than others that are free."""
        if not count:
            return ()
        others = (s for s in (*slots, *self.others) if s.node == slot.node and s.job != slot.job)
        taken = {device for other in others for device in other.devices}
        free = [d for d in slot.node.devices if d not in taken and d not in slot.devices]
        return tuple([*slot.devices, *free][:count])

    def pick(self, waiting: Waiting) -> tuple[list[int], bool]:
        """Return the units of the next batch, and whether it is a suspect, which goes alone."""
        room, ready = self.room(waiting.stage), self.ready(waiting)
        if room is not None:
            ready = min(ready, room)
        if not ready:
            return [], False
        rows = self.first(waiting, self.batch_size(waiting.stage, ready))
        if rows and rows[0]["alone"]:
            return [rows[0]["unit"]], True
        return [row["unit"] for row in rows], False

    def ready(self, waiting: Waiting) -> int:
        """Return how many tasks of a stage are ready, of new data or of backfill."""
        behind = waiting._replace(behind=True).how_many(self.ledger.db, COUNTED)
        sql = "SELECT n FROM tally WHERE stage = ? AND unit = 1 AND state = 'ready'"
        row = self.ledger.db.execute(sql, (waiting.number,)).fetchone()
        return behind if waiting.behind else max(0, row[0] - behind)

    def batch_size(self, stage: Stage, ready: int) -> int:
        """Return how many units the next batch of `stage` takes."""
        return local_batch_size(
            stage.batch,
            self.durations.usage(stage.name),
            ready=ready,
            slots=self.batches_at_once(stage),
            workers=self.workers(stage),
            seconds=self.seconds,
        )

    def open_slot(self, slots: list[Slot], node: Node) -> Slot:
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
        self.site.place(token, {TASKS: b"", SPEC: self.spec(token, jobs.intent(self.ledger.db, job))})
        self.ledger.check_held()
        jobs.submitted(self.ledger, job, self.site.start(token, node.name), self.clock.now())
        slot = Slot(job, token, node)
        slots.append(slot)
        return slot

    def spec(self, token: str, intent: Mapping[str, Any]) -> bytes:
        """Return the spec of a local job: every stage, as it may be fed any."""
        return job_spec(
            token, self.campaign, self.stage_specs(list(self.graph.stages), self.view), elements=1, feed=True,
            walltime_s=None, idle_s=IDLE_S, beat_s=60, grace_s=10, environment=dict(self.site.environment()),
            programs=self.building.executables(self.mine), job=intent,
        )  # fmt: skip

    def give(self, stage: Stage, slot: Slot, units: Sequence[int], given: Given) -> None:
        """Record a batch, then write it where its runner reads."""
        with self.ledger.transaction() as db:
            batch, number = jobs.plan_batch(
                db,
                job=slot.job,
                element=1,
                stage=self.graph.ids[stage.name],
                size=len(units),
                cores=given.amounts.cores,
                now=self.clock.now(),
            )
            lines = self.lines(stage, batch, units)
            note_served(self.ledger, stage, self.graph.ids[stage.name], units)
        slot.given.append(given)
        self.given[batch] = given
        self.site.place(slot.token, self.rendered.take_lists())
        text = batch_text(number, self.workers(stage), lines, devices=given.devices)
        self.site.feed(slot.token, text)


def most(amounts: Iterable[Amounts]) -> Amounts:
    """Return the most of everything that any of these takes."""
    whole = Amounts()
    for one in amounts:
        whole |= one
    return whole
