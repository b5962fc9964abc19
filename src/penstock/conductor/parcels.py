"""What goes together in one array, and how much of its time a job has for work. Pure."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.batching import Usage
from penstock.campaign import Resources

START_S, LEAVE_S = 60.0, 30.0  # of a job's time for what comes before the runner, and for leaving in order


@dataclass(frozen=True, slots=True)
class Array:
    """Batches that are alike in what they need, one an element."""

    batches: Sequence[Sequence[int]]
    time_scale: float = 1.0
    memory_scale: float = 1.0

    @property
    def largest(self) -> int:
        """The size of its largest batch."""
        return max(map(len, self.batches))


@dataclass(frozen=True, slots=True)
class Needs:
    """What the tasks of a stage, with those that follow each in the same worker, need together."""

    stages: Sequence[str]
    resources: Resources
    usage: Usage


def kind_of(row: Mapping[str, Any] | sqlite3.Row) -> tuple[bool, float, float]:
    """Return what tasks must have in common to go together."""
    return bool(row["alone"]), row["time_scale"], row["memory_scale"]


def cut(units: Sequence[int], size: int) -> list[Sequence[int]]:
    """Cut units into batches."""
    return [units[start : start + size] for start in range(0, len(units), size)]


def at_most(amount: Any, most: Any) -> Any:
    """Return an amount, but no more than is allowed, if anything is."""
    return amount if most is None else min(amount, most)


def time_inside(walltime_s: float) -> float:
    """Return how much of a job's time its runner counts on: less what it takes to get there."""
    return walltime_s - min(START_S, walltime_s / 5)


def longest_task(walltime_s: float) -> float:
    """Return for how long a task may run so that a runner which counts on that time still begins it."""
    inside = time_inside(walltime_s)
    return inside - min(LEAVE_S, inside / 5)


def cap_limits(limited: Iterable[dict[str, Any]], walltime_s: float | None) -> None:
    """Bring the limits of stages or tasks down to what a job has time for: a runner begins nothing that it has not."""
    for each in limited:
        if walltime_s and each.get("limit_s"):
            each["limit_s"] = min(each["limit_s"], longest_task(walltime_s))
