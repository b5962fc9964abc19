"""How long the units of each stage took: read from the ledger once, then from each new result."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from penstock.conductor.batching import Usage
from penstock.graph import Graph
from penstock.ledger import Ledger

KEPT = 200


class Durations:
    """Wall times of the last successful units, by stage."""

    def __init__(self, ledger: Ledger, graph: Graph) -> None:
        self.ledger, self.graph = ledger, graph
        self.walls_s: dict[str, deque[float]] = {}

    def of(self, stage: str) -> deque[float]:
        """Return the wall times of a stage, read from the ledger on first use."""
        if stage not in self.walls_s:
            self.walls_s[stage] = deque(recent_walls(self.ledger, self.graph.ids[stage]), KEPT)
        return self.walls_s[stage]

    def note(self, walls_s: Mapping[str, Sequence[float]]) -> None:
        """Add the wall times of units that just ended; those of other stages are in the ledger already."""
        for stage in walls_s.keys() & self.walls_s.keys():
            self.walls_s[stage].extend(walls_s[stage])

    def usage(self, stage: str) -> Usage:
        """Return what is known of a stage."""
        return Usage(self.of(stage))

    def succeeded(self, stage: str) -> bool:
        """Whether a unit of the stage ever succeeded."""
        return bool(self.of(stage))


def recent_walls(ledger: Ledger, stage_id: int) -> list[float]:
    """Return the wall times of the last successful units of a stage, oldest first."""
    rows = ledger.db.execute(
        "SELECT wall_s FROM attempt WHERE stage = ? AND outcome = 'ok' ORDER BY id DESC LIMIT ?",
        (stage_id, KEPT),
    )
    return [row[0] or 0.0 for row in rows][::-1]
