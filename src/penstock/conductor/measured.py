"""What the units of each stage took: learned from the ledger once, then from each piece of news."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from penstock.batching import Usage
from penstock.graph import Graph
from penstock.ledger import Ledger

KEPT = 200


class Measured:
    """Wall times of the last units that ended well, by stage."""

    def __init__(self, ledger: Ledger, graph: Graph) -> None:
        self.walls_s = {name: deque(recent_walls(ledger, number), KEPT) for name, number in graph.ids.items()}

    def note(self, walls_s: Mapping[str, Sequence[float]]) -> None:
        """Take in the wall times of units that just ended."""
        for stage, times in walls_s.items():
            self.walls_s[stage].extend(times)

    def usage(self, stage: str) -> Usage:
        """Return what is known of a stage."""
        return Usage(self.walls_s[stage])

    def succeeded(self, stage: str) -> bool:
        """Whether a unit of the stage ever ended well."""
        return bool(self.walls_s[stage])


def recent_walls(ledger: Ledger, stage_id: int) -> list[float]:
    """Return the wall times of the last units of a stage that ended well, oldest first."""
    rows = ledger.db.execute(
        "SELECT wall_s FROM attempt WHERE stage = ? AND outcome = 'ok' ORDER BY id DESC LIMIT ?",
        (stage_id, KEPT),
    )
    return [row[0] or 0.0 for row in rows][::-1]
