"""A day of detectors in half a minute: runs arrive in every manner; two crons, a `watch` and deployments are killed.

What was done is counted from lines that the tasks themselves append, and from the calibration store.
`PENSTOCK_RUNS` says how many runs; each failure prints the seed, and `PENSTOCK_SEED` repeats it.
"""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from penstock import record
from penstock.workflows.detector.demo import frames_of
from penstock.workflows.detector.deploying import HISTORY, Place
from penstock.workflows.detector.init import RUNS as PATTERN
from penstock.workflows.detector.init import Shape, Store, write_campaign
from penstock.workflows.detector.ndarrayfile import read_text
from penstock.workflows.detector.products import read_product

COUNT = int(os.environ.get("PENSTOCK_RUNS", "16"))
SEED = int(os.environ.get("PENSTOCK_SEED") or secrets.randbelow(10**6))
EXPERIMENTS = ("xpptut15", "cxil2316", "mfxone")
NOT_CONTROLLED = "amox27716"
STREAMS, SETTLE_S, CAP = 2, 1.5, 2
FRAMES_A_STREAM, SHAPE = 40, (2, 16, 32)
PIXELS = 2 * 16 * 32
SECONDS, PATIENCE_S = max(12.0, COUNT / 2), 240.0 + 2 * COUNT
GROUP, SOURCE = "Camera::CalibV1", "Dev.0:Cam.0"

LAB = '''
import os, sys, time
from pathlib import Path
from penstock.workflows.detector import stages

TOUCHES = ("open", "os.rename", "os.link", "os.remove", "os.mkdir")

def note(what, task):
    lines = os.open("LINES", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(lines, f"{what} {task.key[1]} {task.key[2]} {time.time()}\\n".encode())
    os.close(lines)

def status(task):
    note("begin", task)
    made = stages.status(task)
    note("end", task)
    return made

def deploy(task):
    """Deploy; the first time the worker is killed before one of its touches of the store."""
    mark, touch = Path(f"MARKS/{task.key[1]}-{task.key[2]}"), task.key[2] % 13
    left = [touch]
    if not mark.exists():
        mark.touch()

        def strike(event, arguments):
            if event in TOUCHES and arguments and "/calib/" in str(arguments[0]):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), 9)

        sys.addaudithook(strike)
    try:
        made = stages.deploy(task)
    finally:
        left[0] = float("inf")  # a hook stays, and is not to strike the next one's deployment
    note("deployed", task)
    return made
'''


class Run(NamedTuple):
    """One run, how it arrives, and its bad pixels."""

    experiment: str
    number: int
    manner: str
    bad: tuple[int, ...]

    @property
    def instrument(self) -> str:
        return self.experiment[:3].upper()


