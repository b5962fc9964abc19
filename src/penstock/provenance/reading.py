"""Facts from the record: attempts, products, input files, definitions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from penstock.display import Labels
from penstock.explain import find_stage
from penstock.graph import Edge
from penstock.ledger import Ledger
from penstock.ledger.contents import contents_of
from penstock.ledger.inputs import is_read, members_of
from penstock.ledger.stored import stored_campaign, stored_graph
from penstock.ledger.unitfiles import marked_files, seen_in, sources_by_level
from penstock.ledger.units import Values, parse, rows_of
from penstock.ledger.uses import Uses
from penstock.provenance.model import Member

ATTEMPTS = (
    "SELECT a.*, j.token, j.site, iif(j.feed, NULL, j.native) AS native,"
    " (SELECT l.software FROM life l WHERE l.job = a.job AND l.host IS a.host AND l.software IS NOT NULL"
    " ORDER BY l.element, l.life LIMIT 1) AS software FROM json_each(?1) u"
    " CROSS JOIN attempt a ON a.stage = ?2 AND a.unit = u.value LEFT JOIN job j ON j.id = a.job"
    " WHERE NOT a.late ORDER BY a.id"
)
OUTCOMES = (
    "SELECT a.outcome, count(*) AS n, min(a.began) AS began, max(a.ended) AS ended, sum(a.wall_s) AS wall_s,"
    " sum(a.cpu_s) AS cpu_s, max(a.rss) AS rss FROM json_each(?1) u CROSS JOIN attempt a ON a.stage = ?2"
    " AND a.unit = u.value WHERE NOT a.late GROUP BY a.outcome ORDER BY a.outcome"
)
SOFTWARE = (
    "SELECT DISTINCT l.software FROM (SELECT DISTINCT a.job FROM json_each(?1) u CROSS JOIN attempt a ON a.stage = ?2"
    " AND a.unit = u.value WHERE NOT a.late) j CROSS JOIN life l ON l.job = j.job WHERE l.software IS NOT NULL"
)
PRODUCTS = (
    "SELECT p.* FROM json_each(?1) u CROSS JOIN task t ON t.stage = ?2 AND t.unit = u.value AND t.state = 'done'"
    " CROSS JOIN product p ON p.stage = t.stage AND p.unit = t.unit AND p.digest IS NOT NULL{which} ORDER BY p.path"
)
TASKS = (
    "SELECT t.*, c.by, c.why AS cause FROM json_each(?1) u CROSS JOIN task t ON t.stage = ?2 AND t.unit = u.value"
    " LEFT JOIN cause c ON c.id = t.marked"
)


class InputFile(NamedTuple):
    """A file of a unit, and since when the unit is as it is now."""

    level: int
    member: Member
    since: float | None


class Facts:
    """What the record says of the tasks of a campaign; nothing is written."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.db = ledger, ledger.db
        self.campaign, self.graph = stored_campaign(ledger), stored_graph(ledger)
        self.labels = Labels.read(self.db)
        self.values = Values(self.db, self.campaign)
        self.sources = sources_by_level(self.campaign)
        self._names: dict[int, str] = {}

    def check_stages(self, names: Iterable[str]) -> None:
        """Raise DefinitionError, with the nearest names, if there is no such stage."""
        for name in names:
            find_stage(self.db, name)

    def label(self, unit: int) -> str:
        """Return how a unit is called."""
        if unit not in self._names:
            key = self.db.execute("SELECT key FROM unit WHERE id = ?", (unit,)).fetchone()[0]
            self._names[unit] = self.labels.label(key)
        return self._names[unit]

    def level(self, unit: int) -> int:
        """Return the level of a unit; 0 is the campaign."""
        return int(self.db.execute("SELECT level FROM unit WHERE id = ?", (unit,)).fetchone()[0])

    def attempts(self, stage: str, units: Iterable[int]) -> list[sqlite3.Row]:
        """Return the attempts of tasks, in the order in which they ended."""
        return self._ask(ATTEMPTS, stage, units)

    def outcomes(self, stage: str, units: Iterable[int]) -> list[sqlite3.Row]:
        """Return how many attempts of tasks ended in which way, and what they took together."""
        return self._ask(OUTCOMES, stage, units)

    def software(self, stage: str, units: Iterable[int]) -> list[Mapping[str, Any]]:
        """Return what tasks ran with, each once."""
        return [json.loads(row["software"]) for row in self._ask(SOFTWARE, stage, units)]

    def tasks(self, stage: str, units: Iterable[int]) -> list[sqlite3.Row]:
        """Return tasks, with who marked them and why where somebody did."""
        return self._ask(TASKS, stage, units)

    def products(self, stage: str, units: Iterable[int], edge: Edge | None = None) -> list[sqlite3.Row]:
        """Return what done tasks made; along an edge, those products that are inputs."""
        which = f" AND {is_read(edge)}" if edge else ""
        return self._ask(PRODUCTS.format(which=which), stage, units)

    def _ask(self, sql: str, stage: str, units: Iterable[int]) -> list[sqlite3.Row]:
        return self.db.execute(sql, (json.dumps(sorted(units)), self.graph.ids[stage])).fetchall()

    def edges(self, stage: str) -> Iterator[Edge]:
        """Yield what a stage takes its inputs along."""
        return (edge for edge in self.graph.upstreams[stage] if not edge.expander)

    def upstream_products(self, edge: Edge, units: Iterable[int]) -> list[sqlite3.Row]:
        """Return the products that tasks for these units have as inputs along an edge."""
        return self.products(edge.up, members_of(self.db, self.graph, edge, units), edge)

    def input_files(self, stage: str, units: Iterable[int]) -> list[InputFile]:
        """Return the files of their units and of the groups above these that tasks use, each once."""
        uses = Uses(self.graph, stage)
        if uses.nothing:
            return []
        rows = {row["id"]: row for row in rows_of(self.db, units)}
        above = {row[f"g{level}"] for row in rows.values() for level in range(1, row["level"])}
        rows |= {row["id"]: row for row in rows_of(self.db, above - rows.keys())}
        read = (row for row in rows.values() if row["level"] and has_files(uses, row))
        found = {each.member.path: each for row in read for each in self.files(row)}
        return [found[path] for path in sorted(found)]

    def files(self, row: sqlite3.Row) -> Iterator[InputFile]:
        """Yield the files of one unit, as they were when it was last found changed."""
        found = {path: seen_in(mark) for path, mark in marked_files(row, self.sources, self.values)}
        contents = contents_of(self.db, {path: seen for path, seen in found.items() if seen})
        for path, seen in found.items():
            size, mark = (seen[0], f"{seen[0]}:{seen[1]}") if seen else (None, "")
            member = Member(self.values.label(row), path, size, contents.get(path), mark)
            yield InputFile(row["level"], member, row["at"])

    def definition(self, stage: str, digest: str | None) -> Mapping[str, Any] | None:
        """Return the frozen copy of a stage that has this digest; None if no definition of the record has it."""
        sql = (
            "SELECT s.value FROM definition d, json_each(d.text, '$.stages') s WHERE json_extract(s.value, '$.name') = ?"
            " AND json_extract(s.value, '$.digest') = ? ORDER BY d.id DESC LIMIT 1"
        )
        row = self.db.execute(sql, (stage, digest)).fetchone()
        return json.loads(row[0]) if row else None

    def digests(self, stage: str) -> list[str]:
        """Return the digests that a stage ever had, by the definitions of the record."""
        sql = (
            "SELECT DISTINCT json_extract(s.value, '$.digest') FROM definition d, json_each(d.text, '$.stages') s"
            " WHERE json_extract(s.value, '$.name') = ? ORDER BY 1"
        )
        return [row[0] for row in self.db.execute(sql, (stage,)) if row[0]]


def has_files(uses: Uses, row: sqlite3.Row) -> bool:
    """Whether the files of a unit are inputs of a stage's tasks."""
    return uses.has_files(row["level"], uses.of_fields(parse(row["fields"])))


def members(rows: Sequence[sqlite3.Row], facts: Facts) -> list[Member]:
    """Return products as members of a collection."""
    return [Member(facts.label(row["unit"]), row["path"], row["bytes"], row["digest"]) for row in rows]
