"""A campaign on a pretended cluster, with its clock."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.campaign import Campaign
from penstock.clock import Clock
from penstock.conductor import Conductor, Ending
from penstock.graph import build
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.pauses import end_halts
from penstock.ledger.requests import record
from penstock.pretended.elements import PretendElement, PretendJob
from penstock.pretended.runner import PretendRunner
from penstock.testing import ManualClock, Outcome, PretendCluster, Rule, Run, make_campaign

DAY = 86_400.0
HOURS = 5 * 3600.0
FRESH_S = 5.0  # between two conductors that take one turn each
RARELY_S = 30.0  # between two turns, at most, after nothing happened for twice as long
HEAD = """
[campaign]
name = "grid"
levels = ["night", "run"]
site = "pretend"
[units]
table = "runs.csv"
types = { run = "int" }
"""
COPY = """
[stage.copy]
each = "run"
command = ["cp", "x", "{product}"]
products = "out/{night}/{run}.txt"
batch = 2
"""
JOIN = """
[stage.join]
each = "night"
after = ["copy"]
command = ["cat", "{inputs.copy}"]
products = "out/{night}.txt"
"""


def taking(seconds: float) -> Rule:
    """Return the rule by which each task ends well after so long."""
    return lambda run: Outcome(seconds=seconds)


def run_afresh(start: Callable[[], Conductor]) -> Ending:
    """Do what `run` does, with a new conductor for each turn."""
    with start() as conductor:
        end_halts(conductor.ledger)
    while True:
        with start() as conductor:
            conductor.turn()
            if conductor.stopping or conductor.is_done():
                return conductor.end()
            conductor.wait(0.0)


class PutBack:
    """The clock of the conductor's machine, which an administrator puts back; those of the cluster go on."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.by = clock, 0.0

    def now(self) -> float:
        return self.clock.now() - self.by

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def put_back(self) -> None:
        self.by = HOURS

    def turn(self, seconds: float) -> None:
        self.clock.turn(seconds)