class Day:
    """The campaign, what writes runs, and those who work on it."""

    def __init__(self, root: Path) -> None:
        self.root, self.random, self.kills = root, random.Random(SEED), Counter[str]()
        self.lines_file, self.marks = root.parent / "lines", root.parent / "marks"
        self.codes = Counter[tuple[str, int]]()
        self.marks.mkdir()
        shape = Shape(
            streams=STREAMS, settle=f"{SETTLE_S}s", quiet="1s", jobs=CAP,
            store=Store(f"{root}/calib/{{instrument}}/{{experiment}}", GROUP, SOURCE),
        )  # fmt: skip
        made = write_campaign(root, f"{root}/data/{PATTERN}", experiments=None, every=True, shape=shape)
        text = made.read_text().replace('stages:status"', 'X"').replace('stages:deploy"', 'Y"')
        for old, new in (
            ("penstock.workflows.detector.X", "lab:status"),
            ("penstock.workflows.detector.Y", "lab:deploy"),
        ):
            text = text.replace(old, new)
        made.write_text(text.replace("newly_bad = 0.02", "newly_bad = 0.5"))
        (root / "experiments.txt").write_text("\n".join(EXPERIMENTS) + "\n")
        (root / "lab.py").write_text(
            LAB.replace("LINES", str(self.lines_file)).replace("MARKS", str(self.marks))
        )
        self.runs = [*self.plan()]
        self.changed = self.random.sample([run for run in self.runs if run.experiment in EXPERIMENTS], 2)

    def plan(self) -> Iterator[Run]:
        for number in range(COUNT):
            experiment = (*EXPERIMENTS, NOT_CONTROLLED)[number % 4]
            bad = tuple(sorted(self.random.sample(range(PIXELS), 3)))
            yield Run(experiment, number, self.random.choice(("whole", "marked", "grown")), bad)

    def path(self, run: Run, stream: int) -> Path:
        named = {"instrument": run.instrument, "experiment": run.experiment, "run": run.number}
        return self.root / "data" / PATTERN.format(**named, stream=stream, chunk=0)

    def write(self, run: Run, *, later: float) -> None:
        """Write a run, `later`, stream after stream, as its manner is."""
        time.sleep(later)
        for stream in range(STREAMS):
            path = self.path(run, stream)
            path.parent.mkdir(parents=True, exist_ok=True)
            seed, faults = run.number * STREAMS + stream, dict.fromkeys(run.bad, "dead")
            content = frames_of(faults, seed=seed, frames=FRAMES_A_STREAM, shape=SHAPE)
            place = path.with_name(f"{path.name}.inprogress") if run.manner == "marked" else path
            pieces = 1 if run.manner == "whole" else 5
            step = -(-len(content) // pieces)
            for at in range(0, len(content), step):
                with place.open("ab") as file:
                    file.write(content[at : at + step])
                time.sleep(0.1)
            os.replace(place, path)

    def live(self) -> None:
        """Let runs arrive while two crons and a watch are at work, and are killed."""
        writers = [
            threading.Thread(
                target=self.write, args=(run,), kwargs={"later": self.random.uniform(0, SECONDS)}
            )
            for run in self.runs
        ]
        for writer in writers:
            writer.start()
        workers: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self.kill_some(workers, writers)
            self.change_some(workers)
        finally:
            for worker in workers.values():
                worker.terminate()
                worker.wait(PATIENCE_S)

    def kill_some(self, workers: dict[str, subprocess.Popen[bytes]], writers: list[threading.Thread]) -> None:
        """Keep workers at work until all runs are done, and kill them now and then."""
        begun, blow = time.monotonic(), 2.0
        while any(writer.is_alive() for writer in writers) or not self.all_done():
            now = time.monotonic() - begun
            assert now < SECONDS + PATIENCE_S, self.story()
            self.keep_working(workers)
            if now > blow and any(writer.is_alive() for writer in writers):
                name = self.random.choice([*workers])
                workers[name].kill()
                self.kills[name] += 1
                blow = now + self.random.uniform(0.5, 2.5)
            time.sleep(0.05)

    def keep_working(self, workers: dict[str, subprocess.Popen[bytes]]) -> None:
        for name, command in {"cron 1": "tick", "cron 2": "tick", "watch": "watch"}.items():
            if name in workers and (code := workers[name].poll()) is None:
                continue
            if name in workers:
                self.codes[name, code] += 1
            with (self.root / "out.log").open("ab") as out:
                argv = [sys.executable, "-m", "penstock", command]
                workers[name] = subprocess.Popen(argv, cwd=self.root, stdout=out, stderr=out)

    def change_some(self, workers: dict[str, subprocess.Popen[bytes]]) -> None:
        """Change runs that are done, and let them be done again."""
        for number, run in enumerate(self.changed):
            bad = (*run.bad[:2], PIXELS - 9 + number)
            changed = run._replace(bad=bad, manner="marked")
            self.runs[self.runs.index(run)] = self.changed[number] = changed
            self.write(changed, later=0.0)
        until = time.monotonic() + PATIENCE_S
        names = [f"{run.instrument}/{run.experiment}/{run.number}" for run in self.changed]
        while len(self.stale()) < len(names):
            assert time.monotonic() < until, self.story()
            self.keep_working(workers)
            time.sleep(0.2)
        with record.open(self.root) as opened:
            opened.ask("redo", names, why="the file was repaired")
        while self.unfinished():
            assert time.monotonic() < until, self.story()
            self.keep_working(workers)
            time.sleep(0.2)

    def stale(self) -> list[str]:
        with record.open(self.root) as opened:
            return [task.unit for task in opened.tasks("pixel_status") if task.stale]

    def unfinished(self) -> list[str]:
        with record.open(self.root) as opened:
            return [task.unit for task in opened.tasks() if task.state != "done" or task.stale]

    def controlled(self) -> list[Run]:
        return [run for run in self.runs if run.experiment in EXPERIMENTS]

    def all_done(self) -> bool:
        if not (self.root / ".penstock/ledger.sqlite").exists():
            return False
        with record.open(self.root) as opened:
            # by no stage's name: it may have been killed before it wrote down which stages there are
            done = sum((task.stage, task.state) == ("deploy", "done") for task in opened.tasks())
        return done == len(self.controlled())

    def lines(self) -> list[tuple[str, str, int, float]]:
        words = map(str.split, self.lines_file.read_text().splitlines())
        return [(what, experiment, int(run), float(at)) for what, experiment, run, at in words]

    def place(self, run: Run) -> Place:
        return Place(self.root / "calib" / run.instrument / run.experiment, GROUP, SOURCE)

    def story(self) -> str:
        status = subprocess.run(
            [sys.executable, "-m", "penstock", "status"],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        tail = (self.root / "out.log").read_text(errors="replace")[-2000:]
        return f"PENSTOCK_SEED={SEED}, kills {dict(self.kills)}, codes {dict(self.codes)}\n{status.stdout}\n{tail}"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    print(f"PENSTOCK_SEED={SEED} PENSTOCK_RUNS={COUNT}")
    lived = Day(tmp_path_factory.mktemp("day") / "campaign")
    lived.live()
    return lived


def test_they_were_killed_and_left_as_they_should(day: Day) -> None:
    assert sum(day.kills.values()) > 3, day.story()
    assert {code for (name, code) in day.codes if name != "watch"} <= {0, -9}, day.story()
    assert {code for (name, code) in day.codes if name == "watch"} <= {0, 4, -9}, day.story()


def test_each_complete_run_was_processed_once_and_each_changed_one_twice(day: Day) -> None:
    ended = Counter((experiment, run) for what, experiment, run, _ in day.lines() if what == "end")
    wanted = {(run.experiment, run.number): 2 if run in day.changed else 1 for run in day.controlled()}
    assert ended == wanted, day.story()


def test_none_was_processed_before_it_was_whole_and_what_was_found_is_right(day: Day) -> None:
    for run in day.controlled():
        made = read_product(day.root / f"pixel_status/{run.instrument}/{run.experiment}/r{run.number:04d}.h5")
        assert made.about["frames"] == STREAMS * FRAMES_A_STREAM
        assert {*map(int, np.flatnonzero(made.arrays["status"]))} == {*run.bad}, run


def test_every_map_is_whole_and_of_its_run_though_each_deployment_was_killed_once(day: Day) -> None:
    for run in day.controlled():
        folder = day.place(run).folder
        status, _ = read_text(folder / f"{run.number}-end.data")
        assert {*map(int, np.flatnonzero(status))} == {*run.bad}, run
        acts = [
            line
            for line in (folder / HISTORY).read_text().splitlines()
            if line.startswith(f"{run.number}-end")
        ]
        assert len(acts) == (2 if run in day.changed else 1), acts
    assert len([*day.marks.iterdir()]) == len(day.controlled())


def test_no_more_were_processed_at_once_than_may_be(day: Day) -> None:
    now = most = 0
    for what, *_ in sorted(day.lines(), key=lambda line: line[3]):
        now += {"begin": 1, "end": -1}.get(what, 0)
        most = max(most, now)
    assert most <= CAP


def test_experiments_that_are_not_controlled_were_left_alone(day: Day) -> None:
    assert not (day.root / "pixel_status" / "AMO").exists()
    assert [run for run in day.runs if run.experiment == NOT_CONTROLLED]
