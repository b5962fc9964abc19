"""What is pretended of a cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from penstock.display import show_duration
from penstock.errors import DefinitionError
from penstock.simulation.waits import Waits

QUEUE_S, START_S = 60.0, 1.0  # where neither a person nor a record tells them


@dataclass(frozen=True, slots=True)
class Shape:
    """A cluster as a campaign meets it: its nodes, how long it lets jobs wait, and its limits.

    Half of the elements wait less than `queue_s` seconds, besides what they wait for a free node; `spread` is the standard
    deviation of the logarithm of that time. Each keeps its cores for `start_s` seconds before its first task begins. None of
    these two: as the record has it. `most_submitted`: elements that one user may have there; None: any number.
    """

    nodes: int = 4
    cores: int = 16
    queue_s: float | None = None
    spread: float = 0.5
    array_size: int = 1000
    most_submitted: int | None = None
    start_s: float | None = None

    def completed(self, known: Waits) -> Shape:
        """Return it with the times that were not given as they are known, or else are usual."""
        queue_s, start_s = (
            next(time_s for time_s in times_s if time_s is not None)
            for times_s in (
                (self.queue_s, known.queue_s, QUEUE_S),
                (self.start_s, known.start_s, START_S),
            )
        )
        return replace(self, queue_s=queue_s, start_s=start_s)

    def __str__(self) -> str:
        waits = f"half of them wait less than {show_duration(self.queue_s)}" if self.queue_s else "none waits"
        return f"{waits}, and each needs {self.start_s or 0.0:.2g} s to start"

    def node_names(self) -> list[str]:
        """Return the names of its nodes."""
        return [f"n{number}" for number in range(1, self.nodes + 1)]

    def wait_s(self, normal: float) -> float:
        """Return how long an element waits, in seconds, for a number drawn from the standard normal distribution."""
        assert self.queue_s is not None, "completed"
        return self.queue_s * math.exp(self.spread * normal)

    def check(self, stage: str, cores: int) -> None:
        """Raise DefinitionError if no node is large enough for a worker of a stage."""
        if cores > self.cores:
            raise DefinitionError(
                f"stage '{stage}' needs {cores} cores on one node, and the pretended ones have {self.cores}: give --cores {cores}"
            )
