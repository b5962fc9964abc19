"""A pretended cluster of a certain shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from penstock.campaign import Site
from penstock.pretended.clock import ManualClock
from penstock.pretended.cluster import PretendCluster, PretendLogin
from penstock.pretended.elements import PretendElement, PretendJob
from penstock.pretended.outcomes import Outcome, Rule, Run
from penstock.pretended.runner import PretendRunner
from penstock.pretended.site import PretendSite
from penstock.simulation.shape import Shape
from penstock.simulation.timing import Timing
from penstock.site import ClusterSite

NEVER = float("inf")

Products = Sequence[tuple[str, int, str]]


def rule_of(timings: Mapping[str, Timing], random: Random) -> Rule:
    """Return the rule by which tasks take as long, and fail as often, as they are known to."""

    def rule(run: Run) -> Outcome:
        timing = timings[run.stage]
        seconds = timing.wall_s(random)
        if timing.fails(random):
            return Outcome("error", seconds * random.random(), code=1, why="exit code 1, as pretended")
        return Outcome(seconds=seconds)

    return rule


class ShapedCluster(PretendCluster):
    """A cluster whose nodes have so many cores, and where each element waits for its own time."""

    def __init__(self, clock: ManualClock, shape: Shape, rule: Rule, random: Random) -> None:
        super().__init__(
            clock, rule=rule, nodes=shape.node_names(), array_size=shape.array_size, most_submitted=shape.most_submitted,
            start_s=shape.start_s or 0.0, on_disk=False,
        )  # fmt: skip
        self.shape, self.random = shape, random
        self.free = dict.fromkeys(self.nodes, shape.cores)
        self.waits = dict[tuple[int, int], float]()
        self.core_s = 0.0
        """Core seconds of all elements that are over."""

    def site(self, definition: Site, root: Path) -> ClusterSite:
        """Return the cluster's login node, for a conductor."""
        return Login(self, definition, root)

    def start_waiting(self, now: float) -> None:
        """Start elements that waited long enough where cores are free, the nicer jobs after the others."""
        self.free_nodes(now)
        for job in sorted((job for job in self.jobs if not job.is_over), key=lambda job: job.nice):
            for element in job.pending():
                if now >= element.since + self.wait_s(job, element):
                    node = next((name for name, left in self.free.items() if left >= job.cores), None)
                    if node is None or (job.most is not None and len(job.running()) >= job.most):
                        break
                    self.free[node] -= job.cores
                    self.start(job, element, node, now)

    def free_nodes(self, now: float) -> None:
        """Count the cores that no element holds."""
        self.free = dict.fromkeys(self.nodes, self.shape.cores)
        for job, element in self.elements("RUNNING"):
            self.free[element.node] -= job.cores

    def end_what_is_over(self, job: PretendJob, element: PretendElement, now: float) -> None:
        """Note that a runner has left, and what it held until then."""
        super().end_what_is_over(job, element, now)
        if element.ended is not None and element.started is not None:
            self.core_s += job.cores * (element.ended - element.started)

    def show_files(self, now: float) -> None:
        """Let the conductor see all files at once."""
        for lives in self.lives.values():
            lives.show_all()

    def next_at(self) -> float:
        """Return when the next thing happens here, whatever a conductor does: a task ends, or a wait is over."""
        now = self.clock.now()
        waits = (
            element.since + self.wait_s(job, element)
            for job in self.jobs
            if not job.is_over
            for element in job.pending()
        )
        ends = (next_end(element.runner) for _, element in self.elements("RUNNING"))
        return min((at for at in (*waits, *ends) if at > now), default=NEVER)

    def wait_s(self, job: PretendJob, element: PretendElement) -> float:
        """Return how long an element waits in the queue, whatever is free."""
        key = job.native, element.index
        if key not in self.waits:
            self.waits[key] = self.shape.wait_s(self.random.gauss())
        return self.waits[key]


class Login(PretendLogin):
    """Where what a pretended runner says that it made is believed: nothing is on the disk."""

    def misfits(self, products: Products) -> Mapping[str, str]:
        """Return what is wrong with products that are said to be made: nothing."""
        return {}

    def unproven(self, products: Products) -> Mapping[str, str]:
        """Return what is wrong with their bytes: nothing."""
        return {}


class ShapedSite(PretendSite):
    """This machine, with so many cores."""

    def __init__(self, root: Path, clock: ManualClock, cores: int, rule: Rule) -> None:
        super().__init__(root, rule=rule, clock=clock, cores=cores, on_disk=False)

    def next_at(self) -> float:
        """Return when the next task ends here; what was just fed begins now."""
        for token in self.runners:
            self.work(token)
        return min(map(next_end, self.runners.values()), default=NEVER)


def next_end(runner: PretendRunner | None) -> float:
    """Return when what a runner runs is over, or when it begins its first task."""
    if not (runner and runner.alive):
        return NEVER
    if runner.current:
        return runner.current.over
    return runner.free_at if runner.starts else NEVER


class TurnedClock(ManualClock):
    """A clock that goes on to the next thing that happens: by `least` seconds when one sleeps, and by `most` at most."""

    def __init__(self, now: float, least: float, most: float) -> None:
        super().__init__(now, stride=least)
        self.most = most
        self.happens: list[Callable[[], float]] = []
        """When the next thing happens, by those who know it."""

    def sleep(self, seconds: float) -> None:
        """Go on at once, later; what was just submitted may begin before."""
        self.turn(0.0)
        ahead = min((at() for at in self.happens), default=NEVER) - self.now()
        super().sleep(max(seconds, min(ahead, self.most)))
