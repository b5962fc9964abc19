"""What provenance is made of, in the words of W3C PROV: entities, activities, agents, and the links between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Scalar = str | int | float | bool
Details = Mapping[str, Scalar]
Kind = Literal["file", "folder", "collection", "plan"]
Relation = Literal["used", "wasGeneratedBy", "wasAssociatedWith", "wasAttributedTo"]


class Member(NamedTuple):
    """A file of a collection; `mark` is the size and the time of one whose content was not digested."""

    unit: str
    path: str
    bytes: int | None
    sha256: str | None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Entity:
    """A file or folder as it was, a collection of them, or the definition of a stage (a plan)."""

    id: str
    kind: Kind
    label: str
    path: str | None = None  # relative to the campaign, or absolute
    bytes: int | None = None
    sha256: str | None = None  # of the content; of a collection, of its members
    details: Details = field(default_factory=dict[str, Scalar])
    members: Sequence[Member] = ()


@dataclass(frozen=True, slots=True)
class Activity:
    """An attempt of a task, or all those of one stage in a group. Times are UTC seconds since 1970."""

    id: str
    label: str
    stage: str
    outcome: str | None = None  # of one attempt
    began: float | None = None
    ended: float | None = None
    details: Details = field(default_factory=dict[str, Scalar])


@dataclass(frozen=True, slots=True)
class Agent:
    """Who or what is responsible: a person, or a program."""

    id: str
    kind: Literal["person", "software"]
    label: str
    details: Details = field(default_factory=dict[str, Scalar])


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A relation of PROV, from its subject to its object; `plan` is that of an association."""

    relation: Relation
    subject: str
    object: str
    role: str = ""
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """The provenance of a unit or group of a campaign. All is sorted, so equal records give equal documents."""

    campaign: str
    subject: str  # the unit or group, as people call it
    level: str
    entities: tuple[Entity, ...]
    activities: tuple[Activity, ...]
    agents: tuple[Agent, ...]
    links: tuple[Link, ...]

    def entity(self, id: str) -> Entity:
        """Return the entity of that id; KeyError if there is none."""
        return {entity.id: entity for entity in self.entities}[id]

    def of(self, relation: Relation) -> Iterator[Link]:
        """Yield the links of one relation."""
        return (link for link in self.links if link.relation == relation)
