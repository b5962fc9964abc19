"""Whatever a scheduler, its nodes and its files do: nothing is lost, and nothing counts twice."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conductor.grid import COPY, Grid

from penstock.conductor.steps import STEPS
from penstock.pretended.elements import PretendElement, PretendJob
from penstock.pretended.faults import ANSWERING, FILES, HISTORY, SUBMITTING, WAY
from penstock.testing import ConductorKilled, Fault, Outcome, Run

STAGES = (
    COPY
    + """
[stage.look]
each = "run"
after = ["copy"]
command = ["cp", "{inputs.copy}", "{product}"]
products = "look/{night}/{run}.txt"
batch = 3
resources = { walltime = "10min", memory = "1GB" }
[stage.join]
each = "night"
after = ["look"]
command = ["cat", "{inputs.look}"]
products = "out/{night}.txt"
"""
)
UNITS, NIGHTS = 10, "ab"
NO_FAULTS, RETRY = "no more faults", "somebody asks for another try"
STRUCK = (
    Fault.KILLED, Fault.LOST_TAIL, Fault.GONE_QUIET, Fault.NODE_FAIL, Fault.PREEMPTED, Fault.OUT_OF_MEMORY, Fault.TIMEOUT,
    Fault.CANCELLED_PENDING, Fault.CANCELLED_RUNNING, Fault.DOUBLE, Fault.SAME_ID_AGAIN, Fault.FORGOTTEN, Fault.FORGOTTEN_ALIVE,
)  # fmt: skip
#: what is only said wrongly, or late, or not at all: the work itself goes on well
FAULTS_ALONE = (
    *sorted(ANSWERING | HISTORY | SUBMITTING | FILES | WAY, key=lambda fault: fault.value),
    Fault.DOUBLE,
    Fault.CONDUCTOR_KILLED,
)
EXAMPLES, FRESH_EXAMPLES = 30, 8


def content(run: Run, root: Path) -> bytes:
    """Return what a task makes: its name, and what it read."""
    paths = [word for word in run.task["argv"] if isinstance(word, str) and word.startswith("./")]
    read = [(root / path).read_bytes() for path in paths]
    return f"{run.stage} {run.key}\n".encode() + b"".join(read)


def expected(stage: str, key: tuple[object, ...]) -> bytes:
    """Return what a task must have made."""
    own = f"{stage} {'/'.join(map(str, key))}\n".encode()
    if stage == "copy":
        return own
    if stage == "look":
        return own + expected("copy", key)
    members = [n for n in range(UNITS) if NIGHTS[n % len(NIGHTS)] == key[0]]
    return own + b"".join(expected("look", (*key, n)) for n in members)


@dataclass(frozen=True)
class Happening:
    """One step: what happens, to which of those that it may hit, how often, and how time goes on after it."""

    what: Fault | str
    pick: int
    times: int
    turns: int
    seconds: float


def happenings(*what: Fault | str) -> st.SearchStrategy[Happening]:
    """Return what makes a step out of these."""
    return st.builds(
        Happening,
        what=st.sampled_from(what),
        pick=st.integers(0, 1000),
        times=st.sampled_from([1, 1, 2, 3, 20]),
        turns=st.integers(1, 8),
        seconds=st.sampled_from([5.0, 20.0, 60.0]),
    )


class Ordeal:
    """A small campaign, driven while everything that can fault does."""

    def __init__(
        self, folder: Path, *, queue_s: float, history_after_s: float | None, fresh: bool = False
    ) -> None:
        self.fresh = fresh
        self.again: list[str] = []
        self.left_out = False
        self.grid = Grid(
            folder, STAGES, units=UNITS, nights=NIGHTS, slots=2, queue_s=queue_s, history_after_s=history_after_s,
            rule=self.outcome, stride=7.0,
        )  # fmt: skip
        self.grid.ends_by = float("inf")
        self.start()

    def outcome(self, run: Run) -> Outcome:
        """Say what becomes of a task, and note when it should not have been begun."""
        stage = self.conductor.graph.ids[run.stage]
        row = self.conductor.ledger.db.execute(
            "SELECT state FROM task WHERE stage = ? AND unit = ?", (stage, run.task["u"])
        ).fetchone()
        if row[0] == "done":
            self.again.append(f"{run.stage} {run.key} was done")
        for job, element in self.grid.cluster.elements("RUNNING"):
            current = element.runner and element.runner.current
            if current and (current.line["s"], current.line["u"]) == (run.stage, run.task["u"]):
                self.again.append(f"{run.stage} {run.key} runs in {job.native} already")
        return Outcome(seconds=100.0, contents={"product": content(run, self.grid.root)})

    def start(self) -> None:
        """Let a conductor take over."""
        self.conductor = self.grid.conductor()
        self.conductor.__enter__()

    def turn(self) -> None:
        """Do one turn; where the conductor is killed, and where each turn has its own, another one follows."""
        if self.fresh:
            self.conductor.__exit__(None, None, None)
            self.start()
        conductor = self.conductor
        try:
            conductor.turn(*STEPS)
        except ConductorKilled:
            conductor.__exit__(None, None, None)
            self.start()

    def live_through(self, happening: Happening) -> None:
        """Let something happen, and some time pass."""
        self.let_happen(happening.what, happening.pick, happening.times)
        for _ in range(happening.turns):
            self.turn()
            self.grid.clock.turn(happening.seconds)

    def let_happen(self, what: Fault | str, pick: int, times: int) -> None:
        """Let one thing of the table happen, or somebody do something."""
        cluster = self.grid.cluster
        if what == NO_FAULTS:
            cluster.clear_faults()
        elif what == RETRY:
            self.grid.ask("retry")
        elif what is Fault.CONDUCTOR_KILLED:
            cluster.steps_to_live = pick % 12 + 1
        elif what in STRUCK:
            hit = cluster.elements("PENDING" if what is Fault.CANCELLED_PENDING else "RUNNING")
            if hit:
                strike(self.grid, what, *hit[pick % len(hit)])
        elif what is Fault.LEFT_OUT:  # twice in a row, two minutes apart, is what nobody can tell from a loss
            cluster.inject(what, int(not self.left_out))
            self.left_out = True
        else:
            cluster.inject(what, times)

    def end(self) -> None:
        """Without any more faults, everything ends well by itself, but for what people have to say."""
        grid = self.grid
        grid.cluster.clear_faults()
        self.conductor.__exit__(None, None, None)
        grid.ends_by = grid.clock.now() + 86_400
        for _ in range(4):
            self.conductor = grid.conductor()
            with self.conductor:
                code = self.conductor.run().code
            if code == 0:
                break
            grid.ask("retry")
        self.check()

    def check(self) -> None:
        """Everything is there, once, and right."""
        grid = self.grid
        states = grid.rows(
            "SELECT s.name, t.state, count(*) FROM task t JOIN stage s ON s.id = t.stage GROUP BY 1, 2"
        )
        assert sorted(states) == [
            ("copy", "done", UNITS),
            ("join", "done", len(NIGHTS)),
            ("look", "done", UNITS),
        ]
        assert grid.faults() == []
        twice = grid.rows(
            "SELECT stage, unit, count(*) FROM attempt WHERE outcome = 'ok' AND NOT late GROUP BY 1, 2 HAVING count(*) <> 1"
        )
        assert twice == []
        assert self.again == []
        products = grid.rows(
            "SELECT s.name, u.key, p.path, p.bytes, p.digest FROM product p JOIN stage s ON s.id = p.stage"
            " JOIN unit u ON u.id = p.unit"
        )
        assert len(products) == 2 * UNITS + len(NIGHTS)
        for stage, key, path, size, digest in products:
            right = expected(stage, tuple(json.loads(key)))
            assert (grid.root / path).read_bytes() == right
            assert (size, digest) == (len(right), hashlib.sha256(right).hexdigest())


def strike(grid: Grid, fault: Fault, job: PretendJob, element: PretendElement) -> None:
    """Let something happen to an element, or to its job."""
    cluster = grid.cluster
    match fault:
        case Fault.KILLED:
            cluster.kill(element)
        case Fault.LOST_TAIL:
            cluster.kill(element, torn=60)
        case Fault.GONE_QUIET:
            if element.runner:
                element.runner.silent = True
                grid.at(500, lambda: cluster.kill(element) if element.is_running else None)
        case Fault.NODE_FAIL:
            cluster.fail_node(element.node)
        case Fault.PREEMPTED:
            cluster.preempt(element)
        case Fault.OUT_OF_MEMORY | Fault.TIMEOUT:
            cluster.kill(element, fault.name, code="0:0")
        case Fault.CANCELLED_PENDING | Fault.CANCELLED_RUNNING:
            cluster.cancel(job, element.index)
        case Fault.DOUBLE:
            cluster.double(job)
        case Fault.SAME_ID_AGAIN:
            cluster.requeue(element)
        case Fault.FORGOTTEN | Fault.FORGOTTEN_ALIVE:
            cluster.forget(job, alive=fault is Fault.FORGOTTEN_ALIVE)
        case _:
            raise AssertionError(fault)


QUEUES, HISTORIES = st.sampled_from([0.0, 50.0]), st.sampled_from([0.0, 90.0, None])


def live(
    folder: Path,
    happenings: Sequence[Happening],
    *,
    queue_s: float,
    history_after_s: float | None,
    fresh: bool = False,
) -> Grid:
    """Live through all that, and what comes after it; return what remains."""
    ordeal = Ordeal(folder, queue_s=queue_s, history_after_s=history_after_s, fresh=fresh)
    try:
        for happening in happenings:
            ordeal.live_through(happening)
        ordeal.end()
    finally:
        ordeal.conductor.__exit__(None, None, None)
    return ordeal.grid


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(happenings(NO_FAULTS, RETRY, *Fault), min_size=10, max_size=40), QUEUES, HISTORIES)
def test_nothing_is_lost_and_nothing_counts_twice(
    tmp_path_factory: pytest.TempPathFactory, lived: list[Happening], queue_s: float, history: float | None
) -> None:
    grid = live(tmp_path_factory.mktemp("grid"), lived, queue_s=queue_s, history_after_s=history)
    shutil.rmtree(grid.root)


@settings(max_examples=FRESH_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(happenings(NO_FAULTS, RETRY, *Fault), min_size=10, max_size=20), QUEUES, HISTORIES)
def test_nor_is_it_when_each_turn_has_a_conductor_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, lived: list[Happening], queue_s: float, history: float | None
) -> None:
    grid = live(tmp_path_factory.mktemp("grid"), lived, queue_s=queue_s, history_after_s=history, fresh=True)
    shutil.rmtree(grid.root)


@settings(max_examples=FRESH_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(happenings(NO_FAULTS, *FAULTS_ALONE), min_size=10, max_size=20), QUEUES, HISTORIES)
def test_lies_alone_make_nothing_run_twice_when_each_turn_has_a_conductor_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, lived: list[Happening], queue_s: float, history: float | None
) -> None:
    grid = live(tmp_path_factory.mktemp("grid"), lived, queue_s=queue_s, history_after_s=history, fresh=True)
    assert [row[0] for row in grid.rows("SELECT DISTINCT outcome FROM attempt")] == ["ok"]
    assert set(grid.cluster.numbers.values()) == {1}
    assert grid.cluster.commands("scancel") == []
    shutil.rmtree(grid.root)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(happenings(NO_FAULTS, *FAULTS_ALONE), min_size=10, max_size=40), QUEUES, HISTORIES)
def test_lies_alone_make_nothing_run_twice(
    tmp_path_factory: pytest.TempPathFactory, lived: list[Happening], queue_s: float, history: float | None
) -> None:
    grid = live(tmp_path_factory.mktemp("grid"), lived, queue_s=queue_s, history_after_s=history)
    assert [row[0] for row in grid.rows("SELECT DISTINCT outcome FROM attempt")] == ["ok"]
    assert set(grid.cluster.numbers.values()) == {1}
    assert grid.cluster.commands("scancel") == []
    shutil.rmtree(grid.root)
