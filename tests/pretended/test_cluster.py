"""The pretended cluster is true: its text is Slurm's, which the real adapter reads, and each of its faults is what it says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.campaign import Site
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.pretended.faults import ANSWERING, FILES, HISTORY, SUBMITTING
from penstock.schedulers.model import Known, Phase, Request
from penstock.site import ClusterSite
from penstock.testing import ConductorKilled, Fault, ManualClock, Outcome, PretendCluster, Rule, all_well

TOKEN = "pabcdefghij"
HEAD = {"format": 1, "token": TOKEN, "feed": False, "walltime_s": 3000, "beat_s": 60, "idle_s": 0}


class Desk:
    """A login node, a clock, and jobs of two tasks an element."""

    def __init__(self, root: Path, *, rule: Rule = all_well, **cluster: Any) -> None:
        self.root, self.clock = root, ManualClock()
        self.cluster = PretendCluster(self.clock, rule=rule, **cluster)
        self.site: ClusterSite = self.cluster.site(Site("there", scheduler="slurm"), root)

    def submit(self, elements: int = 3, token: str = TOKEN, **request: Any) -> Known:
        """Submit a job as the conductor does."""
        asked = Request(token, elements, **{"walltime_s": 3600.0, **request})
        batches = [self.batch(2 * n) for n in range(elements)]
        offsets = [sum(map(len, batches[:n])) for n in range(elements)]
        stages = {"copy": {"id": 7}}
        spec = {
            **HEAD, "token": token, "root": str(self.root), "elements": elements, "offsets": offsets, "stages": stages
        }  # fmt: skip
        self.site.place_job(asked, json.dumps(spec).encode(), b"".join(batches), {})
        return Known(token, self.site.submit(asked), elements)

    def batch(self, first: int) -> bytes:
        """Return a batch of two tasks."""
        tasks = [{"u": unit, "s": "copy", "k": str(unit)} for unit in (first, first + 1)]
        lines = [{"batch": 1, "tasks": 2}, *tasks]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def data(self, element: int = 1, life: int = 1, token: str = TOKEN) -> bytes:
        """Return what is seen of an event file here."""
        return self.site.new_events({(token, element, life): 0}).get((token, element, life), b"")

    def events(self, element: int, life: int = 1, token: str = TOKEN) -> list[str]:
        """Return the kinds of the events in a file, as far as they can be read here."""
        data = self.data(element, life, token)
        return [json.loads(line)["e"] for line in data.splitlines() if line.endswith(b"}")]

    def phases(self, job: Known) -> dict[int | None, Phase]:
        """Return what the real adapter reads of squeue."""
        return {seen.element: seen.phase for seen in self.site.queue([job])}


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Desk]:
    return lambda **options: Desk(tmp_path, **options)


LONG = {"rule": lambda run: Outcome(seconds=100.0)}


# --- what it says is read by the real adapter -----------------------------------------------------


def test_its_limits_are_read(desk: Any) -> None:
    limits = desk(array_size=77).site.limits()
    assert (limits.version, limits.array_size, limits.accounting) == ("22.05.8", 77, True)
    assert desk(history_after_s=None).site.limits().accounting is False


def test_a_job_goes_through_the_queue(desk: Any) -> None:
    it = desk(slots=2, queue_s=60, **LONG)
    job = it.submit()
    assert it.phases(job) == {1: Phase.PENDING, 2: Phase.PENDING, 3: Phase.PENDING}
    it.clock.turn(60)
    assert it.phases(job) == {1: Phase.RUNNING, 2: Phase.RUNNING, 3: Phase.PENDING}
    it.clock.turn(250)
    it.clock.turn(250)
    assert it.phases(job) == {1: Phase.ENDED, 2: Phase.ENDED, 3: Phase.ENDED}
    it.clock.turn(301)
    assert it.phases(job) == {}
    assert {s.element: s.word for s in it.site.history([job])} == dict.fromkeys((1, 2, 3), "COMPLETED")


def test_a_job_of_one_element_is_no_array(desk: Any) -> None:
    it = desk(**LONG)
    job = it.submit(1)
    it.clock.turn(1)
    assert it.phases(job) == {None: Phase.RUNNING}
    assert it.site.find([TOKEN]) == {TOKEN: job.native}


def test_its_runners_write_true_events(desk: Any) -> None:
    it = desk(**LONG)
    it.submit(1)
    it.clock.turn(1)
    it.clock.turn(70)
    assert it.events(1) == ["claim", "start", "beat"]
    it.clock.turn(200)
    assert it.events(1) == [
        "claim", "start", "beat", "end", "sync", "start", "end", "sync", "batch", "leave",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("happen", "word", "outcome"),
    [
        (lambda it: it.cluster.fail_node(it.cluster.job().elements[1].node), "NODE_FAIL", "node_failure"),
        (lambda it: it.cluster.preempt(it.cluster.job().elements[1]), "PREEMPTED", "preempted"),
        (lambda it: it.cluster.cancel(it.cluster.job()), "CANCELLED", "cancelled"),
        (lambda it: it.cluster.kill(it.cluster.job().elements[1], "OUT_OF_MEMORY"), "OUT_OF_MEMORY", "out_of_memory"),
        (lambda it: it.clock.turn(3700), "TIMEOUT", "timeout"),
        (lambda it: it.cluster.kill(it.cluster.job().elements[1]), "FAILED", None),
    ],
)  # fmt: skip
def test_each_end_is_read_from_queue_and_history(
    desk: Any, happen: Any, word: str, outcome: str | None
) -> None:
    it = desk(rule=lambda run: Outcome(seconds=1e6), slots=1)
    job = it.submit(1)
    it.clock.turn(1)
    if word == "TIMEOUT":
        it.cluster.job().warns = False
    happen(it)
    (queued,), (remembered,) = it.site.queue([job]), it.site.history([job])
    assert (queued.word, queued.outcome, queued.phase) == (word, outcome, Phase.ENDED)
    assert (remembered.word, remembered.outcome, remembered.node) == (word, outcome, queued.node)
    assert remembered.by == ("1001" if word == "CANCELLED" else "")


def test_what_is_taken_out_of_a_waiting_array_leaves_no_trace(desk: Any) -> None:
    it = desk(queue_s=100)
    job = it.submit(3)
    it.site.cancel(job, [2])
    assert it.phases(job) == {1: Phase.PENDING, 3: Phase.PENDING}
    assert 2 not in {seen.element for seen in it.site.history([job])}
    it.site.cancel(job, [1, 3])
    assert it.phases(job) == {1: Phase.ENDED, 3: Phase.ENDED}


def test_its_history_comes_late_or_never(desk: Any) -> None:
    it = desk(history_after_s=90)
    job = it.submit()
    it.clock.turn(1)
    assert it.site.history([job]) == []
    it.clock.turn(90)
    assert len(it.site.history([job])) == 3
    with pytest.raises(QueryFailed):
        desk(history_after_s=None).site.history([job])


def test_a_throttle_and_excluded_nodes_are_heeded(desk: Any) -> None:
    it = desk(slots=9, **LONG)
    it.submit(6, max_parallel=2, excluded=("n1", "n2"))
    it.clock.turn(1)
    running = it.cluster.elements("RUNNING")
    assert len(running) == 2
    assert {e.node for _, e in running} <= {"n3", "n4"}


def test_too_large_an_array_is_refused_and_too_many_elements_must_wait(desk: Any) -> None:
    with pytest.raises(SubmitRejected, match="Invalid job array specification"):
        desk(array_size=2).submit(3)
    with pytest.raises(SiteFull, match="job submit limit"):
        desk(most_submitted=2).submit(3, token="pbbbbbbbbbb")


def test_the_same_id_again_is_the_next_life_and_another_id_is_a_double(desk: Any) -> None:
    it = desk(**LONG)
    it.submit(1)
    it.clock.turn(1)
    it.clock.turn(110)
    it.cluster.requeue(it.cluster.job().elements[1])
    twin = it.cluster.double(it.cluster.job())
    it.clock.turn(1)
    it.clock.turn(300)
    assert it.site.event_files([TOKEN]) == [(TOKEN, 1, 1), (TOKEN, 1, 2)]
    assert it.events(1, 2)[:2] == ["claim", "start"]
    assert it.events(1, 2).count("end") == 1  # the first task was ended by the first life
    assert twin.elements[1].word == "COMPLETED"
    assert '"e":"double"' in (it.site.job_folder(TOKEN) / "doubles.jsonl").read_text()


# --- each fault -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.EMPTY_ANSWER, Fault.NO_CONTACT, Fault.CUT_ANSWER, Fault.NO_ANSWER])
def test_what_is_no_valid_answer_is_not_taken_for_one(desk: Any, fault: Fault) -> None:
    it = desk(**LONG)
    job = it.submit()
    it.clock.turn(1)
    it.cluster.inject(fault, 1)
    with pytest.raises(QueryFailed):
        it.site.queue([job])
    assert len(it.site.queue([job])) == 3


@pytest.mark.parametrize("fault", [Fault.BANNER, Fault.SAID_TWICE, Fault.LATE_ANSWER])
def test_what_is_a_valid_answer_is_read_through_it(desk: Any, fault: Fault) -> None:
    it = desk(**LONG)
    job = it.submit()
    it.clock.turn(1)
    it.cluster.inject(fault, 2)
    assert set(it.phases(job)) == {1, 2, 3}
    assert {seen.element for seen in it.site.history([job])} == {1, 2, 3}


def test_a_job_can_be_left_out_and_a_word_be_strange(desk: Any) -> None:
    it = desk(**LONG)
    job = it.submit()
    it.clock.turn(1)
    it.cluster.inject(Fault.LEFT_OUT, 1)
    assert it.phases(job) == {}
    it.cluster.inject(Fault.STRANGE_WORD, 1)
    assert set(it.phases(job).values()) == {Phase.UNKNOWN}


@pytest.mark.parametrize("fault", sorted(SUBMITTING, key=lambda fault: fault.value))
def test_a_submission_goes_wrong_in_each_way(desk: Any, fault: Fault) -> None:
    it = desk()
    it.cluster.inject(fault, 1)
    with pytest.raises({Fault.REFUSED: SubmitRejected, Fault.FULL: SiteFull}.get(fault, QueryFailed)):
        it.submit()
    it.clock.turn(60)
    taken = fault not in (Fault.REFUSED, Fault.FULL, Fault.NOT_TAKEN)
    assert len(it.cluster.jobs) == taken
    assert set(it.site.find([TOKEN])) == ({TOKEN} if taken else set())


@pytest.mark.parametrize("fault", sorted(HISTORY, key=lambda fault: fault.value))
def test_a_history_lies_in_each_way(desk: Any, fault: Fault) -> None:
    it = desk()
    job = it.submit()
    it.clock.turn(1)
    it.clock.turn(1)
    it.cluster.inject(fault, 1)
    if fault in (Fault.HISTORY_FAILS, Fault.HISTORY_OFF):
        with pytest.raises(QueryFailed):
            it.site.history([job])
    else:
        assert {s.word for s in it.site.history([job])} == (
            {"RUNNING"} if fault is Fault.RUNS_FOR_EVER else set()
        )


def test_files_are_late_torn_and_of_another_time(desk: Any) -> None:
    it = desk(**LONG)
    for fault in FILES:
        it.cluster.inject(fault)
    it.submit(1)
    it.clock.turn(1)
    assert it.site.event_files([TOKEN]) == []
    it.clock.turn(31)
    first = json.loads(it.data().splitlines()[0])
    assert first["at"] == it.clock.now() - 31 + 3600
    it.cluster.faults[Fault.FILES_LATE] = 0
    it.clock.turn(70)
    assert not it.data().endswith(b"\n")
    it.clock.turn(2)
    assert it.data().endswith(b"\n")


def test_what_never_reached_the_disk_is_gone(desk: Any) -> None:
    it = desk(**LONG)
    it.submit(1)
    it.clock.turn(1)
    before = len(it.data())
    it.cluster.kill(it.cluster.job().elements[1], torn=20)
    assert len(it.data()) == before - 20


def test_a_forgotten_job_is_not_known_and_dies_or_lives_on(desk: Any) -> None:
    it = desk(**LONG)
    dying, living = it.submit(1), it.submit(1, token="pbbbbbbbbbb")
    it.clock.turn(1)
    it.cluster.forget(it.cluster.jobs[0])
    it.cluster.forget(it.cluster.jobs[1], alive=True)
    assert it.phases(dying) == it.phases(living) == {}
    it.clock.turn(300)
    assert "leave" not in it.events(1)
    assert "leave" in it.events(1, token="pbbbbbbbbbb")


def test_a_conductor_is_killed_at_the_step_that_is_named(desk: Any) -> None:
    it = desk()
    it.cluster.steps_to_live = 3
    with pytest.raises(ConductorKilled):
        it.submit()
    assert it.site.is_placed(TOKEN)
    assert it.cluster.jobs == []


def test_it_counts_who_asked_when(desk: Any) -> None:
    it = desk(answers_after_s=2.0)
    job = it.submit()
    it.site.queue([job])
    it.site.queue([job])
    assert it.cluster.commands("squeue") == [2.0, 4.0]
    assert it.site.took_s == 2.0


def test_the_table_of_lies_is_long_and_each_says_what_it_is() -> None:
    assert len(Fault) >= 20
    assert set(Fault) > ANSWERING | SUBMITTING | HISTORY | FILES
