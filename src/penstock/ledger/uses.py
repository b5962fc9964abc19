"""What tasks use of their unit and of the groups above it: values of fields, and files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from penstock.graph import Graph
from penstock.ledger.units import Change, how_changed, parse, rows_of

NONE = frozenset[str]()

write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


class Uses:
    """What the tasks of one stage use.

    The files of a level count as soon as anything of it is named, even as part of a path; those of the stage's own
    level also where no other stage precedes it.
    """

    def __init__(self, graph: Graph, stage: str) -> None:
        definition = graph.stages[stage]
        self.levels, self.level = graph.levels, definition.level
        self.read = None if definition.uses is None else frozenset(definition.uses)
        self.names = None if self.read is None else self.read.union(definition.places)
        self.fed = any(e.kind in ("same", "finer") and not e.expander for e in graph.upstreams[stage])

    @property
    def nothing(self) -> bool:
        """Whether units are the same to it as long as they have a task."""
        return self.level == 0 or (self.fed and self.names == NONE)

    def has_field(self, name: str) -> bool:
        """Whether a field of that name counts, at whatever level it stands."""
        return self.names is None or name in self.names

    def of_fields(self, fields: Mapping[str, Any], hidden: Collection[str] = ()) -> dict[str, Any]:
        """Return the fields that are used, but for those that finer levels hide."""
        names = self.names
        if names is None and not hidden:
            return dict(fields)
        return {n: v for n, v in fields.items() if (names is None or n in names) and n not in hidden}

    def has_files(self, level: int, fields: Collection[str]) -> bool:
        """Whether the files of a level count, which has these fields."""
        if self.read is None or not self.read.isdisjoint((*fields, self.levels[level - 1])):
            return True
        return level == self.level and not self.fed

    def tell(self, level: int, change: Change) -> str | None:
        """Describe what changed of all that is used of a unit; None if that is nothing."""
        if not 0 < level <= self.level:
            return None
        whose = "its" if level == self.level else f"its {self.levels[level - 1]}'s"
        if change.files and self.has_files(level, change.new):
            return f"{whose} input {how_changed(*change.files)}"
        names = [name for name in change.names if self.has_field(name)]
        more = f", and {len(names) - 1} more" if len(names) > 1 else ""
        return f"{whose} {change.tell(names[0])}{more}" if names else None


def made_from(db: sqlite3.Connection, uses: Uses, units: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Yield (unit, all that its task uses of it and of its groups) where that is anything."""
    above = Groups(db, uses)
    for row in () if uses.nothing else rows_of(db, units):
        if text := above.text(row, NONE):
            yield row["id"], text


class Groups:
    """Writes what is used of units; that of groups is kept, since neighbours share it."""

    def __init__(self, db: sqlite3.Connection, uses: Uses) -> None:
        self.db, self.uses = db, uses
        self.known: dict[tuple[int, frozenset[str]], str] = {}

    def text(self, row: sqlite3.Row, hidden: frozenset[str]) -> str:
        """Write what is used of a unit and of the groups above it."""
        level = row["level"]
        used = self.uses.of_fields(parse(row["fields"]), hidden)
        files = (row["fingerprint"] or "") if self.uses.has_files(level, used) else ""
        own = f"{level}:{files}{write(used)}" if files or used else ""
        return own if level == 1 else own + self.above(row[f"g{level - 1}"], hidden.union(used))

    def above(self, group: int, hidden: frozenset[str]) -> str:
        """Write what is used of a group."""
        text = self.known.get((group, hidden))
        if text is None:
            row = self.db.execute("SELECT * FROM unit WHERE id = ?", (group,)).fetchone()
            text = self.known[group, hidden] = self.text(row, hidden)
        return text
