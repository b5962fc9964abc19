"""What one conductor learns of a site is known to the next one: with `tick` from cron each turn has another."""

import json
from itertools import pairwise
from pathlib import Path

from tests.conductor.grid import COPY, Grid, taking

from penstock.explain import explain
from penstock.ledger import Ledger
from penstock.ledger.experience import Experience, experience_of, learn
from penstock.status import Status
from penstock.testing import Fault, Outcome

ONE_EACH = COPY.replace("batch = 2", "batch = 1") + "batch_wait = '0s'\n"


def ticks(it: Grid, times: int, *, every: float = 60.0) -> None:
    """Do what cron does."""
    for _ in range(times):
        with it.conductor("tick") as conductor:
            conductor.tick()
        it.clock.turn(every)


def known(it: Grid) -> Experience:
    with Ledger.open(it.root, readonly=True) as ledger:
        return experience_of(ledger.db, "pretend")


def status(it: Grid) -> Status:
    with Ledger.open(it.root, readonly=True) as ledger:
        return Status.read(ledger, now=it.clock.now())


def test_an_array_that_is_too_large_is_not_handed_in_again_at_that_size(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=25, most_submitted=3, slots=3)
    sizes = list[int]()
    sbatch = it.cluster.slurm.new_job
    it.cluster.slurm.new_job = lambda *words: (job := sbatch(*words), sizes.append(len(job.elements)))[0]
    ticks(it, 40)
    assert sizes[:4] == [25, 12, 6, 3]
    assert max(sizes[4:]) == 3, "what was refused is not tried each round"
    assert it.states() == {"done": 25}
    assert set(it.begun().values()) == {1}


def test_what_a_site_refused_is_told(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=40, most_submitted=10, queue_s=9e9)
    ticks(it, 2)
    told = "pretend refused 20 elements at once; 10 are submitted at a time"
    assert ("pretend", told) in status(it).sites
    assert told in status(it).to_text().splitlines()
    assert status(it).to_json()["sites"] == [{"name": "pretend", "note": told}]
    with Ledger.open(it.root, readonly=True) as ledger:
        unit = ledger.db.execute("SELECT unit FROM task WHERE state = 'ready'").fetchone()[0]
        (why,) = explain(ledger, unit, now=it.clock.now())
    assert why.why.endswith(told)


def test_that_a_full_site_is_left_alone_is_known_to_the_next_conductor_and_told(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=8, array_size=4, most_submitted=4, queue_s=9e9)
    ticks(it, 170, every=5)
    gaps = [later - earlier for earlier, later in pairwise(it.cluster.commands("sbatch"))]
    assert gaps == [0, 60, 120, 240]
    (note,) = [note for _, note in status(it).sites]
    assert note.startswith("nothing is submitted at pretend until ")
    assert "QOSMaxSubmitJobPerUserLimit" in note


def test_a_site_that_cannot_avoid_nodes_is_handed_jobs_without_that(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=9, slots=9)
    it.at(9, lambda: it.cluster.inject(Fault.REFUSED, 1))
    it.at(10, lambda: it.cluster.fail_node("n2"))
    ticks(it, 150, every=5)
    assert it.states() == {"done": 9}
    assert it.job().excluded == {""}
    assert known(it).includes_all(it.clock.now())
    assert not known(it).includes_all(it.clock.now() + 86_400)


def test_nor_is_a_job_that_was_not_taken_at_first(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=9, slots=9)
    it.at(9, lambda: (it.cluster.inject(Fault.NOT_TAKEN, 1), it.cluster.inject(Fault.REFUSED, 1)))
    it.at(10, lambda: it.cluster.fail_node("n2"))
    ticks(it, 150, every=5)
    assert it.states() == {"done": 9}
    assert len(it.cluster.commands("sbatch")) == 4
    assert it.job().excluded == {""}


def test_a_job_that_is_refused_with_and_without_excluded_nodes_pauses_its_stage(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=9, slots=9)
    it.at(9, lambda: it.cluster.inject(Fault.REFUSED))
    it.at(10, lambda: it.cluster.fail_node("n2"))
    ticks(it, 100, every=5)
    assert len(it.cluster.commands("sbatch")) == 3
    assert "copy is paused" in status(it).to_text()
    assert not known(it).includes_all(it.clock.now()), "so it was not for these nodes"


