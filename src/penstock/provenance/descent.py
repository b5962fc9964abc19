"""What was made from one file: all products that depend on it, by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.display import count, visible
from penstock.graph import Edge
from penstock.ledger import Ledger
from penstock.ledger.readers import dependents
from penstock.ledger.uses import Uses
from penstock.provenance.files import Found, find_file
from penstock.provenance.reading import Facts
from penstock.provenance.scope import Tasks, ahead, done

NAMED = 3


@dataclass(frozen=True, slots=True)
class Made:
    """What one stage made from it: units and paths of products."""

    stage: str
    units: Sequence[str]
    paths: Sequence[str]
    stale: int  # tasks of which something changed since
    direct: bool


@dataclass(frozen=True, slots=True)
class Descent:
    """The answer to `penstock provenance uses FILE`."""

    found: Found
    made: Sequence[Made]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        stages = [
            {"stage": m.stage, "direct": m.direct, "units": list(m.units), "paths": list(m.paths), "stale": m.stale}
            for m in self.made
        ]  # fmt: skip
        return {"path": self.found.path, "stage": self.found.stage, "uses": stages}

    def to_text(self) -> str:
        """Return it as a person reads it, safe for a terminal."""
        lines = [made_line(made) for made in self.made] or ["nothing was made from it"]
        return "\n".join([visible(self.found.path), *(f"  {visible(line)}" for line in lines)])


def find_descent(ledger: Ledger, text: str) -> Descent:
    """Say what was made from a file. Raises DefinitionError if the record does not know it."""
    facts, found = Facts(ledger), find_file(ledger, text)
    first = readers(facts, found)
    scope = {name: set(units) for name, units in first.items()}
    for name, units in ahead(facts.db, facts.graph, first).items():
        scope.setdefault(name, set()).update(units)
    order = [name for name in facts.graph.stages if name in scope]
    return Descent(found, [made_by(facts, name, scope[name], name in first) for name in order])


def readers(facts: Facts, found: Found) -> Tasks:
    """Return the tasks that have a file itself as an input."""
    if found.stage is not None:
        edges = [
            edge for edge in facts.graph.downstreams.get(found.stage, ()) if is_taken(edge, found.product)
        ]
        return kept(facts, {e.down: dependents(facts.db, facts.graph, e, set(found.units)) for e in edges})
    if found.readers:
        return kept(facts, {name: every_unit(facts, name) for name in found.readers})
    level = facts.level(found.units[0])
    return kept(facts, {name: set(below(facts, name, level, found)) for name in facts.graph.stages})


def is_taken(edge: Edge, product: str | None) -> bool:
    """Whether a product is an input along an edge."""
    names = edge.after.products if edge.after else ()
    return not edge.expander and (not names or product in names)


def below(facts: Facts, stage: str, level: int, found: Found) -> Iterator[int]:
    """Yield the units of a stage that have a file of one of these units, or of a group of theirs, as an input."""
    own = facts.graph.stages[stage].level
    if own < level or Uses(facts.graph, stage).nothing:
        return
    for unit in found.units:
        sql = f"SELECT id FROM unit WHERE level = {own} AND g{level} = {unit}"
        units = [row[0] for row in facts.db.execute(sql)]
        if units and any(each.member.path == found.path for each in facts.input_files(stage, units[:1])):
            yield from units


def every_unit(facts: Facts, stage: str) -> set[int]:
    """Return all units of a stage's level."""
    level = facts.graph.stages[stage].level
    return {row[0] for row in facts.db.execute("SELECT id FROM unit WHERE level = ?", (level,))}


def kept(facts: Facts, tasks: Tasks) -> Tasks:
    """Return the tasks that are done."""
    found = {name: done(facts.db, facts.graph.ids[name], units) for name, units in tasks.items()}
    return {name: units for name, units in found.items() if units}


def made_by(facts: Facts, stage: str, units: set[int], direct: bool) -> Made:
    """Return what tasks of a stage made."""
    rows = facts.tasks(stage, units)
    paths = [row["path"] for row in facts.products(stage, units)]
    names = [facts.label(row["unit"]) for row in rows]
    return Made(stage, names, paths, sum(1 for row in rows if row["stale"]), direct)


def made_line(made: Made) -> str:
    """Write one line about a stage."""
    names = ", ".join(made.paths[:NAMED]) + (" …" if len(made.paths) > NAMED else "")
    stale = f", {made.stale} stale" if made.stale else ""
    way = "" if made.direct else ", through others"
    shown = f": {names}" if names else ""
    return f"{made.stage}, {count(len(made.units), 'task')}{stale}{way}, {count(len(made.paths), 'product')}{shown}"
