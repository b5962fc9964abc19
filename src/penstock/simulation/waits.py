"""How long jobs on a cluster waited, and what starting them cost, as a record tells it."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from penstock.ledger import Ledger

MOST = 10_000  # elements that are looked at, the newest


class Waits(NamedTuple):
    """Medians in seconds; None: nothing tells it.

    `queue_s`: from an element's submission until it got its cores, where these were free. `start_s`: for how long it kept
    cores busy besides its tasks, as the scheduler, its prolog and the runner start.
    """

    queue_s: float | None
    start_s: float | None


class Stay(NamedTuple):
    """One element on its node: when its job was submitted, and when its first task began and its last one ended."""

    host: str
    submitted: float
    began: float
    ended: float


def waits_of(ledger: Ledger) -> Waits:
    """Return how long the newest elements of a record waited."""
    rows = ledger.db.execute(
        "SELECT host, submitted, min(began) AS first, max(ended) FROM attempt JOIN job ON job.id = attempt.job"
        " WHERE NOT feed AND submitted IS NOT NULL AND began IS NOT NULL AND log IS NOT NULL AND NOT late"
        " GROUP BY job.id, CAST(log AS INTEGER) ORDER BY first DESC LIMIT ?",
        (MOST,),
    ).fetchall()
    return waits_between([Stay(*row) for row in reversed(rows)])


def waits_between(stays: Iterable[Stay]) -> Waits:
    """Return the waits of elements, given in the order of their beginning.

    One that was submitted before another left its node, and began after that, is taken to have had its cores: the time
    between is what its start cost. All others waited in the queue, for their start included.

    >>> waits_between([Stay("n1", 0.0, 3.0 + 10 * n, 11.0 + 10 * n) for n in range(6)])
    Waits(queue_s=1.0, start_s=2.0)
    """
    left, queue, start = defaultdict[str, list[float]](list), list[float](), list[float]()
    for stay in stays:
        free = left[stay.host]
        last = bisect_right(free, stay.began) - 1
        if last >= 0 and free[last] >= stay.submitted:
            start.append(stay.began - free.pop(last))
        else:
            queue.append(max(0.0, stay.began - stay.submitted))
        insort(free, stay.ended)
    start_s = median(start) if start else None
    queue_s = median(queue) if queue else None
    return Waits(queue_s and max(0.0, queue_s - (start_s or 0.0)), start_s)
