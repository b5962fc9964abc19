"""Where one file comes from: the attempt that made it, by which definition, and all that is behind it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import starmap
from typing import Any, cast

from penstock.display import count, show_bytes, visible
from penstock.ledger import Ledger
from penstock.ledger.redefined import show
from penstock.provenance.files import Found, find_file
from penstock.provenance.model import Member, Scalar
from penstock.provenance.names import timestamp
from penstock.provenance.plans import described
from penstock.provenance.reading import Facts, members
from penstock.provenance.scope import behind
from penstock.provenance.software import versions_of

NAMED = 3  # files of many that are named in a text


@dataclass(frozen=True, slots=True)
class Maker:
    """The attempt that made a file; times are UTC seconds since 1970."""

    stage: str
    unit: str
    began: float | None
    ended: float
    host: str | None
    site: str | None
    job: str | None
    user: str | None
    software: Mapping[str, str]  # program → version
    attempts: Mapping[str, int]  # outcome → how many there were of the task


@dataclass(frozen=True, slots=True)
class Source:
    """What it was made from: products of a stage, or files that a source found (no stage)."""

    stage: str | None
    level: str
    files: Sequence[Member]
    direct: bool
    tasks: int = 0
    began: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The answer to `penstock provenance of FILE`."""

    found: Found
    units: Sequence[str]
    maker: Maker | None = None
    definition: str | None = None  # the digest
    plan: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    sources: Sequence[Source] = ()
    marked: str | None = None  # who said that somebody else made it
    stale: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data; times as text in UTC."""
        maker = None
        if self.maker:
            maker = {**asdict(self.maker), "began": told(self.maker.began), "ended": told(self.maker.ended)}
        found = self.found
        return {
            "path": found.path, "bytes": found.bytes, "sha256": found.sha256, "now": found.now or None,
            "product": found.product, "units": list(self.units), "made": maker, "marked": self.marked,
            "stale": self.stale, "definition": self.definition, "plan": dict(self.plan),
            "from": [source_to_json(source) for source in self.sources],
        }  # fmt: skip

    def to_text(self) -> str:
        """Return it as a person reads it, safe for a terminal."""
        return "\n".join([visible(self.found.path), *(f"  {visible(line)}" for line in self.lines())])

    def lines(self) -> Iterator[str]:
        """Yield a line for each thing that is known."""
        if self.found.now:
            yield f"now         {self.found.now}"
        if self.maker:
            yield from maker_lines(self.maker)
        elif self.marked:
            yield f"made        elsewhere, as was said {self.marked}"
        elif self.found.readers:
            yield f"belongs to  the definition of {', '.join(self.found.readers)}"
        else:
            yield f"found as    the input of {', '.join(self.units[:NAMED])}"
        if self.found.bytes is not None:
            digest = f", SHA-256 {self.found.sha256}" if self.found.sha256 else ""
            yield f"content     {show_bytes(self.found.bytes)}{digest}"
        if self.definition:
            yield f"definition  {self.definition.rpartition(':')[2][:16]}"
        for name, value in self.plan.items():
            yield f"{name:<10}  {show_part(value)}"
        if self.stale:
            yield f"stale       {self.stale}"
        for source in self.sources:
            yield source_line(source)


def find_origin(ledger: Ledger, text: str) -> Origin:
    """Say where a file comes from. Raises DefinitionError if the record does not know it.

    Example: `print(find_origin(ledger, "pictures/a.png").to_text())`.
    """
    facts, found = Facts(ledger), find_file(ledger, text)
    units = [facts.label(unit) for unit in found.units]
    if found.stage is None or found.stage not in facts.graph.ids:
        return Origin(found, units)
    stage, unit = found.stage, found.units[0]
    (task,) = facts.tasks(stage, [unit])
    attempts = facts.attempts(stage, [unit])
    made = next((row for row in reversed(attempts) if row["outcome"] == "ok"), None)
    frozen = facts.definition(stage, task["made"]) if task["made"] else None
    return Origin(
        found,
        units,
        maker_of(stage, units[0], made, attempts) if made and not task["marked"] else None,
        task["made"],
        described(frozen or {}),
        [*direct_sources(facts, stage, unit), *indirect_sources(facts, stage, unit)],
        f"by {task['by']}: {task['cause']}" if task["marked"] else None,
        task["stale"],
    )


def maker_of(stage: str, unit: str, made: sqlite3.Row, attempts: Sequence[sqlite3.Row]) -> Maker:
    """Return the attempt that made something, among all those of its task."""
    outcomes = [row["outcome"] for row in attempts]
    counts = {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}
    ran: Mapping[str, Any] = json.loads(made["software"]) if made["software"] else {}
    return Maker(
        stage, unit, made["began"], made["ended"], made["host"], made["site"], made["token"],
        ran.get("user"), versions_of(ran), counts,
    )  # fmt: skip


def direct_sources(facts: Facts, stage: str, unit: int) -> Iterator[Source]:
    """Yield what a task was made from."""
    for edge in facts.edges(stage):
        rows = facts.upstream_products(edge, [unit])
        if rows:
            level = facts.labels.level(facts.graph.stages[edge.up].level)
            yield timed(
                facts, edge.up, {row["unit"] for row in rows}, level, members(rows, facts), direct=True
            )
    yield from input_sources(facts, stage, [unit], direct=True)


def indirect_sources(facts: Facts, stage: str, unit: int) -> Iterator[Source]:
    """Yield what that was made from in turn, the nearest stage first."""
    near = {edge.up for edge in facts.edges(stage)}
    scope = behind(facts.db, facts.graph, {stage: {unit}})
    for name in (name for name in reversed([*facts.graph.stages]) if name in scope and name != stage):
        if name not in near:
            level = facts.labels.level(facts.graph.stages[name].level)
            rows = facts.products(name, scope[name])
            yield timed(facts, name, scope[name], level, members(rows, facts), direct=False)
        yield from input_sources(facts, name, scope[name], direct=False)


def timed(
    facts: Facts, stage: str, units: set[int], level: str, files: Sequence[Member], *, direct: bool
) -> Source:
    """Return products of a stage with when their tasks ran."""
    outcomes = facts.outcomes(stage, units)
    began = min((row["began"] for row in outcomes if row["began"] is not None), default=None)
    ended = max((row["ended"] for row in outcomes), default=None)
    return Source(stage, level, files, direct, len(units), began, ended)


def input_sources(
    facts: Facts, stage: str, units: Sequence[int] | set[int], *, direct: bool
) -> Iterator[Source]:
    """Yield the input files of tasks, level by level."""
    found = facts.input_files(stage, units)
    for level in sorted({each.level for each in found}):
        files = [each.member for each in found if each.level == level]
        yield Source(None, facts.labels.level(level), files, direct)


def maker_lines(maker: Maker) -> Iterator[str]:
    """Yield when, where and at which try it was made."""
    place = f" on {maker.host}" if maker.host else ""
    site = f" ({maker.site})" if maker.site else ""
    yield f"made by     {maker.stage} of {maker.unit}, {span(maker.began, maker.ended)}{place}{site}"
    if maker.user:
        yield f"by          {maker.user}"
    if maker.software:
        yield f"with        {'; '.join(starmap(show_version, maker.software.items()))}"
    if sum(maker.attempts.values()) > 1:
        tries = ", ".join(f"{n} {outcome}" for outcome, n in maker.attempts.items())
        yield f"attempts    {tries}"


def show_version(name: str, version: str) -> str:
    """Write a program with its version, in which its name may stand already.

    >>> show_version("sort", "sort (GNU coreutils) 9.1"), show_version("python", "3.11.7")
    ('sort (GNU coreutils) 9.1', 'python 3.11.7')
    """
    return version if name.lower() in version.lower() else f"{name} {version}"


def source_line(source: Source) -> str:
    """Write one line about what it was made from."""
    word = "from" if source.direct else "behind that"
    sizes = [member.bytes for member in source.files if member.bytes is not None]
    size = f", {show_bytes(sum(sizes))}" if sizes else ""
    names = ", ".join(member.path for member in source.files[:NAMED])
    more = " …" if len(source.files) > NAMED else ""
    if source.stage is None:
        return f"{word:<11} {count(len(source.files), 'input file')}{size}: {names}{more}"
    when = f", {span(source.began, source.ended)}" if source.ended is not None else ""
    products = count(len(source.files), "product")
    tasks = count(source.tasks, "task")
    return f"{word:<11} {products} of {source.stage} ({tasks}{when}){size}: {names}{more}"


def show_part(value: Scalar) -> str:
    """Write a part of a definition: of a table its entries, of a command its words."""
    if not (isinstance(value, str) and value[:1] in "[{"):
        return str(value)
    return show_data(json.loads(value))


def show_data(data: Any) -> str:
    """Write plain data on one line."""
    if isinstance(data, dict):
        entries = cast("dict[str, Any]", data).items()
        return ", ".join(f"{name} = {json.dumps(entry, ensure_ascii=False)}" for name, entry in entries)
    return show(data)


def span(began: float | None, ended: float | None) -> str:
    """Write from when to when, in UTC."""
    moments = [datetime.fromtimestamp(at, UTC) for at in (began, ended) if at is not None]
    first, last = moments[0], moments[-1]
    until = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {until} UTC"


def told(seconds: float | None) -> str | None:
    """Return a time for programs."""
    return None if seconds is None else timestamp(seconds)


def source_to_json(source: Source) -> dict[str, Any]:
    """Return one source as plain data."""
    files = [{"path": m.path, "unit": m.unit, "bytes": m.bytes, "sha256": m.sha256} for m in source.files]
    return {
        "stage": source.stage, "level": source.level, "direct": source.direct, "tasks": source.tasks,
        "began": told(source.began), "ended": told(source.ended), "files": files,
    }  # fmt: skip
