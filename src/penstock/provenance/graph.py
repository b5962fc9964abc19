"""The provenance of a unit or group: a few activities whatever it has in it, or every attempt."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from penstock.ledger import Ledger
from penstock.provenance.collections import collection, file_entity
from penstock.provenance.model import Activity, Agent, Entity, Link, Member, Relation, Scalar, Trace
from penstock.provenance.names import identifier
from penstock.provenance.plans import configuration_of, plan_of
from penstock.provenance.reading import Facts, InputFile, members
from penstock.provenance.scope import behind, under
from penstock.provenance.software import Software, agents_of, details_of

FEW = 20  # files or tasks that are told one by one, where a document is to stay small

ENGINE = Agent("software/penstock", "software", "penstock")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a document is to show: `steps`, every attempt and file; `stages`, these alone."""

    steps: bool = False
    stages: tuple[str, ...] = ()


class Input(NamedTuple):
    """An entity that tasks are made from, and since when it is as it is now."""

    id: str
    since: float | None


def trace(ledger: Ledger, unit: int, wanted: Wanted | None = None) -> Trace:
    """Return the provenance of a unit or group: its tasks, and all that these were made from.

    Raises DefinitionError if a stage is wanted that there is none of.
    """
    facts = Facts(ledger)
    facts.check_stages((wanted or Wanted()).stages)
    return Builder(facts, unit, wanted or Wanted()).build()