def test_many_ticks_ask_no_more_than_one_conductor(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=6, queue_s=9e9)
    ticks(it, 60, every=5)
    asked = it.cluster.commands("squeue", "sacct")
    assert 5 <= len(asked) <= 10
    assert all(later - earlier >= 30 for earlier, later in pairwise(asked))
    assert len(it.cluster.commands("scontrol")) == 1


def test_a_scheduler_that_does_not_answer_is_asked_more_rarely_by_many_ticks_too(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=6, queue_s=9e9)
    ticks(it, 2)
    it.cluster.inject(Fault.NO_CONTACT)
    ticks(it, 300, every=10)
    asked = [at for at in it.cluster.commands("squeue", "sacct") if at > 120]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps == sorted(gaps)
    assert 600 <= gaps[-1] <= 620
    assert known(it).failures > 4
    it.cluster.clear_faults()
    ticks(it, 70, every=10)
    assert known(it).failures == 0


def test_a_scheduler_that_does_not_cancel_is_tried_again_after_a_while_by_many_ticks_too(
    tmp_path: Path,
) -> None:
    it = Grid(tmp_path, ONE_EACH, units=3, queue_s=9e9)
    ticks(it, 1)
    it.cluster.inject(Fault.NO_CONTACT)
    it.ask("cancel")
    ticks(it, 20, every=5)
    tries = it.cluster.commands("scancel")
    assert [later - earlier for earlier, later in pairwise(tries)] == [30, 30, 30]
    it.cluster.clear_faults()
    ticks(it, 20, every=5)
    assert len(it.cluster.commands("scancel")) == len(tries) + 1, "once it is done it is done"
    assert it.rows("SELECT state FROM job") == [("finished",)]


def test_runners_that_cannot_begin_are_counted_for_each_site(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=1, queue_s=100.0, remembers_s=0.0)
    with Ledger.open(it.root, create=True) as ledger:
        learn(ledger, "elsewhere", false_starts=3)
    it.clock.watchers.append(lambda: [it.cluster.forget(job) for job in it.cluster.jobs])
    ticks(it, 15)
    here = known(it).false_starts
    assert here > 0
    with Ledger.open(it.root, readonly=True) as ledger:
        assert experience_of(ledger.db, "elsewhere").false_starts == 3


def test_a_clock_that_is_put_back_lets_nothing_rest_for_ever(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=8, array_size=4, most_submitted=4, rule=taking(30))
    ticks(it, 1)
    assert known(it).rests(it.clock.now() - 30)
    it.clock.set(it.clock.now() - 86_400 * 365)
    assert not known(it).rests(it.clock.now())
    ticks(it, 10)
    assert it.states() == {"done": 8}


def test_a_clock_that_is_put_back_a_little_lets_nothing_rest_for_long(tmp_path: Path) -> None:
    it = Grid(tmp_path, ONE_EACH, units=8, array_size=4, most_submitted=4, rule=taking(30))
    ticks(it, 1)
    it.clock.set(it.clock.now() - 400)
    ticks(it, 15)
    assert it.states() == {"done": 8}


def test_a_small_array_waits_for_what_trickles_in_also_when_another_conductor_comes(tmp_path: Path) -> None:
    look = ONE_EACH.replace("[stage.copy]", '[stage.look]\nafter = ["copy"]').replace("out/", "look/")
    it = Grid(
        tmp_path, ONE_EACH + look, units=4, slots=9, rule=lambda run: Outcome(seconds=2.0 + int(run.key[-1]))
    )
    ticks(it, 30, every=1)
    handed_in = [job.submitted for job in it.cluster.jobs]
    assert all(later - earlier >= 10 for earlier, later in pairwise(handed_in[1:]))
    assert len(handed_in) == 3
    assert it.states("look") == {"done": 4}


def test_what_was_learned_of_a_site_is_typed_and_survives(tmp_path: Path) -> None:
    with Ledger.open(tmp_path, create=True) as ledger:
        learn(ledger, "hpc", version="23.11", accounting=False, limits_told=1.0)
        both = learn(ledger, "hpc", history_asked=True)
        assert both == experience_of(ledger.db, "hpc")
        assert (both.accounting, both.history_asked, both.array_size) == (False, True, None)
        assert json.loads(json.dumps(both.accounting)) is False
        assert experience_of(ledger.db, "other") == Experience()
