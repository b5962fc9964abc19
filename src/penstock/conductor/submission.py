"""What is common to all sites: which stages may run, and what a runner reads about their tasks."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from penstock.campaign import Campaign, Stage
from penstock.conductor.building import Building
from penstock.conductor.context import Context
from penstock.conductor.pythons import Pythons
from penstock.conductor.replacing import INPUT, Inputs
from penstock.conductor.staleness import UNASKED, too_early
from penstock.conductor.undigested import Undigested
from penstock.display import count
from penstock.errors import DefinitionError
from penstock.graph import Graph
from penstock.ledger import tasks
from penstock.ledger.inputs import inputs_of, members_left_out
from penstock.ledger.locations import note_wanted, units_waiting
from penstock.ledger.order import Waiting, room
from penstock.ledger.products import replaceable
from penstock.ledger.readiness import propagate
from penstock.ledger.units import rows_of
from penstock.rendering import Line, Paths, Renderer, View, stage_spec
from penstock.units import show_key

NAMED = 10  # members that a note names


class Rendered:
    """The renderers of all stages, and the files that list inputs which they ask for."""

    def __init__(self, campaign: Campaign, view: View) -> None:
        self.lists: dict[str, bytes] = {}
        self.of = {
            s.name: Renderer(s, campaign, list_file=self.list_file, view=view) for s in campaign.stages
        }

    def list_file(self, paths: Sequence[str]) -> str:
        """Keep a list of inputs for the job's folder, once for the same list, and return its name."""
        text = "".join(f"{path}\n" for path in paths).encode()
        name = f"inputs-{hashlib.sha256(text).hexdigest()[:32]}.txt"
        self.lists[name] = text
        return name

    def take_lists(self) -> dict[str, bytes]:
        """Return the list files that were asked for since the last time."""
        taken, self.lists = self.lists, {}
        return taken


class _NotMeant(Exception):
    """Rolls back a transaction that was only a trial."""


