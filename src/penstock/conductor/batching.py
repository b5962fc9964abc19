"""How many units a batch takes, how long it may run, and what goes together in one array. Pure."""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from penstock.campaign import Resources

T = TypeVar("T")

#: unless the definition says otherwise, a batch is this much work
LEARNED_S = 20 * 60.0
#: on this machine a batch costs nothing, so it is short and work spreads well
LOCAL_S = 1.0
LOCAL_MOST = 500
UNLEARNED_LOCAL = 8
UNLEARNED = 50
MANY = 1 << 40  # where nothing limits a number
SPREAD = (
    8  # into so many batches go as many tasks as may be out at once, unless the definition says otherwise
)
MEASURED_ENOUGH = 20
START_S, LEAVE_S = 60.0, 30.0  # of a job's time for what comes before the runner, and for leaving in order


class Usage(NamedTuple):
    """Wall times of finished units of one stage, in seconds, newest first."""

    walls_s: Sequence[float] = ()

    @property
    def mean_s(self) -> float | None:
        return sum(self.walls_s) / len(self.walls_s) if self.walls_s else None

    @property
    def p95_s(self) -> float | None:
        """The time that 19 in 20 stay below; None until 20 units were measured."""
        if len(self.walls_s) < MEASURED_ENOUGH:
            return None
        return sorted(self.walls_s)[math.ceil(0.95 * len(self.walls_s)) - 1]


def batch_size(
    wanted: int | float | None, usage: Usage, *, workers: int = 1, at_once: int | None = None
) -> int:
    """Return how many units a batch on a cluster takes: `wanted` units, or seconds of work (float).

    >>> batch_size(1200.0, Usage([60.0] * 20), workers=4), batch_size(None, Usage(), at_once=24)
    (80, 3)
    """
    if isinstance(wanted, int):
        return min(wanted, at_once or wanted)
    mean = usage.mean_s
    learned = UNLEARNED if mean is None else int((wanted or LEARNED_S) * workers / max(mean, 1e-4))
    return max(1, min(learned, math.ceil((at_once or MANY) / SPREAD)))


def local_batch_size(
    wanted: int | float | None,
    usage: Usage,
    *,
    ready: int,
    slots: int,
    workers: int = 1,
    seconds: float = LOCAL_S,
) -> int:
    """Return how many units a batch on this machine takes: `seconds` of work, spread over the free slots.

    >>> local_batch_size(None, Usage([0.1] * 20), ready=1000, slots=2)
    10
    """
    mean = usage.mean_s
    learned = UNLEARNED_LOCAL if mean is None else int(seconds * workers / max(mean, 1e-6))
    most = wanted if isinstance(wanted, int) else int(LOCAL_MOST * max(1.0, seconds / LOCAL_S))
    share = math.ceil(ready / max(slots, 1))
    return max(1, min(learned, most, share))


def fitting_size(
    size: int, *, limit_s: float | None, usage: Usage, workers: int = 1, most_s: float | None = None
) -> int:
    """Return the most units, up to `size`, that a job of at most `most_s` seconds has time for; at least one.

    >>> fitting_size(100, limit_s=600, usage=Usage(), workers=2, most_s=3600)
    12
    """
    if most_s is None:
        return size
    sizes = range(1, size + 1)
    needs = partial(walltime_s, limit_s=limit_s, usage=usage, workers=workers)
    return max(1, bisect_right(sizes, most_s, key=lambda n: needs(n) or 0.0))


def walltime_s(
    size: int, *, limit_s: float | None, usage: Usage, workers: int = 1, most_s: float | None = None
) -> float | None:
    """Return how long a job of one batch may run: min(site's, max(unit limit, 1.3 × Σ p95 / workers)).

    Before 20 units were measured it is ceil(size / workers) × limit. None: nothing is known or limited.
    """
    p95 = usage.p95_s
    rounds = math.ceil(size / workers)
    if p95 is not None:
        needed = max(limit_s or 0.0, 1.3 * size * p95 / workers)
    elif limit_s is not None:
        needed = rounds * limit_s
    else:
        return most_s
    return min(needed, most_s) if most_s else needed


class Array(NamedTuple):
    """Batches with equal needs, one for each element."""

    batches: Sequence[Sequence[int]]
    time_scale: float = 1.0
    memory_scale: float = 1.0
    behind: bool = False  # backfill

    @property
    def largest(self) -> int:
        """The size of its largest batch."""
        return max(map(len, self.batches))


class Needs(NamedTuple):
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


def first_within(things: Iterable[T], most: int, *, size: Callable[[T], int]) -> list[T]:
    """Return the first things, one at least, that are not more than `most` bytes together.

    >>> first_within([3, 4, 5], 8, size=int), first_within([9, 1], 8, size=int)
    ([3, 4], [9])
    """
    first = list[T]()
    for thing in things:
        most -= size(thing)
        if most < 0 and first:
            break
        first.append(thing)
    return first


def at_most(amount: Any, most: Any) -> Any:
    """Return an amount, capped at the limit if there is one."""
    return amount if most is None else min(amount, most)


def time_inside(walltime_s: float) -> float:
    """Return how much of a job's time its runner can use: less what it takes to start."""
    return walltime_s - min(START_S, walltime_s / 5)


def longest_task(walltime_s: float) -> float:
    """Return for how long a task may run so that a runner with that much time still starts it."""
    inside = time_inside(walltime_s)
    return inside - min(LEAVE_S, inside / 5)


def cap_limits(limited: Iterable[dict[str, Any]], walltime_s: float | None) -> None:
    """Reduce the limits of stages or tasks to what a job has time for: a runner starts nothing that does not fit."""
    for each in limited:
        if walltime_s and each.get("limit_s"):
            each["limit_s"] = min(each["limit_s"], longest_task(walltime_s))
