"""Courses of campaigns that are too large for a rehearsal: a model of batches, which decides as the conductor does.

It knows no ledger and no files: tasks are arrays, a batch is an event, and whole batches are drawn at once.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from penstock.campaign import Allowance, Campaign, Resources, Site, Stage
from penstock.conductor.arrays import BATCH_WAIT_S, PACE_S
from penstock.conductor.batching import LEAVE_S, START_S, Usage, batch_size, fitting_size
from penstock.conductor.loop import allowances_of
from penstock.simulation.course import Course
from penstock.simulation.crowd import DONE, NEVER, OUT, READY, WAITING, Crowd, Indices, Tasks
from penstock.simulation.shape import Shape
from penstock.simulation.timing import Timing
from penstock.site import Sites
from penstock.site.partitions import longest_s

LOOKED_AT = 200  # drawn wall times by which the size of batches is learned
HERE_BATCHES = 5000  # of all tasks of a stage on this machine, about


@dataclass(slots=True)
class Line:
    """The tasks of one stage that may start, in the order in which they became so."""

    stage: Stage
    position: int
    chain: Sequence[Stage]
    cores: int
    ready: deque[Indices] = field(default_factory=deque[Indices])
    length: int = 0
    out: int = 0
    since: float | None = None
    """When a batch that is not full began to wait for company."""
    paced_until: float = 0.0
    learned: bool = False

    def add(self, tasks: Indices) -> None:
        """Let more tasks stand in line."""
        if len(tasks):
            self.ready.append(tasks)
            self.length += len(tasks)

    def take(self, number: int) -> Indices:
        """Take the first tasks out of the line."""
        taken = list[Indices]()
        while number > 0:
            first = self.ready.popleft()
            if len(first) > number:
                self.ready.appendleft(first[number:])
            taken.append(first[:number])
            number -= len(taken[-1])
        whole = np.concatenate(taken)
        self.length -= len(whole)
        return whole


@dataclass(slots=True)
class Place:
    """A cluster, or this machine: cores that are free, and elements that wait: their time in the queue, or for cores."""

    site: Site
    free: int
    elements: int = 0
    queue: list[tuple[float, int, Line, Indices]] = field(
        default_factory=list[tuple[float, int, Line, Indices]]
    )
    eligible: list[tuple[int, Line, Indices]] = field(default_factory=list[tuple[int, Line, Indices]])


class Model:
    """One course. Times are seconds since the beginning."""

    def __init__(
        self,
        campaign: Campaign,
        crowd: Crowd,
        shape: Shape,
        timings: Mapping[str, Timing],
        *,
        cores_here: int,
        seed: int,
    ) -> None:
        self.campaign, self.shape, self.timings = campaign, shape, timings
        self.random, self.crowd = np.random.default_rng(seed), crowd
        crowd.reset()
        self.walls_s = {name: np.array(timing.walls_s) / timing.workers for name, timing in timings.items()}
        self.allowances: Mapping[str, Mapping[str, Allowance]] = allowances_of(campaign, Sites(campaign))
        self.usage = {stage.name: self.usage_of(stage) for stage in campaign.stages}
        self.lines = {stage.name: self.line_of(stage, n) for n, stage in enumerate(campaign.stages)}
        whole = shape.nodes * shape.cores
        self.places = {n: Place(s, cores_here if s.is_here else whole) for n, s in campaign.sites.items()}
        self.events = list[tuple[float, int, str, int]]()  # (when, number, site, cores): an element leaves
        self.ends = dict[int, list[tuple[str, Indices, np.ndarray, bool]]]()
        self.retries = list[tuple[float, int, str, Indices]]()
        self.number, self.jobs, self.elements, self.core_s = 0, 0, 0, 0.0
        self.attempts, self.ends_s = Counter[str](), dict[str, float]()
        self.look_s = max(0.2, self.work_s() / whole / 500)

    def usage_of(self, stage: Stage) -> Usage:
        """Return what would be learned of a stage with its followers."""
        drawn = sum(self.random.choice(self.walls_s[s.name], LOOKED_AT) for s in self.campaign.chain(stage))
        return Usage([float(wall) * stage.workers for wall in np.atleast_1d(drawn)])

    def line_of(self, stage: Stage, position: int) -> Line:
        """Return the line of a stage."""
        chain = self.campaign.chain(stage)
        asked = Resources.together([link.resources for link in chain])
        line = Line(stage, position, chain, asked.cpus * stage.workers * asked.nodes * asked.tasks_per_node)
        line.learned = "of " in self.timings[stage.name].known
        tasks = self.crowd.tasks[stage.name]
        line.add(np.flatnonzero(tasks.state == READY))
        return line

    def work_s(self) -> float:
        """Return how long one core would work on all that is to be done, in seconds."""
        return sum(
            float(np.isin(tasks.state, (READY, WAITING)).sum() * self.walls_s[name].mean())
            for name, tasks in self.crowd.tasks.items()
        )

    def run(self) -> Course:
        """Go on until nothing can change."""
        now: float | None = 0.0
        while now is not None:
            self.move_on(now)
            self.submit(now)
            now = self.next_look(now)
        return Course(
            max(self.ends_s.values(), default=0.0),
            self.core_s,
            self.jobs,
            self.elements,
            attempts=dict(self.attempts),
            states=self.crowd.states(),
            ends_s=self.ends_s,
        )

    def next_look(self, now: float) -> float | None:
        """Return when the next look is worth it; None when nothing more can happen."""
        ends = min(self.ends, default=None)
        times = [ends * self.look_s] if ends is not None else []
        times += [at for at, *_ in self.retries[:1]]
        times += [at for at, *_ in self.events[:1]]
        times += [place.queue[0][0] for place in self.places.values() if place.queue]
        times += [at for line in self.lines.values() if line.length and (at := self.may_go_at(line)) > now]
        if not times:
            return None
        return max(math.ceil(min(times) / self.look_s - 1e-9) * self.look_s, now + self.look_s)

    def move_on(self, now: float) -> None:
        """Let all happen that is due: elements start and leave, tasks end, and others may start."""
        for place in self.places.values():
            self.start_elements(place, now)
        while self.events and self.events[0][0] <= now:
            at, _, site, cores = heapq.heappop(self.events)
            self.places[site].free += cores
            self.places[site].elements -= 1
            self.start_elements(self.places[site], at)
        for place in self.places.values():
            self.start_elements(place, now)
        for look in sorted(look for look in self.ends if look * self.look_s <= now + 1e-6):
            self.finish_all(self.ends.pop(look))
        while self.retries and self.retries[0][0] <= now:
            _, _, name, tasks = heapq.heappop(self.retries)
            self.lines[name].add(tasks)

    # at the cluster

    def start_elements(self, place: Place, now: float) -> None:
        """Start elements whose wait is over while cores are free, in the order of their submission."""
        while place.queue and place.queue[0][0] <= now:
            _, number, line, tasks = heapq.heappop(place.queue)
            heapq.heappush(place.eligible, (number, line, tasks))
        while place.eligible and place.eligible[0][1].cores <= place.free:
            _, line, tasks = heapq.heappop(place.eligible)
            self.start(place, line, tasks, now)

    def start(self, place: Place, line: Line, batch: Indices, now: float) -> None:
        """Start a batch: draw how long each of its tasks takes, and which fail."""
        shape = (len(batch), len(line.chain))
        spent, runs = np.zeros(shape), np.zeros(shape, bool)
        ok, goes_on = np.zeros(shape, bool), np.ones(len(batch), bool)
        rows = list[Indices]()
        for column, link in enumerate(line.chain):
            mine, known = self.members(line, link, batch), self.timings[link.name]
            rows.append(mine)
            runs[:, column] = goes_on & (mine >= 0)
            walls = self.walls_s[link.name][self.random.integers(0, len(known.walls_s), len(batch))]
            fails = self.random.random(len(batch)) < known.failing
            spent[:, column] = np.where(
                runs[:, column], np.where(fails, walls * self.random.random(len(batch)), walls), 0.0
            )
            ok[:, column] = runs[:, column] & ~fails
            goes_on &= ok[:, column]
        start_s = 0.0 if place.site.is_here else self.shape.start_s or 0.0
        ends = now + start_s + np.cumsum(spent.ravel()).reshape(shape)
        over = float(ends[-1, -1])
        for column, link in enumerate(line.chain):
            self.note_ends(link.name, rows[column], ends[:, column], runs[:, column], ok[:, column])
            if column:
                self.free_followers(link.name, rows[column], runs[:, column])
        place.free -= line.cores
        self.core_s += line.cores * (over - now)
        heapq.heappush(self.events, (over, self.next_number(), place.site.name, line.cores))

    def members(self, line: Line, link: Stage, batch: Indices) -> Indices:
        """Return the tasks of a follower that run with those of a batch; -1 where there is none to be done."""
        if link is line.chain[0]:
            return batch
        tasks = self.crowd.tasks[link.name]
        found = tasks.positions(self.crowd.tasks[line.stage.name].units[batch])
        return np.where((found >= 0) & (tasks.state[found] == OUT), found, -1)

    def free_followers(self, name: str, tasks: Indices, runs: np.ndarray) -> None:
        """Let those wait again that did not run, since what they follow failed."""
        idle = tasks[(tasks >= 0) & ~runs]
        self.crowd.tasks[name].state[idle] = WAITING

    def note_ends(
        self, name: str, tasks: Indices, ends: np.ndarray, runs: np.ndarray, ok: np.ndarray
    ) -> None:
        """Remember at which look the ends of tasks will be seen."""
        looks = np.ceil(ends / self.look_s).astype(int)
        for good in (True, False):
            chosen = np.flatnonzero(runs & (ok == good))
            if not len(chosen):
                continue
            cuts = np.flatnonzero(np.diff(looks[chosen])) + 1
            for part in np.split(chosen, cuts):
                self.ends.setdefault(int(looks[part[0]]), []).append((name, tasks[part], ends[part], good))

    # in the conductor

    def finish_all(self, ended: Sequence[tuple[str, Indices, np.ndarray, bool]]) -> None:
        """Note how all tasks ended that are seen at one look, those of a stage together."""
        for name, ok in dict.fromkeys((name, ok) for name, _, _, ok in ended):
            mine = [(tasks, at_s) for other, tasks, at_s, good in ended if (other, good) == (name, ok)]
            tasks, at_s = (np.concatenate(each) for each in zip(*mine, strict=True))
            self.finish(name, tasks, at_s, ok=ok)

    def finish(self, name: str, tasks: Indices, at_s: np.ndarray, *, ok: bool) -> None:
        """Note how tasks ended, and let those start that waited for them."""
        mine, line = self.crowd.tasks[name], self.lines[name]
        last = float(at_s.max())
        self.attempts["ok" if ok else "error"] += len(tasks)
        self.ends_s[name] = max(self.ends_s.get(name, 0.0), last)
        line.out -= len(tasks)
        if not ok:
            return self.try_again(mine, tasks, last)
        mine.state[tasks] = DONE
        line.learned = True
        for link in self.crowd.links[name]:
            freed = np.sort(link.end(tasks))
            link.down.state[freed] = READY
            self.lines[link.down.stage.name].add(freed)
        return None

    def try_again(self, mine: Tasks, tasks: Indices, now: float) -> None:
        """Let failed tasks stand in line again after a while, as often as they may."""
        allowed = self.allowances[mine.stage.name]["error"]
        mine.tries[tasks] += 1
        mine.state[tasks] = np.where(mine.tries[tasks] > allowed.times, NEVER, READY)
        for tried in np.unique(mine.tries[tasks]):
            again = tasks[(mine.tries[tasks] == tried) & (mine.state[tasks] == READY)]
            if len(again):
                delay_s = allowed.delays_s[min(int(tried), len(allowed.delays_s)) - 1]
                heapq.heappush(self.retries, (now + delay_s, self.next_number(), mine.stage.name, again))

    def submit(self, now: float) -> None:
        """Submit what may be submitted: of later stages first, so that what was begun is ended."""
        for line in sorted(self.lines.values(), key=lambda line: (-line.stage.priority, -line.position)):
            while line.length and self.may_go_at(line) <= now and self.submit_array(line, now):
                pass

    def submit_array(self, line: Line, now: float) -> bool:
        """Submit one array of a stage; return whether there was one."""
        place = self.places[self.campaign.site_of(line.stage).name]
        size = self.size(line, place.site)
        most = min(self.together(line), self.room(line, place), size * self.array_size(place))
        number = most - most % size if self.waits_for_company(line, most % size, now) else most
        if number <= 0:
            return False
        tasks = line.take(number)
        batches = np.split(tasks, range(size, number, size))
        if len(batches) < self.array_size(place) and not place.site.is_here and not line.stage.array:
            line.paced_until = now + PACE_S
        line.since, line.out = None, line.out + number
        self.jobs, self.elements = self.jobs + 1, self.elements + len(batches)
        place.elements += len(batches)
        self.take_followers(line, tasks)
        for batch in batches:
            wait_s = 0.0 if place.site.is_here else self.shape.wait_s(self.random.standard_normal())
            heapq.heappush(place.queue, (now + wait_s, self.next_number(), line, batch))
        self.start_elements(place, now)
        return True

    def take_followers(self, line: Line, tasks: Indices) -> None:
        """Let what follows tasks in the same worker go out with them."""
        mine = self.crowd.tasks[line.stage.name]
        mine.state[tasks] = OUT
        for link in line.chain[1:]:
            followers = self.crowd.tasks[link.name]
            found = followers.positions(mine.units[tasks])
            found = found[found >= 0]
            found = found[followers.state[found] == WAITING]
            followers.state[found] = OUT
            self.lines[link.name].out += len(found)

    def size(self, line: Line, site: Site) -> int:
        """Return how many tasks a batch of a stage takes."""
        stage, known = line.stage, self.usage[line.stage.name] if line.learned else Usage()
        if site.is_here:
            return max(1, math.ceil(len(self.crowd.tasks[stage.name].units) / HERE_BATCHES))
        wanted = batch_size(stage.batch, known, workers=stage.workers, at_once=self.campaign.at_once(stage))
        asked = Resources.together([link.resources for link in line.chain])
        longest = longest_s(site, gpus=asked.gpus * stage.workers)
        most_s = longest and max(1.0, longest - START_S - LEAVE_S)
        return fitting_size(
            wanted, limit_s=asked.walltime_s, usage=known, workers=stage.workers, most_s=most_s
        )

    def array_size(self, place: Place) -> int:
        """Return how many elements an array may have."""
        if place.site.is_here:
            return 1 << 40
        return min(self.shape.array_size, place.site.array_size or self.shape.array_size)

    def room(self, line: Line, place: Place) -> int:
        """Return how many more tasks of a stage may go out."""
        at_once, site = self.campaign.at_once(line.stage), place.site
        rooms = [line.length]
        if at_once is not None:
            rooms.append(at_once - line.out)
        if not site.is_here and self.shape.most_submitted is not None:
            rooms.append((self.shape.most_submitted - place.elements) * self.size(line, site))
        if site.max_queued_tasks is not None:
            rooms.append(site.max_queued_tasks - sum(each.out for each in self.lines.values()))
        return max(0, min(rooms))

    def waits_for_company(self, line: Line, rest: int, now: float) -> bool:
        """Whether a batch that is not full waits: more may become ready, and it has not waited long."""
        if not rest or self.campaign.site_of(line.stage).is_here or not self.can_grow(line):
            return False
        line.since = now if line.since is None else line.since
        return now < line.since + self.patience_s(line)

    def may_go_at(self, line: Line) -> float:
        """Return when the next array of a stage may go, as far as that is a matter of time."""
        if line.since is None or self.is_full(line) or not self.can_grow(line):
            return line.paced_until
        return max(line.paced_until, line.since + self.patience_s(line))

    def is_full(self, line: Line) -> bool:
        """Whether a whole batch stands in line, of the group that goes next."""
        return self.together(line) >= self.size(line, self.campaign.site_of(line.stage))

    def can_grow(self, line: Line) -> bool:
        """Whether more tasks of a stage, or of the group that goes next, may become ready by themselves."""
        mine, level = self.crowd.tasks[line.stage.name], line.stage.array
        waiting = mine.state == WAITING
        if level and line.length:
            waiting = waiting & (mine.groups[:, level] == mine.groups[line.ready[0][0], level])
        return bool(waiting.any())

    def together(self, line: Line) -> int:
        """Return how many of the first tasks in a line may be in one array."""
        if not (line.stage.array and line.length) or self.campaign.site_of(line.stage).is_here:
            return line.length
        groups = self.crowd.tasks[line.stage.name].groups[line.ready[0], line.stage.array]
        others = np.flatnonzero(groups != groups[0])
        return int(others[0]) if len(others) else len(groups)

    def patience_s(self, line: Line) -> float:
        """Return how long a batch that is not full waits for company, in seconds."""
        return BATCH_WAIT_S if line.stage.batch_wait_s is None else line.stage.batch_wait_s

    def next_number(self) -> int:
        """Return a number that no element and no event had."""
        self.number += 1
        return self.number
