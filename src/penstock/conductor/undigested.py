"""Which input files runners are asked to digest: those that the record does not know yet, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.conductor.context import Context
from penstock.ledger.contents import InputFiles, contents_of
from penstock.ledger.unitfiles import Seen
from penstock.rendering import Line, View

MOST = 1000  # files that one task digests
KEPT = 100_000  # files of which it is kept that they were asked for
AGAIN_S = 3600.0  # after which they are asked for again: their task may have failed


class Undigested:
    """Asks for the digests of input files in the lines of tasks."""

    def __init__(self, context: Context, view: View) -> None:
        self.db, self.clock, self.root, self.view = (
            context.ledger.db,
            context.clock,
            context.campaign.root,
            view,
        )
        self.wanted, self.inputs = (
            context.campaign.provenance.inputs,
            InputFiles(context.graph, context.values),
        )
        self.asked = dict[tuple[str, Seen], float]()

    def ask(self, stage: str, lines: Mapping[int, Line]) -> None:
        """Let tasks digest those files that they use, no other task was asked for, and the record does not know."""
        if not self.wanted:
            return
        now, first = self.clock.monotonic(), dict[tuple[str, Seen], int]()
        for file in self.inputs.of(stage, lines):
            if now >= self.asked.get((file.path, file.seen), now):
                first.setdefault((file.path, file.seen), file.unit)
        known = contents_of(self.db, dict(first.keys())) if first else {}
        if len(self.asked) > KEPT:
            self.asked.clear()
        for (path, seen), unit in first.items():
            place = self.place_of(path)
            listed: list[Any] = lines[unit].data.setdefault("undigested", [])
            if place is not None and path not in known and len(listed) < MOST:
                listed.append(path if place == path else [path, place])
                self.asked[path, seen] = now + AGAIN_S

    def place_of(self, path: str) -> str | None:
        """Return where a runner finds a file; None where it has a copy, whose digest is known."""
        return self.view.shared(self.root / path) if self.view.travels else path
