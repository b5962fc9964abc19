"""A runner that only pretends: it reads its feed and writes true events, and no process is started."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.clock import Clock
from penstock.pretended.eventfile import EventFile
from penstock.pretended.outcomes import Outcome, Rule, Run

Line = dict[str, Any]
TaskId = tuple[int, int]
MARGIN_S = 5.0  # before the end of a job's time, in which nothing is begun


@dataclass(slots=True)
class Batch:
    """A batch of the feed, and what of it was not begun."""

    number: int
    lines: deque[Line]


@dataclass(frozen=True, slots=True)
class Current:
    """The task that runs now."""

    line: Line
    outcome: Outcome
    begun: float
    over: float


@dataclass(slots=True)
class PretendRunner:
    """One job of a PretendSite, or one life of an element of a PretendCluster: what it is given, its event file, and
    the task that it pretends to run.

    `rule` None runs nothing by itself: the test calls `begin`, `end` and `give_back`. `past` are tasks that earlier
    lives went through, `revocations` is the file that takes tasks from it, `walltime_s` what its job may take.
    """

    token: str
    native: str
    spec: Mapping[str, Any]
    root: Path
    events: EventFile
    rule: Rule | None
    clock: Clock
    numbers: Counter[TaskId]
    on_disk: bool = True
    alive: bool = True
    silent: bool = False
    ending: bool = False
    closed: int | None = None
    fed: bytearray = field(default_factory=bytearray)
    batches: deque[Batch] = field(default_factory=deque[Batch])
    done: int = 0
    current: Current | None = None
    late: tuple[Line, Outcome] | None = None
    revoked: set[TaskId] = field(default_factory=set[TaskId])
    stopped: bool = False
    free_at: float = 0.0
    host: str = "pretended"
    past: frozenset[TaskId] = frozenset()
    revocations: Path | None = None
    walltime_s: float | None = None
    beat_s: float | None = None
    born: float = 0.0
    spoke: float = 0.0
    made: set[str] = field(default_factory=set[str])
    short: bool = False
    start_s: float = 0.0

    @property
    def starts(self) -> bool:
        """Whether it is there, and not yet ready for its first task."""
        return self.free_at > self.clock.now()

    def claim(self) -> None:
        """Write the first line."""
        self.born = self.spoke = self.clock.now()
        self.free_at = self.born + self.start_s
        self.events.write("claim", native=self.native, host=self.host, boot="-", pid=1, start="1", space=None)

    def is_revoked(self, line: Line) -> bool:
        """Whether a task must not be begun or published any more."""
        return self.stopped or self.id_of(line) in self.revoked

    def feed(self, data: bytes) -> None:
        """Take more batches."""
        self.fed += data
        self.free_at = max(self.free_at, self.clock.now())
        self.batches.extend(batches_in(data))

    def work(self) -> None:
        """Do all that is due by now."""
        self.hear_revocations()
        while self.rule and self.alive and not self.silent and self.step():
            pass
        now = self.clock.now()
        if self.beat_s and self.alive and not self.silent and now >= self.spoke + self.beat_s:
            self.spoke = now
            self.events.write("beat", rss=1 << 20, free=1 << 40)

    def hear_revocations(self) -> None:
        """Read what the conductor took back; a job whose folder is packed is taken back whole."""
        if self.revocations is None or self.silent:
            return
        if not self.revocations.parent.is_dir():
            self.alive = False
        elif self.revocations.exists():
            taken = json.loads(self.revocations.read_bytes())
            self.stopped = self.stopped or bool(taken.get("all"))
            self.revoked |= {(stage, unit) for stage, unit in taken["tasks"]}

    def interrupt(self) -> None:
        """Be sent SIGTERM with all that it runs: what runs is cut short, the rest is given back."""
        self.ending = True
        if self.current and not self.silent:
            line, self.current = self.current.line, None
            self.end(line, Outcome("cancelled", why="signal 15 when the job was asked to stop"))
        self.work()

    def step(self) -> bool:
        """Do the next thing; False when there is none yet."""
        if self.current:
            return self.finish_current()
        if self.ending:
            self.give_back(*self.rest())
            return self.leave("asked to stop")
        if self.starts:
            return False
        if not self.batches:
            over = self.closed is not None and self.done >= self.closed
            return over and self.leave("deadline" if self.short else "no more work")
        if line := self.next_line():
            return self.begin_by_rule(line)
        self.events.write("batch", number=self.batches.popleft().number)
        self.done += 1
        return True

    def next_line(self) -> Line | None:
        """Take the next task of the first batch that was not revoked."""
        lines = self.batches[0].lines
        while lines:
            line = lines.popleft()
            if self.id_of(line) in self.past:
                continue
            why = self.why_not(line)
            if why is None:
                return line
            self.give_back(line, why=why)
        return None

    def why_not(self, line: Line) -> str | None:
        """Say why a task must not start now, if so."""
        if self.is_revoked(line):
            return "revoked"
        need = self.limit_of(line) or 0.0
        if self.walltime_s is None or self.free_at - self.born + need + MARGIN_S <= self.walltime_s:
            return None
        self.short = True
        return "deadline"

    def limit_of(self, line: Line) -> float | None:
        """Return for how long a task may run."""
        limit: float | None = line.get("limit_s") or self.spec["stages"][line["s"]].get("limit_s")
        return limit

    def begin_by_rule(self, line: Line) -> bool:
        """Start a task; what becomes of it is known from here on."""
        assert self.rule
        task = self.id_of(line)
        outcome = within(
            self.limit_of(line), self.rule(Run(line["s"], line["k"], self.numbers[task] + 1, line))
        )
        if path := self.taken(line):
            outcome = Outcome("unstarted", why=f"{path} is there already", verdict="permanent")
        begun = self.free_at
        self.begin(line)
        match outcome.then:
            case "dies":
                self.alive = False
            case "goes silent":
                self.silent = True
            case "ends late":
                self.alive, self.late = False, (line, outcome)
            case "goes on":
                self.current = Current(line, outcome, begun, begun + outcome.seconds)
        return True

    def finish_current(self) -> bool:
        """End the running task if its time is over; a follower comes right after a good end."""
        assert self.current
        line, outcome, over = self.current.line, self.current.outcome, self.current.over
        if over > self.clock.now():
            return False
        self.current, self.free_at = None, over
        if self.is_revoked(line):
            outcome = Outcome("cancelled", why="revoked")
        self.end(line, outcome)
        if outcome.name == "ok" and "then" in line:
            return self.begin_by_rule(line["then"])
        return True

    def begin(self, line: Line) -> None:
        """Write that a task starts."""
        stage, unit = self.id_of(line)
        self.numbers[stage, unit] += 1
        clear = {"clear": 1} if line.get("products") and not self.taken(line) else {}
        self.events.write("start", s=stage, u=unit, w=1, **clear)

    def end(self, line: Line, outcome: Outcome) -> None:
        """Write that a task ended, and leave its products when it ended well."""
        stage, unit = self.id_of(line)
        event: dict[str, Any] = {
            "s": stage, "u": unit, "w": 1, "o": outcome.name, "wall": outcome.seconds, "cpu": outcome.seconds, "rss": 1 << 20,
            "code": outcome.code, "signal": None, "log": self.write_log(outcome.log), "products": {},
        }  # fmt: skip
        if outcome.name == "ok":
            event["products"] = {name: made for name, *made in self.make_products(line, outcome)}
            event["children"] = [list(child) for child in outcome.children]
            event["result"] = outcome.result
        given = {"why": outcome.why, "verdict": outcome.verdict}
        self.events.write("end", **event, **{name: value for name, value in given.items() if value})
        self.events.write("sync", ends=1)

    def taken(self, line: Line) -> str | None:
        """Return the path of a product where something lies that the task must not replace."""
        wanted = [p["path"] for p in line.get("products", {}).values() if not p.get("replace")]
        return next((path for path in wanted if self.on_disk and os.path.lexists(self.root / path)), None)

    def end_late(self) -> None:
        """Write the end that was kept back when the runner was given up."""
        if self.late:
            line, outcome = self.late
            self.late = None
            self.end(line, outcome)

    def give_back(self, *lines: Line, why: str = "asked to stop") -> None:
        """Give tasks back before their turn, their followers with them."""
        ids = [list(self.id_of(link)) for line in lines for link in chain_of(line)]
        if ids:
            self.events.write("give", tasks=ids, why=why)

    def rest(self) -> list[Line]:
        """Take all that was not begun."""
        lines = [line for batch in self.batches for line in batch.lines]
        self.batches.clear()
        return lines

    def leave(self, why: str) -> bool:
        """Write the last line and be gone."""
        self.events.write("leave", why=why)
        self.alive = False
        return True

    def id_of(self, line: Line) -> TaskId:
        """Return stage and unit of a task line, as events name them."""
        return self.spec["stages"][line["s"]]["id"], line["u"]

    def make_products(self, line: Line, outcome: Outcome) -> Iterator[tuple[str, str, int, str, int]]:
        """Yield (name, path, bytes, digest, mtime in ns) of what the task leaves."""
        for name, product in line.get("products", {}).items():
            if name in outcome.without:
                continue
            mtime_ns, content = 0, outcome.contents.get(name, f"{name} of {line['s']} {line['k']}\n".encode())
            if self.on_disk:
                path = self.root / product["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                self.made.add(product["path"])
                mtime_ns = path.stat().st_mtime_ns
            yield name, product["path"], len(content), hashlib.sha256(content).hexdigest(), mtime_ns

    def write_log(self, text: str) -> list[int]:
        """Append to the log of the one worker; return (worker, offset, length)."""
        log = self.events.path and self.events.path.with_name(f"{self.events.element}.1.log")
        if not log or not text:
            return [1, 0, 0]
        offset = log.stat().st_size if log.exists() else 0
        with log.open("a", encoding="utf-8") as file:
            file.write(text)
        return [1, offset, log.stat().st_size - offset]


def within(limit_s: float | None, outcome: Outcome) -> Outcome:
    """Return what becomes of a task that may not run longer than its limit."""
    if limit_s is None or outcome.seconds <= limit_s:
        return outcome
    return Outcome("timeout", limit_s, why=f"it ran longer than its limit of {limit_s:g} s")


def batches_in(data: bytes) -> Iterator[Batch]:
    """Yield the batches that a piece of a feed holds."""
    lines = iter(data.splitlines())
    for head in lines:
        header = json.loads(head)
        yield Batch(header["batch"], deque(json.loads(next(lines)) for _ in range(header["tasks"])))


def chain_of(line: Line) -> Iterator[Line]:
    """Yield a task line and those of its followers."""
    yield line
    if "then" in line:
        yield from chain_of(line["then"])
