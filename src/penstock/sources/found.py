"""What a scan gives and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from penstock.campaign import Campaign, Source
from penstock.errors import DefinitionError
from penstock.sources.times import Times
from penstock.units import Value, compact, iso, read_value


class Found(NamedTuple):
    """A unit that a source gave. Times in key and fields are ISO text; `fields` leaves out the key's values."""

    level: int
    key: tuple[Value, ...]
    fields: dict[str, Any]
    fingerprint: str


class Problem(NamedTuple):
    """Something in the data that a person should check."""

    subject: str
    why: str


class Unsettled(NamedTuple):
    """A unit that is incomplete. `ready_at`: when to check again; None: when something else arrives."""

    path: str
    fingerprint: str
    since: float
    key: tuple[Value, ...]
    ready_at: float | None
    why: str


def _no_server_clock(device: int) -> float | None:
    return None


@dataclass(slots=True)
class ScanState:
    """What a scan needs to know, and what it reports.

    `now_s` is the wall clock; `server_now(st_dev)` the file server's clock in the same seconds, None when unknown;
    `settling` holds path → (fingerprint, since) of the files that earlier scans saw before they were at rest;
    `made` are the paths of penstock's own products, which are no units. `contents` is a digest of all that the units
    follow from, once the scan is over, where one can be made; `same` says that it is unchanged and was not scanned.
    `times`: what is known of its folders, and which of them are looked into.
    """

    now_s: float
    server_now: Callable[[int], float | None] = _no_server_clock
    settling: Mapping[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    made: frozenset[str] = frozenset()
    times: Times | None = None
    contents: str | None = None
    same: bool = False
    problems: list[Problem] = field(default_factory=list[Problem])
    unsettled: list[Unsettled] = field(default_factory=list[Unsettled])
    missing_roots: list[str] = field(default_factory=list[str])
    failed: bool = False  # the source could not be read to its end: what it did not give is not gone


Evaluate = Callable[[Mapping[str, Any]], Any]

IMPOSSIBLE = frozenset(("", ".", ".."))
KEY_TYPES = frozenset((str, int, float, bool))


class Shape(NamedTuple):
    """How a row of values becomes a key and fields."""

    level: int
    levels: tuple[str, ...]
    derive: tuple[tuple[str, Evaluate], ...]

    @classmethod
    def of(cls, source: Source, campaign: Campaign) -> Shape:
        derive = tuple(
            (name, _typed(expression.evaluate, source.types.get(name)))
            for name, expression in source.derive.items()
        )
        return cls(source.level, campaign.levels[: source.level], derive)

    def split(self, values: dict[str, Any]) -> tuple[Value, ...]:
        """Take the key out of `values` and return it; ValueError if there is none."""
        if self.derive:
            self.add_derived(values)
        key: list[Value] = []
        for level in self.levels:
            value = values.pop(level)
            if value.__class__ not in KEY_TYPES or value in IMPOSSIBLE:
                raise ValueError(f"{value!r} cannot name a {level}; give it another value")
            key.append(value)
        return tuple(key)

    def add_derived(self, values: dict[str, Any]) -> None:
        for name, evaluate in self.derive:
            try:
                values[name] = evaluate(values)
            except DefinitionError as error:
                raise ValueError(str(error)) from None
            compact({name: values[name]}).encode()  # raises ValueError for what the record cannot hold


def _typed(evaluate: Evaluate, kind: str | None) -> Evaluate:
    """Convert the result of an expression to the type in the definition."""
    if kind is None:
        return evaluate

    def evaluate_typed(values: Mapping[str, Any]) -> Any:
        value = read_value(str(evaluate(values)), kind)
        return iso(value) if isinstance(value, datetime) else value

    return evaluate_typed
