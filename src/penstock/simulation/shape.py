"""What is pretended of a cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass

from penstock.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Shape:
    """A cluster as a campaign meets it: its nodes, how long it lets jobs wait, and its limits.

    Half of the elements wait less than `queue_s` seconds, besides what they wait for a free node; `spread` is the standard
    deviation of the logarithm of that time. `most_submitted`: elements that one user may have there; None: any number.
    """

    nodes: int = 4
    cores: int = 16
    queue_s: float = 60.0
    spread: float = 0.5
    array_size: int = 1000
    most_submitted: int | None = None

    def node_names(self) -> list[str]:
        """Return the names of its nodes."""
        return [f"n{number}" for number in range(1, self.nodes + 1)]

    def wait_s(self, normal: float) -> float:
        """Return how long an element waits, in seconds, for a number drawn from the standard normal distribution."""
        return self.queue_s * math.exp(self.spread * normal)

    def check(self, stage: str, cores: int) -> None:
        """Raise DefinitionError if no node is large enough for a worker of a stage."""
        if cores > self.cores:
            raise DefinitionError(
                f"stage '{stage}' needs {cores} cores on one node, and the pretended ones have {self.cores}: give --cores {cores}"
            )
