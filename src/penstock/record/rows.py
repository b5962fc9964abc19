"""One thing that the record says: a task, a result, a product, an event. Times are aware, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from penstock.display import InNotebooks, cut, html_table

MOST_SHOWN = 2000  # characters of a value

Key = Mapping[str, Any]
"""Level → value, typed as the definition says, coarse to fine."""


class Row(InNotebooks):
    """What notebooks show of one thing: its names and values, cut where they are long."""

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show."""
        names = self.__match_args__
        shown = [(name, cut(str(getattr(self, name)), MOST_SHOWN)) for name in names]
        lines = [f"{name}: {value}" for name, value in shown]
        return {"text/plain": "\n".join(lines), "text/html": html_table((), shown)}


@dataclass(frozen=True, slots=True)
class TaskRow(Row):
    """One task; `unit` is its name as every command prints and takes it."""

    stage: str
    unit: str
    key: Key
    fields: Mapping[str, Any]  # of the unit itself; its groups have theirs
    state: str
    why: str | None
    stale: str | None  # why it is stale, of what is done
    tries: int  # attempts that cost a retry


class UnitRow(NamedTuple):
    """One unit that a source or a stage named, and how it stands with the stage that was asked about, if it has a task."""

    unit: str
    key: tuple[Any, ...]
    gone: bool  # its input is missing
    archived: bool  # on purpose
    vetoed: bool  # by its own name, whether there is a task to veto or not
    state: str | None = None
    why: str | None = None
    stale: str | None = None


@dataclass(frozen=True, slots=True)
class ResultRow(Row):
    """What one done task returned, and what its attempt used."""

    stage: str
    unit: str
    key: Key
    value: Any  # what the function returned: None of a command
    stale: str | None
    ended: datetime
    wall_s: float | None
    cpu_s: float | None
    peak_bytes: int | None
    host: str | None


@dataclass(frozen=True, slots=True)
class AttemptRow(Row):
    """One try of a task, however it ended; `job` is the id that the scheduler gave."""

    stage: str
    unit: str
    key: Key
    outcome: str
    ended: datetime
    cpu_s: float | None
    exit_code: int | None
    job: str | None
    late: bool  # it came after its task had moved on, and was not applied


@dataclass(frozen=True, slots=True)
class ProductRow(Row):
    """One product that was made, as it was then."""

    stage: str
    unit: str
    key: Key
    name: str
    path: Path  # absolute
    size_bytes: int
    digest: str  # SHA-256


@dataclass(frozen=True, slots=True)
class Event(Row):
    """Something that happened to a unit: an attempt's outcome, a changed file, a decision of a person."""

    at: datetime
    unit: str
    stage: str | None
    what: str
    why: str | None = None
    by: str | None = None
    then: str | None = None  # what was decided after an attempt
