"""Inputs that changed since they were found: what was made from them is marked before it counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping

from penstock.conductor.context import Context
from penstock.ledger.unitfiles import files_of, sources_by_level
from penstock.ledger.units import parse, rows_of
from penstock.ledger.uses import Uses
from penstock.sources.fingerprints import MISSING, fingerprint_of


class Rewritten:
    """Looks at the files that tasks were made from, as soon as these have ended."""

    def __init__(self, context: Context) -> None:
        self.context, self.db, self.root = context, context.ledger.db, context.campaign.root
        graph = context.graph
        asked = [name for name, stage in graph.stages.items() if stage.changed != "ignore"]
        self.uses = {name: uses for name in asked if not (uses := Uses(graph, name)).nothing}
        self.sources = sources_by_level(context.campaign)

    def among(self, ended: Mapping[str, Collection[int]]) -> dict[str, set[int]]:
        """Return, by stage, the units of which a file that counts is another one than when it was found."""
        known: dict[int, bool] = {}
        return {
            stage: set(self.of_stage(stage, units, known))
            for stage, units in ended.items()
            if stage in self.uses
        }

    def of_stage(self, stage: str, units: Collection[int], known: dict[int, bool]) -> Iterator[int]:
        """Yield those units; `known` says it of files that were looked at."""
        uses, rows = self.uses[stage], list(rows_of(self.db, units))
        groups = {row[f"g{level}"] for row in rows for level in self.sources if level < row["level"]}
        above = {row["id"]: row for row in rows_of(self.db, groups)}
        for row in rows:
            for one in (row, *(above[row[f"g{level}"]] for level in self.sources if level < row["level"])):
                if one["id"] not in known:
                    known[one["id"]] = self.differs(one)
                if known[one["id"]] and uses.has_files(one["level"], uses.of_fields(parse(one["fields"]))):
                    yield row["id"]
                    break

    def differs(self, row: sqlite3.Row) -> bool:
        """Whether the files of a unit are there and are others than those that were found."""
        if not row["fingerprint"]:
            return False
        now = fingerprint_of(self.root, files_of(row, self.sources, self.context.values))
        return now != row["fingerprint"] and MISSING not in now