class Submitter:
    """Gives the ready tasks of one site to its runners."""

    def __init__(self, context: Context, site: str, view: View) -> None:
        self.ledger, self.campaign, self.graph = context.ledger, context.campaign, context.graph
        self.clock, self.values, self.durations = context.clock, context.values, context.durations
        self.overwrite, self.inputs = context.overwrite, Inputs(context)
        self.scope, self.building, self.pythons = context.scope, Building(context), Pythons(context)
        self.site_name, self.rendered = site, Rendered(context.campaign, view)
        self.undigested = Undigested(context, view)
        self.redone = UNASKED  # which stale tasks are redone, before those that read them
        self.held = dict[str, str]()  # stage → the condition of `held_up`, for one look
        self.mine = {s.name for s in context.campaign.stages if context.sites.name_of(s) == site}

    def in_line(self) -> list[Waiting]:
        """Return what may start at this site, in the order in which it does: new data before backfill, then by priority.

        Of stages alike the later ones go first, so that what was begun is ended. Their programs are built, and their
        functions find a Python for them.
        """
        rows = self.ledger.db.execute(
            "SELECT s.name FROM stage s JOIN tally y ON y.stage = s.id AND y.unit = 1 AND y.state = 'ready' AND y.n > 0"
            " WHERE s.paused IS NULL AND NOT s.removed ORDER BY s.position DESC"
        )
        ready = [self.graph.stages[row[0]] for row in rows if row[0] in self.mine and self.scope.has(row[0])]
        built = [stage for stage in ready if self.pythons.fit(stage) and self.building.has_built(stage)]
        stages = sorted(built, key=lambda stage: -stage.priority)
        lanes = [lane for stage in stages for lane in self.lanes(stage) if lane.any(self.ledger.db)]
        return sorted(lanes, key=lambda lane: lane.behind)

    def lanes(self, stage: Stage) -> list[Waiting]:
        """Return the two lines of a stage: its new data, and its backfill."""
        return [Waiting(stage, self.graph.ids[stage.name], behind) for behind in (False, True)]

    def first(self, waiting: Waiting, most: int, among: str = "true") -> list[sqlite3.Row]:
        """Return which tasks go next, `most` of them for which an SQL condition holds: suspects before others."""
        among = f"{among} AND {self.scope.where} AND {self.held_up(waiting.stage)}"
        suspects = waiting._replace(alone=True).first(self.ledger, most, among)
        return suspects or waiting.first(self.ledger, most, among)

    def room(self, stage: Stage) -> int | None:
        """Return how many more tasks of a stage may go out by `max_running`, anywhere; None: any number."""
        return room(self.ledger.db, self.campaign.chain(stage), self.graph.ids)

    def preview(self, stage: Stage, units: Sequence[int]) -> list[dict[str, Any]]:
        """Render tasks as for a runner, without submitting them; raises DefinitionError if one cannot be."""
        inputs = inputs_of(self.ledger.db, self.graph, stage.name, units)
        return [line.data for line in self.render(stage, units, {u: inputs[u].paths for u in units}).values()]

    def set_aside(self, stage: Stage, units: Sequence[int], error: DefinitionError) -> None:
        """Count as failed what cannot be submitted, so that the rest can; raise `error` if all can."""
        wrong: dict[int, str] = {}
        with suppress(_NotMeant), self.ledger.transaction() as db:
            for unit in units:
                db.execute("SAVEPOINT one")
                try:
                    self.lines(stage, 0, [unit])
                except DefinitionError as fault:
                    wrong[unit] = fault.message
                    db.execute("ROLLBACK TO one")
                db.execute("RELEASE one")
            raise _NotMeant
        if not wrong:
            raise error
        with self.ledger.transaction() as db:
            reasons = {unit: f"cannot run: {why}" for unit, why in wrong.items()}
            tasks.fail(db, self.graph, stage.name, reasons, now=self.clock.now())
            propagate(db, self.graph, {stage.name: wrong})

    def stage_specs(self, names: Sequence[str], view: View) -> dict[str, Any]:
        """Return what a runner must know about these stages."""
        return {
            n: stage_spec(self.graph.stages[n], self.graph.ids[n], self.campaign, view=view) for n in names
        }

    def lines(self, stage: Stage, batch: int, units: Sequence[int]) -> list[dict[str, Any]]:
        """Queue the tasks of a batch, their followers with them, and return what the runner reads of them."""
        inputs = inputs_of(self.ledger.db, self.graph, stage.name, units)
        lines = self.render(stage, units, {unit: inputs[unit].paths for unit in units})
        self.let_replace(stage, lines)
        self.say_stored(lines)
        notes = self.note_missing(stage, lines) if stage.members == "done" else {}
        queued = [tasks.Queued(u, inputs[u].digest, line.products, notes.get(u)) for u, line in lines.items()]
        self.queue(stage, batch, queued, old="ready")
        self.ask_digests(stage, batch, lines)
        for unit, line in lines.items():
            line.data["made_from"] = inputs[unit].digest
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

    def let_replace(self, stage: Stage, lines: Mapping[int, Line]) -> None:
        """Tell the runner which products may replace an existing file."""
        wanted = {path: unit for unit, line in lines.items() for _, path in line.products}
        free = replaceable(self.ledger.db, self.graph.ids[stage.name], wanted) if wanted else set[str]()
        for path in wanted if self.overwrite else free:
            made = lines[wanted[path]].data["products"].values()
            mark = {"replace": True} if path in free or not self.inputs.hold(path) else {"keep": INPUT}
            next(product for product in made if product["path"] == path).update(mark)

    def say_stored(self, lines: Mapping[int, Line]) -> None:
        """Tell the runner which inputs are elsewhere than in the campaign's folder: none, where that is shared."""

    def ask_digests(self, stage: Stage, batch: int, lines: Mapping[int, Line]) -> None:
        """Let runners digest the inputs of a batch (0: it is only tried) that nobody digested yet."""
        if batch:
            self.undigested.ask(stage.name, lines)

    def held_up(self, stage: Stage) -> str:
        """Return the SQL condition for tasks of a stage that can run here: their inputs stay, and are not at another site.

        Those at another site are asked home.
        """
        if stage.name not in self.held:
            waiting = units_waiting(self.ledger.db, self.graph, stage.name, self.site_name, self.mine)
            early = too_early(self.ledger, self.graph, self.scope, stage.name, self.redone)
            held = ", ".join(map(str, {*waiting, *early}))
            self.held[stage.name] = f"unit NOT IN ({held})" if held else "true"
            if waiting:
                with self.ledger.transaction() as db:
                    note_wanted(db, set[str]().union(*waiting.values()))
        return self.held[stage.name]

    def note_missing(self, stage: Stage, lines: Mapping[int, Line]) -> dict[int, str | None]:
        """Tell groups' tasks, and the record, which members they go without."""
        return {unit: self.note_of(stage, unit, line) for unit, line in lines.items()}

    def note_of(self, stage: Stage, unit: int, line: Line) -> str | None:
        """Tell one group's task which members it goes without."""
        left = members_left_out(self.ledger.db, self.graph, stage.name, unit)
        labels = [self.label(member) for _, member, _ in left]
        line.data["missing"] = labels
        more = ", …" if len(labels) > NAMED else ""
        return (
            f"made without {count(len(labels), 'member')}: {', '.join(labels[:NAMED])}{more}"
            if labels
            else None
        )

    def label(self, unit: int) -> str:
        """Return a unit's printed key."""
        key = self.ledger.db.execute("SELECT key FROM unit WHERE id = ?", (unit,)).fetchone()[0]
        return show_key(json.loads(key), self.campaign.levels, self.campaign.formats)

    def add_followers(self, stage: Stage, batch: int, lines: Mapping[int, Line]) -> None:
        """Let the followers (`with`) of these tasks run right after them, in the same worker.

        A task has one: of several that follow the same stage the others are given out when it is done.
        """
        for follower in (s for s in self.graph.stages.values() if s.follows == stage.name):
            rows = tasks.states_of(self.ledger.db, self.graph.ids[follower.name], lines)
            units = self.scope.among(
                self.ledger,
                self.graph,
                follower.name,
                [u for u, row in rows.items() if row["state"] == "waiting" and "then" not in lines[u].data],
            )
            inputs: dict[int, Paths] = {unit: {stage.name: lines[unit].products} for unit in units}
            following = self.render(follower, units, inputs)
            self.let_replace(follower, following)
            self.say_stored(following)
            queued = [tasks.Queued(unit, "", line.products) for unit, line in following.items()]
            self.queue(follower, batch, queued, old="waiting")
            self.ask_digests(follower, batch, following)
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
    sql = "SELECT t.unit, t.time_scale FROM json_each(?) j CROSS JOIN task t ON t.stage = ? AND t.unit = j.value"
    return dict(db.execute(f"{sql} WHERE t.time_scale <> 1", (json.dumps(list(units)), stage_id)).fetchall())


def clash(db: sqlite3.Connection, graph: Graph, stage: str, queued: Sequence[tasks.Queued]) -> str:
    """Describe which two tasks have the same product."""
    mine: dict[str, int] = {}
    for task in queued:
        for _, path in task.products:
            other = db.execute("SELECT stage, unit FROM product WHERE path = ?", (path,)).fetchone()
            if path in mine or (other and tuple(other) != (graph.ids[stage], task.unit)):
                maker = stage if path in mine else graph.name(other[0])
                return (
                    f"stage '{stage}': the product {path} of two of its units, or also of stage '{maker}', would be the"
                    " same file: add fields to its pattern"
                )
    return f"stage '{stage}': two tasks have the same product: add fields to its pattern"