class Grid:
    """One campaign, its cluster, and what a test asks of both."""

    def __init__(
        self, root: Path, stages: str = COPY, *, units: int = 6, nights: str = "ab", site: str = "",
        stride: float = 1.0, fresh: bool = False, even: bool = False, **cluster: Any,
    ) -> None:  # fmt: skip
        """Make it; `fresh`: each of its turns is taken by a new conductor, which knows nothing but the record.

        Turns are rarer while nothing happens on the cluster, unless `even`: for tests of when a conductor does something.
        """
        self.fresh = fresh
        self.head = f'{HEAD}[site.pretend]\nscheduler = "slurm"\n'
        self.stages, self.root = stages, root
        names = "".join(f"{nights[n % len(nights)]},{n}\n" for n in range(units))
        self.made = make_campaign(root, self.head + site + stages, {"runs.csv": "night,run\n" + names})
        self.stride = max(2 * stride, FRESH_S) if fresh else stride
        self.loaded: dict[str, Campaign] = {}
        self.clock = ManualClock(stride=self.stride)
        self.wall: Clock = self.clock  # of the conductor's machine
        self.cluster = PretendCluster(self.clock, **{"rule": taking(30.0), **cluster})
        self.clock.watchers += [self.watch_out] if even else [self.watch_out, self.hurry]
        self.seen: object = None
        self.rested, self.looked = 0.0, self.clock.now()
        self.ends_by = self.clock.now() + DAY

    def watch_out(self) -> None:
        """Fail where a run does not end by itself."""
        assert self.clock.now() < self.ends_by, "it does not end by itself"

    def hurry(self) -> None:
        """Let turns be rarer while nothing happens, but none later than what is due."""
        now, seen = self.clock.now(), self.happenings()
        if seen != self.seen:
            self.seen, self.rested = seen, 0.0
        self.rested += now - self.looked
        due = [at for at, _ in self.cluster.later]
        due += [r.current.over for r in self.runners() if r.current and r.alive]
        longer = min(self.rested / 2, RARELY_S, min(due, default=self.ends_by) - now)
        self.looked, self.clock.stride = now, max(self.stride, longer)

    def runners(self) -> list[PretendRunner]:
        return [runner for lives in self.cluster.lives.values() for runner in lives.runners]

    def happenings(self) -> object:
        """Return what differs once anything happened on the cluster."""
        words = [(job.forgotten, [e.word for e in job.elements.values()]) for job in self.cluster.jobs]
        return words, [(r.done, r.alive, r.silent) for r in self.runners()], self.cluster.numbers.total()

    def define(self, stages: str, site: str = "") -> None:
        """Write another definition."""
        (self.root / "penstock.toml").write_text(self.head + site + stages)

    def campaign(self) -> Campaign:
        """Return the definition, loaded once as long as it stays."""
        text = (self.root / "penstock.toml").read_text()
        if text not in self.loaded:
            self.loaded[text] = self.made.load()
        return self.loaded[text]

    def conductor(self, command: str = "run") -> Conductor:
        campaign = self.campaign()
        there = {"pretend": self.cluster.site(campaign.sites["pretend"], self.root)}
        return Conductor(campaign, command=command, clock=self.wall, clusters=there)

    def run(self) -> Ending:
        """Run to the end; the ledger must not contradict itself then."""
        if self.fresh:
            ending = run_afresh(self.conductor)
        else:
            with self.conductor() as conductor:
                ending = conductor.run()
        assert self.faults() == []
        return ending

    def tick(self) -> None:
        """Do what cron does once a minute."""
        with self.conductor("tick") as conductor:
            conductor.tick()
        self.clock.turn(60)

    def at(self, seconds: float, do: Callable[[], object]) -> None:
        """Do something when so many seconds have gone by, whatever the conductor does then."""
        self.cluster.later.append((self.clock.now() + seconds, do))

    def ask(self, action: str, **target: object) -> None:
        """Write a request down, as a command does while somebody drives the campaign."""
        with Ledger.open(self.root) as ledger:
            record(ledger, action, target, "me@here", self.wall.now())

    def rows(self, sql: str, *parameters: object) -> list[Any]:
        with Ledger.open(self.root, readonly=True) as ledger:
            return [tuple(row) for row in ledger.db.execute(sql, parameters)]

    def states(self, stage: str = "copy") -> dict[str, int]:
        return dict(Counter(self.made.states(stage).values()))

    def outcomes(self, stage: str = "copy", run: int | None = None) -> list[str]:
        """Return how the attempts of a stage, or of one of its tasks, ended, oldest first."""
        rows = self.rows(
            "SELECT a.outcome, u.key FROM attempt a JOIN stage s ON s.id = a.stage JOIN unit u ON u.id = a.unit"
            " WHERE s.name = ? AND NOT a.late ORDER BY a.id",
            stage,
        )
        return [row[0] for row in rows if run is None or json.loads(row[1])[-1] == run]

    def begun(self, stage: str = "copy") -> dict[int, int]:
        """Return how often each task of a stage was begun anywhere, by the last value of its key."""
        ids = {row[0]: row[1] for row in self.rows("SELECT id, key FROM unit")}
        number = self.rows("SELECT id FROM stage WHERE name = ?", stage)[0][0]
        return {json.loads(ids[u])[-1]: n for (s, u), n in self.cluster.numbers.items() if s == number}

    def job(self, number: int = -1) -> PretendJob:
        return self.cluster.job(number)

    def element(self, index: int, job: int = -1) -> PretendElement:
        return self.job(job).elements[index]

    def units_of(self, job: int = -1, element: int = 1) -> list[int]:
        """Return the runs in the batch of an element, as its runner was given them."""
        native = str(self.job(job).native)
        lives = [lives for (folder, _), lives in self.cluster.lives.items() if folder == self.job(job).folder]
        found = [
            r for each in lives for r in each.runners if r.native == native and r.events.element == element
        ]
        return [json.loads(line)["u"] for line in bytes(found[0].fed).splitlines() if b'"u":' in line]

    def faults(self) -> list[str]:
        """Return what contradicts itself in the ledger."""
        with Ledger.open(self.root, readonly=True) as ledger:
            ids = {name: n for n, name in ledger.db.execute("SELECT id, name FROM stage WHERE NOT removed")}
            return check_ledger(ledger, build(self.made.load(), ids))


def first_try(outcome: Outcome, run: int) -> Rule:
    """Return the rule by which the first try of one run ends so, and all else well after 30 s."""

    def rule(tried: Run) -> Outcome:
        return outcome if tried.number == 1 and tried.key.endswith(f"/{run}") else Outcome(seconds=30.0)

    return rule
