"""A day in a minute: runs of three streams arrive in every manner, and two crons and a `watch`, killed at random, keep up.

What was begun and ended is counted from lines that the tasks themselves append, not from the record.
`PENSTOCK_RUNS` says how many runs (`make day`: 2000). Each failure prints the seed: `PENSTOCK_SEED` repeats it.
"""

import heapq
import json
import os
import random
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

RUNS = int(os.environ.get("PENSTOCK_RUNS", "120"))
SEED = int(os.environ.get("PENSTOCK_SEED") or secrets.randbelow(10**6))
RATE, SHORTEST_S = 8.0, 12.0  # runs that arrive in a second; how long the day is at least
SETTLE_S = 2.0
CORES, MOST_REDUCED = 3, 2
ODD = max(2, min(20, RUNS // 40))  # so many are changed, so many removed
PATIENCE_S = 60.0 + RUNS / 4
STREAMS = ("renamed", "marked", "grown")  # also how its files arrive
KILLED = -signal.SIGKILL

DEFINITION = f"""
[campaign]
name = "day"
levels = ["stream", "run"]
[params]
edition = 1
[units]
files = "in/{{stream}}/{{run:d}}.dat"
settle = "{SETTLE_S:g}s"
partial = "{{path}}.inprogress"
complete = {{ stream = "file in/{{stream}}.over" }}
[site.local]
cores = {CORES}
[stage.reduce]
each = "run"
command = ["sh", "reduce.sh", "{{stream}}", "{{run}}", "{{path}}", "{{product}}", "{{param.edition}}"]
products = "reduced/{{stream}}/{{run}}.txt"
max_running = {MOST_REDUCED}
[stage.look]
each = "run"
order = "newest"
after = ["reduce"]
python = "lab:look"
products = "looked/{{stream}}/{{run}}.txt"
[stage.merge]
each = "stream"
after = ["look"]
command = ["sh", "merge.sh", "{{stream}}", "{{product}}", "{{inputs_file.look}}", "{{param.edition}}"]
products = "merged/{{stream}}.txt"
"""

REDUCE = """\
echo "begin reduce $1 $2 $5 $(date +%s.%N)" >> LINES
sleep 0.05
cat "$3" > "$4"
echo "end reduce $1 $2 $5 $(date +%s.%N)" >> LINES
"""

MERGE = """\
echo "begin merge $1 - $4 $(date +%s.%N)" >> LINES
while read -r path; do cat "$path" || exit 1; done < "$3" > "$2"
echo "end merge $1 - $4 $(date +%s.%N)" >> LINES
"""

LAB = """\
import os, time

def note(what, task):
    lines = os.open("LINES", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(lines, f"{what} look {task.key[0]} {task.key[1]} {task.params['edition']} {time.time()}\\n".encode())
    os.close(lines)

def look(task):
    note("begin", task)
    task.product().write_text(task.input("reduce").read_text().splitlines()[-1] + "\\n")
    note("end", task)
"""


class Line(NamedTuple):
    """What a task wrote when it began or ended."""

    what: str
    stage: str
    stream: str
    run: str
    edition: str
    at: float

    @property
    def task(self) -> tuple[str, str, str, str]:
        return self.stage, self.stream, self.run, self.edition


@dataclass
class Arrivals:
    """The instruments: writes runs into `folder` as time passes; each ends with a line that says it is whole."""

    folder: Path
    random: random.Random
    due: list[tuple[float, float, Callable[[], None]]] = field(default_factory=list)
    whole: list[tuple[str, int]] = field(default_factory=list)
    removed: set[tuple[str, int]] = field(default_factory=set)
    changed: set[tuple[str, int]] = field(default_factory=set)
    early: set[tuple[str, int]] = field(default_factory=set)  # removed before anybody can have them
    now: float = 0.0

    def plan(self, runs: int, seconds: float) -> None:
        for stream in STREAMS:
            (self.folder / stream).mkdir(parents=True)
        for number in self.random.sample(range(runs), runs):
            stream = STREAMS[number % len(STREAMS)]
            self.later(self.random.uniform(0, seconds), self.arrivals(stream, number))
        self.early = {(STREAMS[n % len(STREAMS)], n) for n in self.random.sample(range(runs), ODD // 2)}

    def later(self, at: float, steps: Iterator[float]) -> None:
        """Take the steps of an arrival; each says after how many seconds the next one comes."""

        def step() -> None:
            for pause in steps:
                self.push(self.now + pause, step)
                return

        self.push(at, step)

    def push(self, at: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.due, (at, self.random.random(), act))

    def arrivals(self, stream: str, run: int) -> Iterator[float]:
        path, pause = self.path(stream, run), self.random.random
        partial = path.with_name(path.name + ".inprogress")
        match stream:
            case "renamed":
                for text in self.pieces(stream, run):
                    append(partial, text)
                    yield 1.5 * SETTLE_S * pause()
                partial.rename(path)
            case "marked":
                partial.touch()
                for text in self.pieces(stream, run):
                    append(path, text)
                    yield 1.5 * SETTLE_S * pause()
                partial.unlink()
            case _:
                for text in self.pieces(stream, run):
                    append(path, text)
                    yield 0.2 * SETTLE_S * pause()
        if (stream, run) in self.early:
            path.unlink()
            self.removed.add((stream, run))
        else:
            self.whole.append((stream, run))

    def pieces(self, stream: str, run: int, edition: int = 1) -> list[str]:
        return [
            f"{stream} {run} {edition}\n",
            "events\n" * self.random.randrange(50),
            whole_line(run, edition),
        ]

    def path(self, stream: str, run: int) -> Path:
        return self.folder / stream / f"{run}.dat"

    def turn(self, now: float) -> None:
        self.now = now
        while self.due and self.due[0][0] <= now:
            heapq.heappop(self.due)[2]()

    def change(self, stream: str, run: int) -> None:
        path = self.path(stream, run)
        other = path.with_name(path.name + ".inprogress")
        other.write_text("".join(self.pieces(stream, run, edition=2)))
        other.rename(path)
        self.changed.add((stream, run))

    def remove(self, stream: str, run: int) -> None:
        self.path(stream, run).unlink()
        self.removed.add((stream, run))


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def whole_line(run: int, edition: int = 1) -> str:
    return f"whole {run} {edition}\n"


class Day:
    """The campaign, and those who work on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.random = root, random.Random(SEED)
        self.lines_file, self.output = root.with_suffix(".lines"), root.with_suffix(".out")
        self.seconds = max(SHORTEST_S, RUNS / RATE)
        self.arrivals = Arrivals(root / "in", self.random)
        self.workers: dict[str, subprocess.Popen[bytes] | None] = {
            "cron 1": None,
            "cron 2": None,
            "watch": None,
        }
        self.starts = dict.fromkeys(self.workers, 0.0)
        self.codes, self.kills = Counter[tuple[str, int]](), Counter[str]()
        for name, text in {"reduce.sh": REDUCE, "merge.sh": MERGE, "lab.py": LAB}.items():
            (root / name).write_text(text.replace("LINES", str(self.lines_file)))
        (root / "penstock.toml").write_text(DEFINITION)

    def run(self) -> None:
        self.arrivals.plan(RUNS, self.seconds)
        odd = ["change"] * ODD + ["remove"] * (ODD - len(self.arrivals.early))
        self.random.shuffle(odd)
        begun, blow, next_odd = time.monotonic(), 1.0, 4.0
        while self.arrivals.due or odd:
            now = time.monotonic() - begun
            assert now < self.seconds + PATIENCE_S, self.story()
            self.arrivals.turn(now)
            self.keep_working(now)
            if now >= blow:
                self.strike()
                blow = now + self.random.uniform(0.2, 2.0)
            if odd and now >= next_odd and self.happen(odd[-1]):
                odd.pop()
                next_odd = now + self.random.uniform(0.0, self.seconds / len(STREAMS) / ODD)
            time.sleep(0.02)
        for stream in STREAMS:
            self.arrivals.folder.joinpath(f"{stream}.over").touch()
        self.finish(begun)

    def happen(self, what: str) -> bool:
        """Change or remove a run that is recorded as done; return whether there was one.

        One that changed before is made while its input changes, which blocks its merge.
        """
        odd = self.arrivals.changed | self.arrivals.removed
        made = [
            one for one in self.arrivals.whole if one not in odd and self.product("looked", *one).exists()
        ]
        states = self.tasks("t.state") if made else {}
        done = [one for one in made if states["look", *one] == "done"]
        if done:
            getattr(self.arrivals, what)(*self.random.choice(done))
        return bool(done)

    def product(self, folder: str, stream: str, run: int) -> Path:
        return self.root / folder / stream / f"{run}.txt"

    def keep_working(self, now: float) -> None:
        """Start again who has left: cron after a while, and whoever watches the watch."""
        for name, process in self.workers.items():
            if process is not None and (code := process.poll()) is not None:
                self.codes[name, code] += 1
                self.workers[name], self.starts[name] = None, now + self.random.uniform(0.2, 1.5)
            if self.workers[name] is None and now >= self.starts[name]:
                self.workers[name] = self.start("watch" if name == "watch" else "tick")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            argv = [sys.executable, "-m", "penstock", *command]
            return subprocess.Popen(argv, cwd=self.root, stdout=output, stderr=output)

    def strike(self) -> None:
        """Kill one of them, wherever it is."""
        alive = [(name, process) for name, process in self.workers.items() if process]
        for name, process in self.random.sample(alive, min(1, len(alive))):
            process.kill()
            self.kills[name] += 1

    def finish(self, begun: float) -> None:
        """Let them work, without blows, until all is done; then stop them and take one last turn."""
        until = time.monotonic() + PATIENCE_S
        while not self.all_done():
            assert time.monotonic() < until, self.story()
            self.keep_working(time.monotonic() - begun)
            time.sleep(0.1)
        for process in filter(None, self.workers.values()):
            process.terminate()
            process.wait(PATIENCE_S)
        assert self.start("tick").wait(PATIENCE_S) == 0, self.story()

    def all_done(self) -> bool:
        done = {run for run in self.arrivals.whole if self.product("looked", *run).exists()}
        merged = all((self.root / "merged" / f"{stream}.txt").exists() for stream in STREAMS)
        return merged and done == {*self.arrivals.whole}

    def lines(self) -> list[Line]:
        text = self.lines_file.read_text() if self.lines_file.exists() else ""
        return [Line(*words[:-1], float(words[-1])) for words in map(str.split, text.splitlines())]

    def tasks(self, columns: str) -> dict[tuple[str, str, int], Any]:
        """Return columns of the tasks of runs, by stage, stream and run."""
        sql = f"SELECT s.name, u.key, {columns} FROM task t JOIN unit u ON u.id = t.unit JOIN stage s ON s.id = t.stage"
        with sqlite3.connect(self.root / ".penstock" / "ledger.sqlite") as db:
            rows = db.execute(f"{sql} WHERE u.level = 2").fetchall()
        return {(name, *json.loads(key)): rest[0] if len(rest) == 1 else rest for name, key, *rest in rows}

    def story(self) -> str:
        tail = self.output.read_text(errors="replace")[-3000:]
        return f"PENSTOCK_SEED={SEED}, kills {dict(self.kills)}, codes {dict(self.codes)}, in {self.root}:\n{tail}"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Day]:
    print(f"PENSTOCK_SEED={SEED} PENSTOCK_RUNS={RUNS}")
    root = tmp_path_factory.mktemp("day") / "campaign"
    root.mkdir()
    lived, before = Day(root), request.session.testsfailed
    try:
        lived.run()
        yield lived
    finally:
        for process in filter(None, lived.workers.values()):
            process.terminate()
            process.wait(PATIENCE_S)
    if request.session.testsfailed == before:
        shutil.rmtree(root)


def test_each_of_them_was_killed_and_left_only_as_it_should(day: Day) -> None:
    assert {*day.kills} == {*day.workers}, day.story()
    assert {code for (name, code) in day.codes if name != "watch"} <= {0, KILLED}, day.story()
    assert {code for (name, code) in day.codes if name == "watch"} <= {0, 4, KILLED}, day.story()


def test_each_whole_run_was_begun_once_and_ended_once(day: Day) -> None:
    for what in ("begin", "end"):
        counted = Counter((line.stage, line.stream, line.run) for line in day.lines() if line.what == what)
        for stage in ("reduce", "look"):
            once = {(stage, stream, str(run)): 1 for stream, run in day.arrivals.whole}
            assert {task: n for task, n in counted.items() if task[0] == stage} == once, day.story()


def test_none_was_begun_early(day: Day) -> None:
    for stream, run in day.arrivals.whole:
        assert day.product("reduced", stream, run).read_text().endswith(whole_line(run)), day.story()


def test_a_stream_was_merged_once_when_it_was_over_with_all_its_runs(day: Day) -> None:
    assert Counter(line.stream for line in day.lines() if line.task[0] == "merge") == dict.fromkeys(
        STREAMS, 2
    )
    for stream in STREAMS:
        runs = [run for other, run in day.arrivals.whole if other == stream]
        merged = (day.root / "merged" / f"{stream}.txt").read_text().splitlines(keepends=True)
        assert Counter(merged) == Counter(map(whole_line, runs)), day.story()


def test_what_was_changed_is_stale_and_keeps_its_product_and_all_else_is_not(day: Day) -> None:
    assert len(day.arrivals.changed) == ODD
    stale = {task[1:] for task, why in day.tasks("t.stale").items() if task[0] == "reduce" and why}
    assert stale == day.arrivals.changed, day.story()


def test_what_was_removed_is_gone_and_all_else_is_not(day: Day) -> None:
    assert len(day.arrivals.removed) == ODD
    gone = {task[1:] for task, when in day.tasks("u.gone").items() if when is not None}
    assert gone == day.arrivals.removed - day.arrivals.early, day.story()
    assert {task[1:] for task in day.tasks("t.state")} == {*day.arrivals.whole}, day.story()


def test_never_more_ran_than_there_are_cores_or_than_their_stage_lets(day: Day) -> None:
    lines = sorted(day.lines(), key=lambda line: line.at)
    assert 1 < most_at_once(lines) <= CORES, day.story()
    assert 1 < most_at_once([line for line in lines if line.stage == "reduce"]) <= MOST_REDUCED, day.story()


def most_at_once(lines: list[Line]) -> int:
    """Return how many tasks were at work at once."""
    running, most = 0, 0
    for line in lines:
        running += 1 if line.what == "begin" else -1
        most = max(most, running)
    return most


def test_a_new_edition_processes_each_run_that_is_there_once_more(day: Day) -> None:
    toml = day.root / "penstock.toml"
    toml.write_text(toml.read_text().replace("edition = 1", "edition = 2"))
    assert day.start("run", "--stale", "--quiet").wait(PATIENCE_S) == 0, day.story()
    begun = Counter(line.task for line in day.lines() if line.what == "begin" and line.edition == "2")
    there = {*day.arrivals.whole} - day.arrivals.removed
    runs = {(stage, stream, str(run), "2"): 1 for stage in ("reduce", "look") for stream, run in there}
    assert {task: n for task, n in begun.items() if task[0] != "merge"} == runs, day.story()
    for stream, run in there:
        newest = 2 if (stream, run) in day.arrivals.changed else 1
        assert day.product("looked", stream, run).read_text() == whole_line(run, newest), day.story()
    for stream in STREAMS:
        looked = sorted(
            path.read_text() for path in (day.root / "looked" / stream).iterdir() if path.is_file()
        )
        merged = (day.root / "merged" / f"{stream}.txt").read_text().splitlines(keepends=True)
        assert sorted(merged) == looked, day.story()
