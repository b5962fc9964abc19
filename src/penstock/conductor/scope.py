"""Which tasks a run submits: all of them, or those that were requested and what these need."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from penstock.graph import Graph
from penstock.ledger import Ledger
from penstock.ledger.inputs import members_of
from penstock.ledger.readiness import chunks

WANTED = "CREATE TABLE IF NOT EXISTS temp.wanted (stage INTEGER, unit INTEGER, PRIMARY KEY (stage, unit)) WITHOUT ROWID"


class Only(NamedTuple):
    """What was requested: the tasks of one stage, those of the units that `find` names, or those of both."""

    stage: str | None = None
    find: Callable[[Ledger], Iterable[int]] | None = None


class Scope:
    """The tasks that may be submitted; `where` is the SQL condition for rows of `task` that holds for them."""

    def __init__(self) -> None:
        self.only: Only | None = None
        self.stages: frozenset[str] | None = None  # None: all
        self.where = "true"
        self.newest = -1

    def limit(self, only: Only | None) -> None:
        """Submit only what was requested, from the next `refresh` on."""
        self.only, self.newest = only, -1

    def refresh(self, ledger: Ledger, graph: Graph) -> None:
        """Find what was requested among the units that are known now."""
        newest = int(ledger.db.execute("SELECT max(id) FROM unit").fetchone()[0])
        if self.only is None or newest == self.newest:
            return
        self.newest = newest
        asked = [self.only.stage] if self.only.stage else [*graph.stages]
        self.stages = frozenset(with_upstreams(graph, asked))
        if self.only.find:
            self.where = "(stage, unit) IN (SELECT stage, unit FROM temp.wanted)"
            wanted = find_wanted(ledger, graph, asked, self.only.find(ledger))
            self.stages = frozenset(name for name, units in wanted.items() if units)
            note_wanted(ledger, graph, wanted)

    def has(self, stage: str) -> bool:
        """Whether tasks of a stage may be submitted."""
        return self.stages is None or stage in self.stages

    def among(self, ledger: Ledger, graph: Graph, stage: str, units: Sequence[int]) -> list[int]:
        """Return those of a stage's units whose tasks may be submitted."""
        if not self.has(stage):
            return []
        sql = f"SELECT unit FROM task WHERE stage = ? AND unit IN (SELECT value FROM json_each(?)) AND {self.where}"
        if self.where == "true":
            return list(units)
        return [row[0] for row in ledger.db.execute(sql, (graph.ids[stage], json.dumps(list(units))))]

    def condition(self, graph: Graph) -> str:
        """Return the SQL condition that also leaves out the stages that have no part in it."""
        if self.stages is None:
            return "true"
        ids = ", ".join(str(graph.ids[name]) for name in sorted(self.stages))
        return f"stage IN ({ids}) AND {self.where}"

    def count(self, ledger: Ledger, graph: Graph) -> dict[str, int]:
        """Count the tasks by state."""
        sql = f"SELECT state, count(*) FROM task WHERE {self.condition(graph)} GROUP BY state"
        return dict(ledger.db.execute(sql).fetchall())

    def is_open(self, ledger: Ledger, graph: Graph) -> bool:
        """Whether one of the tasks is active, or may be submitted."""
        if self.stages is None or self.where == "true":
            names = graph.ids if self.stages is None else self.stages
            ids = ", ".join(str(graph.ids[name]) for name in names)
            sql = (
                f"SELECT 1 FROM tally y JOIN stage s ON s.id = y.stage WHERE y.unit = 1 AND y.n > 0 AND s.id IN ({ids})"
                " AND (y.state IN ('queued', 'running') OR (y.state = 'ready' AND s.paused IS NULL)) LIMIT 1"
            )
        else:
            sql = (
                "SELECT 1 FROM temp.wanted w CROSS JOIN task t ON t.stage = w.stage AND t.unit = w.unit"
                " JOIN stage s ON s.id = t.stage WHERE t.state IN ('queued', 'running')"
                " OR (t.state = 'ready' AND s.paused IS NULL) LIMIT 1"
            )
        return ledger.db.execute(sql).fetchone() is not None


def with_upstreams(graph: Graph, stages: Sequence[str]) -> set[str]:
    """Return stages with all that they need."""
    found = set(stages)
    for stage in reversed([*graph.stages]):
        if stage in found:
            found.update(edge.up for edge in graph.upstreams[stage])
    return found


def find_wanted(
    ledger: Ledger, graph: Graph, stages: Sequence[str], units: Iterable[int]
) -> Mapping[str, set[int]]:
    """Return the units, by stage, that the requested tasks of these stages and units need."""
    asked, wanted = set(units), defaultdict[str, set[int]](set)
    for name in stages:
        sql = "SELECT t.unit FROM json_each(?) j CROSS JOIN task t ON t.stage = ? AND t.unit = j.value"
        for piece in chunks(asked):
            rows = ledger.db.execute(sql, (json.dumps(piece), graph.ids[name]))
            wanted[name].update(row[0] for row in rows)
    for name in reversed([*graph.stages]):
        for edge in graph.upstreams[name]:
            for piece in chunks(set(wanted[name])):
                wanted[edge.up] |= members_of(ledger.db, graph, edge, piece)
    return wanted


def note_wanted(ledger: Ledger, graph: Graph, wanted: Mapping[str, set[int]]) -> None:
    """Store them in a table that queries of this connection see."""
    ledger.db.execute(WANTED)
    ledger.db.execute("DELETE FROM temp.wanted")
    sql = "INSERT INTO temp.wanted SELECT ?, value FROM json_each(?)"
    for name, units in wanted.items():
        ledger.db.execute(sql, (graph.ids[name], json.dumps(list(units))))
