"""Submitting work to a cluster: ready tasks become batches, batches the elements of job arrays."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from penstock.campaign import Resources, Stage
from penstock.clock import is_ahead
from penstock.conductor.batching import (
    LEAVE_S,
    MANY,
    START_S,
    Array,
    Needs,
    Usage,
    at_most,
    batch_size,
    cap_limits,
    cut,
    fitting_size,
    kind_of,
    time_inside,
    walltime_s,
)
from penstock.conductor.capacity import Capacity
from penstock.conductor.context import Context
from penstock.conductor.elements import Elements
from penstock.conductor.outbound import Outbound
from penstock.conductor.submission import Submitter
from penstock.errors import DefinitionError, OutOfReach, SiteError, SiteFull, SubmitRejected
from penstock.ledger import FOLDER, jobs
from penstock.ledger.experience import DAY_S
from penstock.ledger.inputs import inputs_of
from penstock.ledger.jobs import Ending
from penstock.ledger.order import Waiting, note_served
from penstock.ledger.pauses import pause_stages, pause_stages_of
from penstock.ledger.units import ROOT
from penstock.rendering import Line, batch_text, job_spec, relative_to_root
from penstock.schedulers.model import Request
from penstock.site import ClusterJobs
from penstock.site.partitions import largest_bytes, longest_s, placed
from penstock.site.tasksfile import chain_of

BATCH_WAIT_S = 120.0  # that a batch which is not full waits for company
PACE_S = 10.0  # between two arrays of one stage, so that what trickles in goes together


class ArraySubmitter(Submitter):
    """Submits ready tasks to one cluster."""

    def __init__(self, context: Context, site: ClusterJobs, elements: Elements) -> None:
        super().__init__(context, site.name, site.view)
        self.site, self.elements = site, elements
        self.outbound = Outbound(context, site.far, site.name) if site.far else None
        self.capacity = Capacity(context.ledger, context.campaign, site, context.clock)
        self.open_ended = False
        """Whether more units may come by themselves: batches that are not full then wait for company."""

    def fill(self) -> int:
        """Submit what may be submitted now; return how many tasks that was."""
        self.held.clear()
        line = self.in_line()
        if not line:
            return 0
        self.capacity.refresh()
        return sum(map(self.fill_from, line))

    def fill_from(self, waiting: Waiting) -> int:
        """Submit arrays of one stage for as long as there is room and work."""
        given, stage = 0, waiting.stage
        while not self.capacity.resting:
            group = self.next_group(waiting, self.paced(waiting))
            array = self.supplied(stage, self.next_array(waiting, group))
            try:
                taken = self.submit(stage, array) if array else 0
            except DefinitionError as error:
                self.set_aside(
                    stage, [unit for batch in array.batches for unit in batch] if array else (), error
                )
                continue
            if not taken:
                break  # there is no more, or what was refused now would be refused again
            given += taken
        return given

    # what goes together

    def paced(self, waiting: Waiting) -> set[int]:
        """Return the groups of which a partly filled array was just submitted: what trickles in is to go together."""
        now, level = self.clock.now(), waiting.stage.array
        of_batch = f"(SELECT g{level} FROM task t JOIN unit u ON u.id = t.unit WHERE t.batch = b.id LIMIT 1)"
        rows = self.ledger.db.execute(
            f"SELECT {of_batch if level else ROOT} FROM job j JOIN batch b ON b.job = j.id AND b.element = 1 AND b.stage = ?"
            " WHERE site = ? AND submitted > ? AND submitted <= ? AND elements < ?"
            " AND coalesce(json_extract(request, '$.behind'), 0) = ?",
            (waiting.number, self.site.name, now - PACE_S, now, self.capacity.array_size(), waiting.behind),
        )
        return {row[0] for row in rows}

    def next_group(self, waiting: Waiting, paced: Collection[int] = ()) -> int | None:
        """Return the group whose tasks go next; None when there is none, but for the `paced`."""
        level = waiting.stage.array
        if not level:
            return None if ROOT in paced else ROOT
        others = f"{of_unit(level)} NOT IN ({', '.join(map(str, filter(None, paced)))})"
        rows = self.first(waiting, 1, others)
        sql = f"SELECT g{level} FROM unit WHERE id = ?"
        return self.ledger.db.execute(sql, (rows[0]["unit"],)).fetchone()[0] if rows else None

    def next_array(self, waiting: Waiting, group: int | None) -> Array | None:
        """Return the next batches of a stage that may be submitted of one group, as far as all limits allow."""
        if group is None:
            return None
        stage, behind = waiting.stage, waiting.behind
        size, elements = self.size(stage), self.capacity.backfill() if behind else self.capacity.array_size()
        room = self.room(stage)
        most = min(self.capacity.room(), size * elements, MANY if room is None else room)
        rows = self.first(waiting, most, f"{of_unit(stage.array)} = {group}" if stage.array else "true")
        if not rows:
            return None
        kind = kind_of(rows[0])
        units = [row["unit"] for row in rows if kind_of(row) == kind]
        alone, time_scale, memory_scale = kind
        if time_scale > 1:
            size = self.size(stage, time_scale)
        batches = cut(units, 1 if alone else size)
        if len(batches[-1]) == size and not behind:
            self.forget_wait(stage, group)
        elif not (alone or behind or len(rows) == room or self.may_leave(stage, group)):
            batches.pop()
        batches = batches[:elements]
        return Array(batches, time_scale, memory_scale, behind) if batches else None

    def supplied(self, stage: Stage, array: Array | None) -> Array | None:
        """Return the tasks of an array whose inputs are there, where these travel; None as long as some are on their way."""
        if array is None or not self.outbound:
            return array
        units = [unit for batch in array.batches for unit in batch]
        there = self.outbound.at_hand(units, self.copied_by(stage, units))
        return array._replace(batches=cut(there, array.largest)) if there else None

    def copied_by(self, stage: Stage, units: Sequence[int]) -> dict[int, list[str]]:
        """Return what tasks, and those that follow them in the same worker, will work on copies of."""
        inputs = inputs_of(self.ledger.db, self.graph, stage.name, units)
        rendered = self.render(stage, units, {unit: inputs[unit].paths for unit in units})
        copied = {unit: [*line.copied] for unit, line in rendered.items()}
        for link in self.campaign.chain(stage)[1:]:
            for unit, line in self.render(link, units, {}).items():
                copied[unit] += line.copied
        return copied

    def let_replace(self, stage: Stage, lines: Mapping[int, Line]) -> None:
        """Tell the runner which products may replace an existing file: in a folder there of our own, any."""
        if not self.outbound:
            super().let_replace(stage, lines)
            return
        for made in (line.data["products"] for line in lines.values() if line.products):
            for product in made.values():
                product["replace"] = True

    def say_stored(self, lines: Mapping[int, Line]) -> None:
        """Tell the runner which inputs are in the store there."""
        if self.outbound:
            for line in lines.values():
                if stored := self.outbound.stored(line.copied):
                    line.data["stored"] = stored

    def batch_size(self, stage: Stage, ready: int) -> int:
        """Return how many units a batch of a stage takes, whatever is ready."""
        return self.size(stage)

    def size(self, stage: Stage, time_scale: float = 1.0) -> int:
        """Return how many units a batch of a stage takes: as wanted or learned, and never more than its job has time for."""
        needs, site = self.needs(stage), self.site.site
        at_once = self.campaign.at_once(stage)
        wanted = batch_size(stage.batch, needs.usage, workers=stage.workers, at_once=at_once)
        limit = needs.resources.walltime_s
        longest = longest_s(site, gpus=needs.resources.gpus * stage.workers)
        most = longest and max(1.0, longest - START_S - LEAVE_S)
        return fitting_size(
            wanted,
            limit_s=limit and limit * time_scale,
            usage=needs.usage,
            workers=stage.workers,
            most_s=most,
        )

    def may_leave(self, stage: Stage, group: int) -> bool:
        """Whether a partly filled batch may be submitted: nothing can join it, or it has waited long enough."""
        name = f"batch_wait.{stage.name}.{group}"
        since, now = self.ledger.meta(name), self.clock.now()
        wait = BATCH_WAIT_S if stage.batch_wait_s is None else stage.batch_wait_s
        can_grow = self.can_grow(stage, group)
        if can_grow and since is None:
            with self.ledger.transaction():
                self.ledger.set_meta(name, str(now))
            return False
        if can_grow and is_ahead(float(since or now) + wait, now, wait):
            return False
        self.forget_wait(stage, group)
        return True

    def forget_wait(self, stage: Stage, group: int) -> None:
        """Restart the waiting time of partly filled batches: none is left behind."""
        name = f"batch_wait.{stage.name}.{group}"
        if self.ledger.meta(name) is not None:
            with self.ledger.transaction() as db:
                db.execute("DELETE FROM meta WHERE name = ?", (name,))

    def can_grow(self, stage: Stage, group: int) -> bool:
        """Whether more tasks of a stage may become ready in a group without new files or requests."""
        sql = "SELECT 1 FROM tally WHERE stage = ? AND unit = ? AND state = 'waiting' AND n > 0"
        if stage.array:
            sql = (
                f"SELECT 1 FROM unit u JOIN task t ON t.unit = u.id AND t.stage = ? WHERE u.g{stage.array} = ?"
                f" AND u.level = {stage.level} AND t.state = 'waiting' LIMIT 1"
            )
        waiting = self.ledger.db.execute(sql, (self.graph.ids[stage.name], group)).fetchone()
        return self.open_ended or waiting is not None

    # from batches to a job

    def needs(self, stage: Stage) -> Needs:
        """Return what a task and its followers need together: the most memory and cores of one, the time of all."""
        chain = self.campaign.chain(stage)
        together = Resources.together([link.resources for link in chain])
        walls = [self.durations.usage(link.name).walls_s for link in chain]
        usage = Usage([sum(each) for each in zip(*(list(w)[::-1] for w in walls), strict=False)])
        return Needs([link.name for link in chain], together, usage)

    def request(self, stage: Stage, array: Array, token: str) -> Request:
        """Return what an array asks for."""
        needs, site = self.needs(stage), self.site.site
        workers = min(stage.workers, array.largest)
        limit = needs.resources.walltime_s
        needed = walltime_s(
            array.largest, limit_s=limit and limit * array.time_scale, usage=needs.usage, workers=workers
        )
        asked = needs.resources
        gpus, memory, disk = asked.gpus * workers, asked.memory_bytes, asked.scratch_disk_bytes
        longest, largest = longest_s(site, gpus=gpus), largest_bytes(site, gpus=gpus)
        request = Request(
            token=token,
            elements=len(array.batches),
            cpus=asked.cpus * workers,
            memory_bytes=memory and at_most(int(memory * array.memory_scale) * workers, largest),
            walltime_s=at_most(needed + START_S + LEAVE_S, longest) if needed else longest,
            gpus=gpus,
            gpu_type=asked.gpu_type,
            nodes=asked.nodes,
            tasks_per_node=asked.tasks_per_node,
            exclusive=asked.exclusive,
            scratch_disk_bytes=disk and disk * workers,
            max_parallel=site.max_parallel,
            excluded=self.excluded(),
            behind=array.behind,
        )
        return placed(request, site)

    def excluded(self) -> tuple[str, ...]:
        """Return the nodes that failed two different tasks within a day, unless the site cannot avoid them."""
        now = self.clock.now()
        if self.capacity.known.includes_all(now):
            return ()
        rows = self.ledger.db.execute(
            "SELECT host FROM attempt WHERE outcome = 'node_failure' AND ended > ? AND ended <= ? AND host IS NOT NULL"
            " AND job IN (SELECT id FROM job WHERE site = ?) GROUP BY host"
            " HAVING count(DISTINCT stage * 1000000000 + unit) > 1",
            (now - DAY_S, now, self.site.name),
        )
        return tuple(sorted(row[0].partition(".")[0] for row in rows))

    def submit(self, stage: Stage, array: Array) -> int:
        """Record an array, write its files, and submit it; return how many tasks it has."""
        if self.outbound and not self.outbound.put_programs(self.campaign.chain(stage)):
            return 0
        token, now = jobs.new_token(), self.clock.now()
        try:
            request = self.request(stage, array, token)
        except SubmitRejected as error:  # before anything was recorded
            pause_stages(self.ledger, [self.graph.ids[stage.name]], str(error), now=now)
            return 0
        with self.ledger.transaction() as db:
            job = jobs.plan_array(
                self.ledger, token=token, site=self.site.name, folder=self.folder_of(token),
                elements=request.elements, request=asdict(request), now=now,
            )  # fmt: skip
            texts = [
                self.batch(db, stage, job, n, batch, request) for n, batch in enumerate(array.batches, 1)
            ]
            note_served(self.ledger, stage, self.graph.ids[stage.name], array.batches[-1])
        self.site.place_job(
            request,
            self.spec(stage, request, texts, jobs.intent(self.ledger.db, job)),
            b"".join(texts),
            self.rendered.take_lists(),
        )
        jobs.hand_in(self.ledger, job, self.clock.now())
        self.ledger.check_held()
        return sum(map(len, array.batches)) if self.handed_in(job, request) else 0

    def folder_of(self, token: str) -> str:
        """Return where the files of a job are, or will be when they have come home."""
        if self.outbound:
            return f"{FOLDER}/jobs/{token}"
        return relative_to_root(self.site.job_folder(token), self.campaign.root)

    def batch(
        self,
        db: sqlite3.Connection,
        stage: Stage,
        job: int,
        element: int,
        units: Sequence[int],
        request: Request,
    ) -> bytes:
        """Record the batch of one element, and return what it reads."""
        number, size, now = self.graph.ids[stage.name], len(units), self.clock.now()
        batch, first = jobs.plan_batch(
            db, job=job, element=element, stage=number, size=size, cores=request.cpus, now=now
        )
        lines = self.lines(stage, batch, units)
        cap_limits([task for line in lines for task in chain_of(line)], request.walltime_s)
        return batch_text(first, min(stage.workers, size), lines)

    def spec(
        self, stage: Stage, request: Request, texts: Sequence[bytes], intent: Mapping[str, Any]
    ) -> bytes:
        """Return the spec of an array: where each element's batch begins, and until when it must have left."""
        offsets = [0]
        for text in texts[:-1]:
            offsets.append(offsets[-1] + len(text))
        view = self.site.view._replace(root=self.site.root_there)
        names = self.needs(stage).stages
        stages = self.stage_specs(names, view)
        cap_limits(list(stages.values()), request.walltime_s)
        stored = {"store": str(self.site.far.store)} if self.site.far else {}
        return job_spec(
            request.token, self.campaign, stages, root=view.root, **stored, elements=request.elements, feed=False,
            offsets=offsets, walltime_s=request.walltime_s and time_inside(request.walltime_s), idle_s=0, beat_s=60, grace_s=10,
            environment=dict(self.site.environment()), programs=self.building.executables(names), job=intent,
        )  # fmt: skip

    def handed_in(self, job: int, request: Request) -> bool:
        """Submit a placed job, and record the result; return whether the scheduler may have it."""
        try:
            native = self.site.submit(request)
        except SubmitRejected as error:
            row = self.take_back(job, str(error))
            if not self.capacity.is_worth_another_try(request):
                pause_stages_of(self.ledger, row, str(error), now=self.clock.now())
        except SiteFull as error:
            self.take_back(job, str(error))
            self.capacity.note_full(request.elements, str(error))
        except OutOfReach:
            raise  # the same holds, once it can be reached
        except SiteError as error:
            self.capacity.rest(str(error))  # until it was looked for by its name
            self.ledger.set_problem(f"site {self.site.name}", str(error), self.clock.now())
            return True
        else:
            jobs.submitted(self.ledger, job, native, self.clock.now())
            self.capacity.note_taken()
            return True
        return False

    def take_back(self, job: int, why: str) -> sqlite3.Row:
        """Free the tasks of a job that was refused; return its row."""
        row = self.ledger.db.execute("SELECT * FROM job WHERE id = ?", (job,)).fetchone()
        every = range(1, row["elements"] + 1)
        self.elements.finishing.finish_elements(self.site, row, every, Ending("unstarted", why))
        return row

    def draft(self, stage: Stage) -> tuple[Sequence[str], str] | None:
        """Return the command and the script of the next array, as they would be; None when nothing would be submitted."""
        arrays = (self.next_array(lane, self.next_group(lane)) for lane in self.lanes(stage))
        array = next(filter(None, arrays), None)
        return array and self.site.draft(self.request(stage, array, "p" + "…" * 10))


def of_unit(level: int) -> str:
    """Return the SQL of the group of a task's unit at a level."""
    return f"(SELECT g{level} FROM unit u WHERE u.id = task.unit)"
