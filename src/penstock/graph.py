"""How the stages of a campaign depend on each other: upstreams, downstreams, and the levels where groups are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from penstock.campaign import After, Campaign, FileSource, Stage
from penstock.errors import DefinitionError

Kind = Literal["same", "coarser", "finer", "keyed"]


class Edge(NamedTuple):
    """Stage `down` waits for stage `up`; `kind` says where the upstream's level stands."""

    up: str
    down: str
    kind: Kind
    optional: bool = False
    expander: bool = False
    after: After | None = None


class Graph(NamedTuple):
    """The stages by name, with ids of the ledger, and the edges between them in both directions."""

    stages: Mapping[str, Stage]  # in an order in which each follows its upstreams
    ids: Mapping[str, int]
    upstreams: Mapping[str, tuple[Edge, ...]]
    downstreams: Mapping[str, tuple[Edge, ...]]
    levels: tuple[str, ...]
    counted: Mapping[str, tuple[int, ...]]  # stage → levels of groups whose members are counted; 0 always
    held: frozenset[str] = (
        frozenset()
    )  # stages whose units may be incomplete: by `complete` of their level, or `partial`

    def name(self, stage_id: int) -> str:
        """Return the name of the stage with that id."""
        return self.names[stage_id]

    @property
    def names(self) -> dict[int, str]:
        return {number: name for name, number in self.ids.items()}

    def needed_by(self, stage: str) -> set[str]:
        """Return a stage and all that it waits for, directly or not."""
        return needed_by(stage, [edge for edges in self.upstreams.values() for edge in edges])

    def is_group(self, stage: str) -> bool:
        """Whether the stage is coarser than one of its upstreams: then its groups can be open."""
        return any(edge.kind == "finer" for edge in self.upstreams[stage])

    def may_be_open(self, stage: str) -> bool:
        """Whether a task of the stage waits until its unit or group is whole."""
        return stage in self.held or self.is_group(stage)

    def first_state(self, stage: str) -> Literal["waiting", "ready"]:
        """Return the state of a new task, before it is evaluated."""
        return "waiting" if self.upstreams[stage] or stage in self.held else "ready"


def build(campaign: Campaign, ids: Mapping[str, int]) -> Graph:
    """Return the graph of `campaign`, whose stages have these ids in the ledger."""
    stages = {stage.name: stage for stage in campaign.stages}
    edges = [edge for stage in campaign.stages for edge in edges_of(stage, stages)]
    counted = {
        name: (0, *sorted(levels_counted(name, stages, edges) | levels_with_deadlines(name, campaign, edges)))
        for name in stages
    }
    return Graph(
        stages={name: stages[name] for name in in_order(stages, edges, campaign)},
        ids={name: ids[name] for name in stages},
        upstreams={name: tuple(e for e in edges if e.down == name) for name in stages},
        downstreams={name: tuple(e for e in edges if e.up == name) for name in stages},
        levels=campaign.levels,
        counted=counted,
        held=held(campaign),
    )


def held(campaign: Campaign) -> frozenset[str]:
    """Return the stages at levels whose units may be there and not be complete."""
    levels = {
        number for number, name in enumerate(("campaign", *campaign.levels)) if name in campaign.complete
    }
    levels |= {
        source.level for source in campaign.sources if isinstance(source, FileSource) and source.partial
    }
    return frozenset(stage.name for stage in campaign.stages if stage.level in levels)


def in_order(stages: Mapping[str, Stage], edges: list[Edge], campaign: Campaign) -> list[str]:
    """Put the stages in an order in which each follows its upstreams, expanders among them."""
    ordered: list[str] = []
    while len(ordered) < len(stages):
        held = {edge.down for edge in edges if edge.up not in ordered}
        free = next((name for name in stages if name not in ordered and name not in held), None)
        if free is None:
            waiting = sorted(name for name in stages if name not in ordered)
            raise DefinitionError(
                f"the stages {', '.join(waiting)} wait for each other: one of them expands what another merges,"
                " and waits for that merge; let it expand another level",
                file=campaign.file,
            )
        ordered.append(free)
    return ordered


def edges_of(stage: Stage, stages: Mapping[str, Stage]) -> list[Edge]:
    """Return what `stage` waits for: its own upstreams, and the expanders that may add to it."""
    said = [
        Edge(a.stage, stage.name, "keyed" if a.key else relation(stages[a.stage], stage), a.optional, after=a)
        for a in stage.after
    ]
    implied = [
        Edge(x.name, stage.name, relation(x, stage), expander=True)
        for x in stages.values()
        if x.expands is not None
        and x.name != stage.name
        and stage.level < x.expands
        and any(stages[a.stage].level >= x.expands for a in stage.after)
    ]
    return said + implied


def relation(up: Stage, down: Stage) -> Kind:
    """Return where the upstream's level is, seen from downstream."""
    if up.level == down.level:
        return "same"
    return "finer" if up.level > down.level else "coarser"


def levels_counted(name: str, stages: Mapping[str, Stage], edges: list[Edge]) -> set[int]:
    """Return the levels, the campaign's apart, at which a downstream needs to know this stage's states.

    For the coarsest one they are always counted: that is what people look at, and its groups are few.
    """
    coarsest = {1} if stages[name].level > 1 else set[int]()
    return coarsest | {stages[e.down].level for e in edges if e.up == name and e.kind == "finer"} - {0}


def levels_with_deadlines(name: str, campaign: Campaign, edges: list[Edge]) -> set[int]:
    """Return the levels of whose groups a deadline wants this stage, or one that waits for it, to be done."""
    numbers = {
        campaign.levels.index(level) + 1
        for stage in campaign.stages
        if stage.deadline and name in needed_by(stage.name, edges)
        for level in stage.deadline
    }
    return {number for number in numbers if number <= campaign.stage(name).level}


def needed_by(name: str, edges: Iterable[Edge]) -> set[str]:
    """Return a stage and all that it waits for, directly or not."""
    found = {name}
    while more := {edge.up for edge in edges if edge.down in found} - found:
        found |= more
    return found
