"""What input files hold, by the digests that they had with a size and a time, and which of them tasks use."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from penstock.graph import Graph
from penstock.ledger.unitfiles import Seen, marked_files, seen_in, sources_by_level
from penstock.ledger.units import Values, parse, rows_of
from penstock.ledger.uses import Uses

Content = tuple[str, int, int, str]
"""Path, bytes, time in ns and digest of a file."""


class InputFile(NamedTuple):
    """A file that the task of a unit uses, as it was when it was found."""

    unit: int
    path: str
    seen: Seen


class InputFiles:
    """The files of their units, and of the groups above these, that tasks use."""

    def __init__(self, graph: Graph, values: Values) -> None:
        self.db, self.values, self.sources = values.db, values, sources_by_level(values.campaign)
        self.uses = {name: uses for name in graph.stages if not (uses := Uses(graph, name)).nothing}

    def of(self, stage: str, units: Iterable[int]) -> Iterator[InputFile]:
        """Yield the files that tasks of a stage use; those whose size and time are not known are left out."""
        uses = self.uses.get(stage)
        if uses is None or not any(level <= uses.level for level in self.sources):
            return
        rows = list(rows_of(self.db, units))
        above = {row[f"g{level}"] for row in rows for level in self.sources if level < row["level"]}
        groups = {row["id"]: self.files(uses, row) for row in (rows_of(self.db, above) if above else ())}
        for row in rows:
            unit, files = row["id"], self.files(uses, row)
            for level in self.sources if above else ():
                files = files + groups[row[f"g{level}"]] if level < row["level"] else files
            for path, seen in files:
                yield InputFile(unit, path, seen)

    def note(self, stage: str, told: Mapping[int, Iterable[Content]]) -> None:
        """Keep the digests that tasks told of input files, by unit; only of those that they use, as these were found."""
        if told:
            own = set(self.of(stage, told))
            rows = [(unit, row) for unit, contents in told.items() for row in contents]
            note_contents(self.db, [row for unit, row in rows if (unit, row[0], row[1:3]) in own])

    def files(self, uses: Uses, row: sqlite3.Row) -> list[tuple[str, Seen]]:
        """Return the files of one unit or group with their sizes and times, if tasks use them."""
        if not row["fingerprint"] or not uses.has_files(row["level"], uses.of_fields(parse(row["fields"]))):
            return []
        marked = marked_files(row, self.sources, self.values)
        return [(path, seen) for path, mark in marked if (seen := seen_in(mark))]


def contents_of(db: sqlite3.Connection, seen: Mapping[str, Seen]) -> dict[str, str]:
    """Return the digests of files that are still as they were digested, by path; `seen`: their bytes and times now."""
    sql = "SELECT c.path, c.bytes, c.mtime_ns, c.digest FROM json_each(?) j CROSS JOIN content c ON c.path = j.value"
    rows = db.execute(sql, (json.dumps([*seen]),))
    return {path: digest for path, size, mtime_ns, digest in rows if seen[path] == (size, mtime_ns)}


def forget_contents(db: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Let files be digested anew."""
    db.executemany("DELETE FROM content WHERE path = ?", [(path,) for path in paths])


def note_contents(db: sqlite3.Connection, rows: Iterable[Content]) -> None:
    """Keep the digests of files."""
    db.executemany("INSERT OR REPLACE INTO content (path, bytes, mtime_ns, digest) VALUES (?, ?, ?, ?)", rows)
