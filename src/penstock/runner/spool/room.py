"""How much of this machine is taken: by all jobs, and by those of each campaign, which may be given less."""

import os
from collections import Counter
from typing import NamedTuple, Tuple

from .jobs import Job


class Amount(NamedTuple):
    """Cores, and bytes of memory."""

    cores: int
    memory: int


class Room:
    """What there is, and what is taken of it."""

    def __init__(self) -> None:
        self.there = machine()
        self.taken: "Counter[Tuple[str, str]]" = Counter()

    @property
    def cores(self) -> int:
        """How many are taken by all."""
        return self.taken["", "cores"]

    def take(self, job: Job, elements: int = 1) -> None:
        """Count so many elements of a job."""
        for what in Amount._fields:
            for place in ("", job.place):
                self.taken[place, what] += elements * job.asked[what]

    def has_for(self, job: Job) -> bool:
        """Whether one more element of a job fits in."""
        return self._fits(job, "", self.there)

    def allows(self, job: Job) -> bool:
        """Whether one more is within what its site may use."""
        return self._fits(job, job.place, within(job.asked["most"], self.there))

    def _fits(self, job: Job, place: str, most: Amount) -> bool:
        return all(
            self.taken[place, what] + job.asked[what] <= amount for what, amount in most._asdict().items()
        )


def machine() -> Amount:
    """Return what there is."""
    return Amount(len(os.sched_getaffinity(0)), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def within(most: Tuple[int, int], there: Amount) -> Amount:
    """Return what a site may use, where 0 is all there is."""
    return Amount(*(min(limit or amount, amount) for limit, amount in zip(most, there)))