class Builder:
    """Collects entities, activities and links."""

    def __init__(self, facts: Facts, unit: int, wanted: Wanted) -> None:
        self.facts, self.unit, self.wanted = facts, unit, wanted
        self.level, self.subject = facts.level(unit), facts.label(unit)
        self.entities, self.activities = dict[str, Entity](), dict[str, Activity]()
        self.agents, self.links = dict[str, Agent](), set[Link]()
        self.scope = behind(facts.db, facts.graph, under(facts.db, facts.graph, unit))

    def build(self) -> Trace:
        """Add all, stage by stage."""
        for stage in self.facts.graph.stages:
            units = self.scope.get(stage)
            if units and (not self.wanted.stages or stage in self.wanted.stages):
                self.add_stage(stage, units)
        return Trace(
            self.facts.campaign.name,
            self.subject,
            self.facts.labels.level(self.level),
            tuple(self.entities[id] for id in sorted(self.entities)),
            tuple(sorted(self.activities.values(), key=lambda a: (a.began or a.ended or 0.0, a.id))),
            tuple(self.agents[id] for id in sorted(self.agents)),
            tuple(sorted(self.links)),
        )

    def is_single(self, stage: str, units: Collection[int]) -> bool:
        """Whether the tasks of a stage are told one by one."""
        if self.wanted.steps:
            return True
        return self.facts.graph.stages[stage].level <= self.level and len(units) <= FEW

    def add_stage(self, stage: str, units: Collection[int]) -> None:
        """Add the activities of one stage, with what they used and made."""
        if self.is_single(stage, units):
            for row in self.facts.tasks(stage, units):
                self.add_task(stage, row)
        else:
            self.add_group(stage, units)

    def add_task(self, stage: str, row: sqlite3.Row) -> None:
        """Add every attempt of one task; the last successful one made its products."""
        facts, unit = self.facts, row["unit"]
        made = [self.add(entity) for entity in self.outputs(stage, [unit])]
        if row["marked"]:
            self.attribute(made, row["by"])
            return
        attempts, inputs = facts.attempts(stage, [unit]), list(self.inputs(stage, [unit]))
        done = row["state"] == "done"
        maker = next((a["id"] for a in reversed(attempts) if a["outcome"] == "ok"), None) if done else None
        for attempt in attempts:
            activity = self.add_attempt(
                stage, unit, attempt, row["stale"] if attempt["id"] == maker else None
            )
            all_known = attempt["id"] == maker and not row["stale"]
            used = [each.id for each in inputs if all_known or was_there(each, attempt)]
            self.join(activity, used, made if attempt["id"] == maker else [])
            self.associate(activity, stage, [row["made"]] if attempt["id"] == maker else [])
            self.run_by(activity, [json.loads(attempt["software"])] if attempt["software"] else [])

    def add_attempt(self, stage: str, unit: int, row: sqlite3.Row, stale: str | None) -> str:
        """Add one attempt with its status."""
        given = {
            "task": f"{stage} {self.facts.label(unit)}", "exit_code": row["exit_code"], "signal": row["signal"],
            "host": row["host"], "site": row["site"], "job": row["token"], "scheduler_id": row["native"],
            "wall_s": row["wall_s"], "cpu_s": row["cpu_s"], "peak_bytes": row["rss"],
            "stale": "what it was made from, or its definition, changed since" if stale else None,
        }  # fmt: skip
        details: dict[str, Scalar] = {name: value for name, value in given.items() if value is not None}
        details |= details_of(json.loads(row["software"])) if row["software"] else {}
        name = identifier("attempt", row["token"] or "-", str(row["id"]))
        label = f"{stage} of {self.facts.label(unit)}"
        self.activities[name] = Activity(
            name, label, stage, row["outcome"], row["began"], row["ended"], details
        )
        return name

    def add_group(self, stage: str, units: Collection[int]) -> None:
        """Add one activity for all tasks of a stage."""
        facts, outcomes = self.facts, self.facts.outcomes(stage, units)
        rows = facts.tasks(stage, units)
        made = [self.add(entity) for entity in self.outputs(stage, units)]
        name = identifier("stage", stage, self.subject)
        counts: dict[str, Scalar] = {f"attempts_{row['outcome']}": row["n"] for row in outcomes}
        totals: dict[str, Scalar] = {
            what: round(sum(row[what] or 0.0 for row in outcomes), 3) for what in ("wall_s", "cpu_s")
        }
        details = {"tasks": len(rows), "attempts": sum(row["n"] for row in outcomes), **counts, **totals}
        self.activities[name] = Activity(
            name,
            f"{stage} of {len(rows)} in {self.subject}",
            stage,
            None,
            min((row["began"] for row in outcomes if row["began"] is not None), default=None),
            max((row["ended"] for row in outcomes), default=None),
            details,
        )
        self.join(name, [each.id for each in self.inputs(stage, units)], made)
        self.associate(name, stage, {row["made"] for row in rows if row["made"]})
        self.run_by(name, facts.software(stage, units))

    def outputs(self, stage: str, units: Collection[int]) -> Iterator[Entity]:
        """Yield what tasks made: a file each, or a collection for each product."""
        return self.products_as_entities(
            stage, self.facts.products(stage, units), self.is_single(stage, units)
        )

    def products_as_entities(self, stage: str, rows: Sequence[sqlite3.Row], single: bool) -> Iterator[Entity]:
        """Yield products of one stage, one by one or as collections."""
        if single:
            folders = {p.name for p in self.facts.graph.stages[stage].products if p.folder}
            for row, member in zip(rows, members(rows, self.facts), strict=True):
                yield file_entity(member, folder=row["name"] in folders)
            return
        for name in sorted({row["name"] for row in rows}):
            found = members([row for row in rows if row["name"] == name], self.facts)
            label = f"{stage}: {name}" if name != "product" else stage
            yield collection((stage, name), f"products of {label}", found)

    def inputs(self, stage: str, units: Collection[int]) -> Iterator[Input]:
        """Yield what tasks are made from, by the record as it is."""
        for edge in self.facts.edges(stage):
            rows = self.facts.upstream_products(edge, units)
            single = self.is_single(edge.up, self.scope.get(edge.up, ()))
            ends = self.facts.outcomes(edge.up, {row["unit"] for row in rows})
            latest = max((end["ended"] for end in ends if end["outcome"] == "ok"), default=None)
            for entity in self.products_as_entities(edge.up, rows, single):
                yield Input(self.add(entity), latest)
        found = self.facts.input_files(stage, units)
        for level in sorted({each.level for each in found}):
            yield from self.files_of_level([each for each in found if each.level == level])

    def files_of_level(self, found: Sequence[InputFile]) -> Iterator[Input]:
        """Yield input files of one level, or their collection."""
        if self.wanted.steps or (found[0].level <= self.level and len(found) <= FEW):
            for each in found:
                yield Input(self.add(file_entity(each.member)), each.since)
            return
        level = self.facts.labels.level(found[0].level)
        group = collection(("inputs", level), f"input files by {level}", [each.member for each in found])
        yield Input(self.add(group), max((each.since or 0.0 for each in found), default=None))

    def associate(self, activity: str, stage: str, digests: Iterable[str]) -> None:
        """Say by which definition an activity went; where that is not known, by the only one there ever was."""
        known = sorted(digests) or (every if len(every := self.facts.digests(stage)) == 1 else [])
        self.agents[ENGINE.id] = ENGINE
        for digest in known:
            frozen = self.facts.definition(stage, digest)
            plan = self.add(plan_of(stage, digest, frozen))
            self.link("wasAssociatedWith", activity, ENGINE.id, plan=plan)
            self.join(activity, [self.add(entity) for entity in configuration_of(frozen)], [])
        if not known:
            self.link("wasAssociatedWith", activity, ENGINE.id)

    def run_by(self, activity: str, found: Iterable[Software]) -> None:
        """Say who ran an activity, and with which programs."""
        for agent in (agent for software in found for agent in agents_of(software)):
            self.agents.setdefault(agent.id, agent)
            self.link("wasAssociatedWith", activity, agent.id)

    def attribute(self, entities: Iterable[str], by: str) -> None:
        """Say who said that something was made elsewhere."""
        person = Agent(identifier("person", by), "person", by)
        self.agents[person.id] = person
        for entity in entities:
            self.link("wasAttributedTo", entity, person.id)

    def join(self, activity: str, used: Iterable[str], made: Iterable[str]) -> None:
        """Link an activity to its inputs and outputs."""
        for entity in used:
            self.link("used", activity, entity)
        for entity in made:
            self.link("wasGeneratedBy", entity, activity)

    def link(self, relation: Relation, subject: str, object: str, *, plan: str = "") -> None:
        self.links.add(Link(relation, subject, object, plan=plan))

    def add(self, entity: Entity) -> str:
        """Keep an entity and return its id."""
        self.entities.setdefault(entity.id, entity)
        return entity.id


def was_there(each: Input, attempt: sqlite3.Row) -> bool:
    """Whether an input was as it is now when an attempt began."""
    return each.since is not None and attempt["began"] is not None and each.since <= attempt["began"]


def all_members(trace: Trace) -> Iterator[tuple[Entity, Member]]:
    """Yield the members of all collections, in the order of these."""
    return ((entity, member) for entity in trace.entities for member in entity.members)
