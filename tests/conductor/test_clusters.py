"""One scenario a rule: how work is handed to a cluster, followed there, and brought home."""

import json
import re
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from tests.conductor.grid import COPY, JOIN, Grid, first_try, taking

from penstock.conductor import Conductor
from penstock.ledger import Ledger
from penstock.ledger.experience import learn
from penstock.testing import ConductorKilled, Fault, Outcome, Run

MINUTE = 60.0


@pytest.fixture(params=[False, True], ids=["one conductor", "a new one every turn"])
def grid(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """A function that makes a campaign on a pretended cluster, driven in each of the two ways."""
    return lambda stages=COPY, **options: Grid(tmp_path, stages, fresh=request.param, **options)


def all_done_at_the_first_try(grid: Grid, units: int = 6) -> None:
    assert grid.states() == {"done": units}
    assert grid.outcomes() == ["ok"] * units
    assert set(grid.begun().values()) == {1}


# --- what is submitted ----------------------------------------------------------------------------


def test_ready_tasks_become_batches_and_batches_the_elements_of_one_array(grid: Any) -> None:
    it = grid(COPY + JOIN)
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert it.states("join") == {"done": 2}
    assert [(len(job.elements), job.is_array) for job in it.cluster.jobs] == [(3, True), (1, False)]


def test_one_element_is_submitted_plain(grid: Any) -> None:
    it = grid(units=2)
    assert it.run().code == 0
    assert [job.is_array for job in it.cluster.jobs] == [False]
    assert it.rows("SELECT DISTINCT native FROM life") == [(str(it.job().native),)]


@pytest.mark.parametrize("site", ["", "array_size = 3\n"], ids=["the scheduler's", "the site's"])
def test_arrays_are_split_at_the_smaller_limit(grid: Any, site: str) -> None:
    it = grid(units=16, site=site, array_size=5)
    assert it.run().code == 0
    most = 3 if site else 5
    assert max(len(job.elements) for job in it.cluster.jobs) == most
    assert len(it.cluster.jobs) == -(-8 // most)
    all_done_at_the_first_try(it, 16)


def test_submissions_are_units_by_batch_and_array_size(grid: Any) -> None:
    it = grid(units=400, array_size=50, slots=1000)
    assert it.run().code == 0
    assert len(it.cluster.commands("sbatch")) == 400 / (2 * 50)


def units_of_arrays(grid: Grid, stage: str) -> list[list[str]]:
    """Return the keys of the units that each array of a stage had, in the order of the arrays."""
    rows = grid.rows(
        "SELECT a.job, u.key FROM attempt a JOIN stage s ON s.id = a.stage JOIN unit u ON u.id = a.unit"
        " WHERE s.name = ? ORDER BY a.job, u.id",
        stage,
    )
    return [[key for _, key in some] for _, some in groupby(rows, key=itemgetter(0))]


def test_groups_may_have_arrays_of_their_own(grid: Any) -> None:
    it = grid(COPY + 'array = "night"\n', units=10, slots=2)
    begun = it.clock.now()
    assert it.run().code == 0
    all_done_at_the_first_try(it, 10)
    assert [len(job.elements) for job in it.cluster.jobs] == [3, 3]
    assert units_of_arrays(it, "copy") == [
        [f'["{night}",{n}]' for n in range(first, 10, 2)] for first, night in enumerate("ab")
    ]
    submitted = [row[0] - begun for row in it.rows("SELECT submitted FROM job")]
    assert submitted[1] - submitted[0] < 5, "no group waits for the company of another"


def test_what_trickles_in_goes_together_in_the_arrays_of_its_group(grid: Any) -> None:
    stages = CHAIN.replace("batch = 2", "batch = 1") + 'array = "night"\n'
    it = grid(stages, units=8, slots=8, rule=trickling, even=True)
    assert it.run().code == 0
    assert it.states("look") == {"done": 8}
    arrays = units_of_arrays(it, "look")
    assert all(len({key[2] for key in keys}) == 1 for keys in arrays)
    assert len(arrays) == 4, "of each night one after two minutes, and one of the rest"


CHAIN = (
    COPY
    + """
[stage.look]
each = "run"
after = ["copy"]
command = ["cp", "x", "{product}"]
products = "look/{night}/{run}.txt"
batch = 4
"""
)


FOLLOWER = """
[stage.look]
each = "run"
with = "copy"
command = ["cp", "{inputs.copy}", "{product}"]
products = "look/{night}/{run}.txt"
"""


def trickling(run: Run) -> Outcome:
    """The rule by which copies take longer the later they come."""
    return Outcome(seconds=20.0 + 40.0 * int(run.key.split("/")[-1]) if run.stage == "copy" else 5.0)


def of_stage(grid: Grid, stage: str) -> list[tuple[float, list[int]]]:
    """Return when jobs of a stage were created, and the sizes of their batches."""
    rows = grid.rows(
        "SELECT j.id, j.created, b.size FROM job j JOIN batch b ON b.job = j.id JOIN stage s ON s.id = b.stage"
        " WHERE s.name = ? ORDER BY j.id, b.element",
        stage,
    )
    begun = grid.clock.now() - grid.clock.monotonic()
    jobs = {row[0]: (row[1] - begun, list[int]()) for row in rows}
    for number, _, size in rows:
        jobs[number][1].append(size)
    return list(jobs.values())


def test_a_batch_that_is_not_full_waits_for_company_and_no_longer_than_batch_wait(grid: Any) -> None:
    it = grid(CHAIN.replace("batch = 2", "batch = 1"), units=8, slots=8, rule=trickling, even=True)
    assert it.run().code == 0
    looks = of_stage(it, "look")
    assert sum(sum(sizes) for _, sizes in looks) == 8
    assert all(later - earlier >= 120 for (earlier, _), (later, _) in pairwise(looks[:-1]))
    assert looks[0][0] == pytest.approx(20 + 120, abs=5)


def test_a_batch_leaves_at_once_when_it_is_full(grid: Any) -> None:
    it = grid(
        CHAIN.replace("batch = 2", "batch = 1") + "batch_wait = '1h'\n",
        units=8,
        slots=8,
        rule=trickling,
        even=True,
    )
    assert it.run().code == 0
    looks = of_stage(it, "look")
    assert [sizes for _, sizes in looks] == [[4], [4]]
    assert looks[0][0] == pytest.approx(20 + 40 * 3, abs=5)


def test_a_batch_leaves_at_once_when_nothing_upstream_can_add_to_it(grid: Any) -> None:
    it = grid(
        CHAIN.replace("batch = 2", "batch = 1") + "batch_wait = '1h'\n",
        units=3,
        slots=8,
        rule=trickling,
        even=True,
    )
    assert it.run().code == 0
    looks = of_stage(it, "look")
    assert [sizes for _, sizes in looks] == [[3]]
    assert looks[0][0] == pytest.approx(20 + 40 * 2, abs=5)


def test_what_may_kill_its_runner_waits_for_no_company(grid: Any) -> None:
    def rule(run: Run) -> Outcome:
        if run.stage == "look":
            return Outcome(then="dies") if run.number == 1 and run.key.endswith("/0") else Outcome(seconds=5)
        return Outcome(seconds=20.0 + 150.0 * int(run.key.split("/")[-1]))

    it = grid(CHAIN.replace("batch = 2", "batch = 1") + "batch_wait = '1h'\n", units=8, slots=8, rule=rule)
    assert it.run().code == 0
    looks = of_stage(it, "look")
    assert [sizes for _, sizes in looks] == [[4], [1], [4], [3]]
    assert looks[1][0] < 20 + 150 * 6


def test_a_batch_that_is_not_full_waits_while_units_may_come_by_themselves(grid: Any) -> None:
    it = grid(units=5)
    it.tick()
    assert [len(job.elements) for job in it.cluster.jobs] == [2]
    for _ in range(4):
        it.tick()
    assert [len(job.elements) for job in it.cluster.jobs] == [2, 1]


ASKING = COPY + 'resources = { walltime = "10min", memory = "1GB", cpus = 2 }\n'


def test_a_job_asks_for_what_its_batch_needs(grid: Any) -> None:
    it = grid(ASKING + "workers = 2\n", rule=taking(5))
    assert it.run().code == 0
    assert it.job().memory_mb == pytest.approx(2 * 954, abs=1)
    assert it.job().walltime_s == 12 * MINUTE  # one round of ten minutes, and what comes before and after


def test_measured_tasks_make_walltimes_and_batches_true(grid: Any) -> None:
    it = grid(
        ASKING.replace("batch = 2", 'batch = "10min"'),
        units=60,
        site="max_walltime = '1h'\nmax_jobs = 1\n",
        array_size=1,
    )
    assert it.run().code == 0
    sizes = [sizes[0] for _, sizes in of_stage(it, "copy")]
    assert sizes[:4] == [5] * 4  # an hour has room for five of ten minutes
    assert sizes[4] == 20  # ten minutes of work at the measured half minute


def test_a_limit_as_long_as_the_site_allows_leaves_time_to_run_at_all(grid: Any) -> None:
    it = grid(ASKING, site="max_walltime = '10min'\n")
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert {job.walltime_s for job in it.cluster.jobs} == {10 * MINUTE}


def asked(grid: Grid) -> dict[str, Any]:
    """Return what the first job asked for."""
    return json.loads(grid.rows("SELECT request FROM job ORDER BY id LIMIT 1")[0][0])


def test_what_runs_one_after_another_asks_for_the_most_of_each_and_the_time_of_all(grid: Any) -> None:
    look = FOLLOWER + 'resources = { walltime = "5min", memory = "3GB", cpus = 4 }\n'
    it = grid(ASKING + look, units=2)
    assert it.run().code == 0
    assert it.states("look") == {"done": 2}
    wanted = {"cpus": 4, "memory_bytes": 3_000_000_000, "walltime_s": 2 * 900 + 90}
    assert {key: asked(it)[key] for key in wanted} == wanted


@pytest.mark.parametrize(("site", "walltime_s"), [("", None), ("max_walltime = '1h'\n", 3600)])
def test_a_chain_of_which_one_may_take_any_time_asks_for_what_the_site_has(
    grid: Any, site: str, walltime_s: float | None
) -> None:
    it = grid(ASKING + FOLLOWER, units=2, site=site)
    assert it.run().code == 0
    assert asked(it)["walltime_s"] == walltime_s


def test_no_more_workers_are_asked_for_than_a_batch_has_tasks(grid: Any) -> None:
    it = grid(ASKING + "workers = 4\n", units=2)
    assert it.run().code == 0
    assert (asked(it)["cpus"], asked(it)["memory_bytes"]) == (2 * 2, 2_000_000_000)


# --- what did not end well ------------------------------------------------------------------------


def test_memory_that_did_not_suffice_is_doubled_up_to_the_site_s_and_the_task_is_alone(grid: Any) -> None:
    it = grid(ASKING, site="max_memory = '1.5GB'\n", rule=first_try(Outcome("out_of_memory", 5), 2))
    assert it.run().code == 0
    assert it.outcomes(run=2) == ["out_of_memory", "ok"]
    assert it.job().memory_mb == pytest.approx(1431, abs=1)
    assert it.job().id_of(1) == str(it.job().native)
    assert [n for n, times in it.begun().items() if times > 1] == [2]


def test_time_that_did_not_suffice_is_doubled(grid: Any) -> None:
    it = grid(ASKING, rule=lambda run: Outcome(seconds=900 if run.key.endswith("/2") else 30))
    assert it.run().code == 0
    assert it.outcomes(run=2) == ["timeout", "ok"]
    assert it.job().walltime_s == 22 * MINUTE


def test_time_is_not_doubled_beyond_what_the_site_allows(grid: Any) -> None:
    it = grid(
        ASKING,
        site="max_walltime = '12min'\n",
        rule=lambda run: Outcome(seconds=900 if run.key.endswith("/2") else 30),
    )
    ending = it.run()
    assert ending.code == 1
    assert it.states() == {"done": 5, "failed": 1}
    assert it.outcomes(run=2) == ["timeout"] * 3


@pytest.mark.parametrize("word", ["TIMEOUT", "OUT_OF_MEMORY"])
def test_what_the_scheduler_says_of_a_killed_element_is_what_its_running_task_died_of(
    grid: Any, word: str
) -> None:
    it = grid(ASKING)
    it.at(40, lambda: it.cluster.kill(it.element(2), word, code="0:0"))
    assert it.run().code == 0
    assert sorted(it.outcomes()) == sorted(["ok"] * 6 + [word.lower()])
    assert it.rows("SELECT count(*) FROM attempt WHERE why LIKE ?", f"%{word}%") == [(1,)]


def test_only_the_tasks_of_a_failed_element_are_submitted_again(grid: Any) -> None:
    it = grid()
    it.at(40, lambda: it.cluster.fail_node(it.element(2).node))
    assert it.run().code == 0
    assert [len(job.elements) for job in it.cluster.jobs] == [3, 1]
    assert it.job(0).name != it.job(1).name
    assert sorted(it.outcomes()) == ["node_failure", *["ok"] * 6]
    assert len(it.units_of(1)) == 1


def test_what_ran_on_a_node_that_may_only_be_cut_off_is_told_to_stop(grid: Any) -> None:
    it = grid()
    it.at(40, lambda: it.cluster.fail_node(it.element(2).node))
    assert it.run().code == 0
    with ZipFile(it.root / f".penstock/jobs/{it.job(0).name}.zip") as archive:
        assert "2.revoked" in archive.namelist()


def test_two_different_tasks_exclude_a_node_for_a_day(grid: Any) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 1"), units=9, slots=9)
    it.at(10, lambda: it.cluster.fail_node("n2"))
    assert it.run().code == 0
    assert it.job().excluded == {"n2"}


def test_a_node_is_excluded_by_the_short_name_that_schedulers_know(grid: Any) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 1"), units=9, slots=9, nodes=["n1.lab", "n2.lab"])
    it.at(10, lambda: it.cluster.fail_node("n2.lab"))
    assert it.run().code == 0
    assert it.job().excluded == {"n2"}


def test_one_task_excludes_no_node(grid: Any) -> None:
    it = grid()
    it.at(10, lambda: it.cluster.fail_node("n2"))
    assert it.run().code == 0
    assert it.job().excluded == {""}


def test_one_task_that_fails_with_its_node_again_and_again_excludes_none(grid: Any) -> None:
    it = grid(units=1, rule=taking(500))
    for seconds in (10, 400, 800):
        it.at(seconds, lambda: it.cluster.fail_node("n2"))
    assert it.run().code == 0
    assert it.outcomes() == ["node_failure"] * (len(it.cluster.jobs) - 1) + ["ok"]
    assert len(it.cluster.jobs) > 2
    assert {job.excluded for job in it.cluster.jobs} == {frozenset({""})}


def test_nodes_that_the_scheduler_may_not_know_by_that_name_are_not_named_again(grid: Any) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 1"), units=9, slots=9)
    it.at(9, lambda: it.cluster.inject(Fault.REFUSED, 1))
    it.at(10, lambda: it.cluster.fail_node("n2"))
    assert it.run().code == 0
    assert it.states() == {"done": 9}
    assert it.job().excluded == {""}


def test_a_task_whose_program_failed_waits_before_it_is_handed_in_again(grid: Any) -> None:
    it = grid(rule=first_try(Outcome("error", 5, code=1), 2))
    assert it.run().code == 0
    ended = it.rows("SELECT ended FROM attempt WHERE outcome = 'error'")[0][0]
    assert it.job().submitted - ended >= MINUTE


def test_what_a_person_cancelled_is_shown_and_not_submitted_again_until_somebody_retries_it(
    grid: Any,
) -> None:
    it = grid()
    it.at(10, lambda: it.cluster.cancel(it.job(), 1))
    ending = it.run()
    assert ending.code == 1
    assert it.states() == {"done": 4, "failed": 2}
    assert len(it.cluster.jobs) == 1
    why = it.rows("SELECT DISTINCT why FROM task WHERE state = 'failed'")
    assert len(why) == 1
    assert "CANCELLED" in why[0][0]
    assert "penstock retry" in why[0][0]
    it.ask("retry")
    assert it.run().code == 0
    assert it.states() == {"done": 6}


def test_what_a_person_cancelled_before_it_began_is_not_submitted_again_either(grid: Any) -> None:
    it = grid(queue_s=3600.0)
    it.at(100, lambda: it.cluster.cancel(it.job()))
    assert it.run().code == 1
    assert it.states() == {"failed": 6}
    assert it.begun() == {}


@pytest.mark.parametrize("held", [False, True])
def test_an_element_that_was_taken_out_of_a_waiting_array_is_not_submitted_again_either(
    grid: Any, held: bool
) -> None:
    it = grid(queue_s=3600.0)
    if held:
        it.at(5, lambda: setattr(it.job().elements[2], "reason", "JobHeldUser"))
    it.at(100, lambda: it.cluster.cancel(it.job(), 2))
    assert it.run().code == 1
    assert it.states() == {"done": 4, "failed": 2}
    assert len(it.cluster.jobs) == 1
    why = it.rows("SELECT DISTINCT why FROM task WHERE state = 'failed'")[0][0]
    assert "cancelled at pretend: it was pending" in why
    assert "penstock retry" in why


@pytest.mark.parametrize("without", ["accounting", "others"])
def test_what_may_as_well_be_lost_is_not_called_cancelled(grid: Any, without: str) -> None:
    it = grid(queue_s=1800.0, history_after_s=None if without == "accounting" else 0.0)
    if without == "accounting":
        it.at(100, lambda: it.cluster.cancel(it.job(), 2))
    else:
        it.at(100, lambda: it.cluster.forget(it.job()))
    assert it.run().code == 0
    assert it.states() == {"done": 6}
    assert len(it.cluster.jobs) == 2


def test_preempted_elements_come_back_for_free(grid: Any) -> None:
    it = grid()
    it.at(10, lambda: it.cluster.preempt(it.element(1)))
    begun = it.clock.now()
    assert it.run().code == 0
    assert sorted(it.outcomes()) == [*["ok"] * 6, "preempted"]
    assert it.job(1).submitted - begun < 10 + MINUTE  # its last words are reason enough to ask
    assert it.rows("SELECT max(tries), max(alone) FROM task") == [(0, 0)]


# --- claims, lives, silence, loss -----------------------------------------------------------------


def test_a_double_of_a_job_does_nothing(grid: Any) -> None:
    it = grid()
    it.at(5, lambda: it.cluster.double(it.job()))
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert {e.word for job in it.cluster.jobs for e in job.elements.values()} == {"COMPLETED"}


def test_a_double_that_claims_first_is_the_one_that_counts(grid: Any) -> None:
    it = grid(queue_s=100.0)
    it.at(5, lambda: setattr(it.job(), "submitted", it.clock.now()))
    it.at(6, lambda: [setattr(e, "since", -1e9) for e in it.cluster.double(it.job()).elements.values()])
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert it.rows("SELECT DISTINCT native FROM life") == [(str(it.job(1).native),)]


def test_how_a_double_that_claimed_first_ended_is_asked_for_under_its_own_id(grid: Any) -> None:
    it = grid(units=2, queue_s=100.0, rule=taking(100))
    it.at(6, lambda: setattr(it.cluster.double(it.job()).elements[1], "since", -1e9))
    it.at(40, lambda: it.cluster.fail_node(it.element(1, 1).node))
    assert it.run().code == 0
    assert it.outcomes(run=0) == ["node_failure", "ok"]


def test_the_same_id_again_is_the_next_life_and_skips_what_the_first_one_ended(grid: Any) -> None:
    it = grid(units=2)
    it.at(40, lambda: it.cluster.requeue(it.element(1)))
    assert it.run().code == 0
    assert it.rows("SELECT life FROM life") == [(1,), (2,)]
    assert it.begun() == {0: 1, 1: 2}
    assert it.outcomes() == ["ok", "ok"]
    assert len(it.cluster.jobs) == 1


def test_an_element_that_ends_before_its_tasks_do_is_not_done(grid: Any) -> None:
    it = grid(units=2)
    it.at(40, lambda: it.cluster.kill(it.element(1), "COMPLETED", code="0:0"))
    assert it.run().code == 0
    assert it.outcomes(run=1) == ["lost", "ok"]
    assert it.outcomes(run=0) == ["ok"]


def test_what_is_seen_late_of_an_ended_element_still_counts(grid: Any) -> None:
    it = grid()
    it.cluster.inject(Fault.FILES_LATE)
    assert it.run().code == 0
    all_done_at_the_first_try(it)


def test_nothing_is_asked_of_elements_that_speak(grid: Any) -> None:
    it = grid(units=8, rule=taking(1800))
    assert it.run().code == 0
    all_done_at_the_first_try(it, 8)
    assert it.clock.monotonic() > 3600
    assert [at for at in it.cluster.commands("squeue", "sacct") if at > 30] == []


def test_a_silent_element_is_asked_about_after_three_minutes_and_waited_for_while_it_is_there(
    grid: Any,
) -> None:
    it = grid(units=2, rule=taking(1800), even=True)
    it.at(100, lambda: setattr(it.element(1).runner, "silent", True))
    it.at(2000, lambda: setattr(it.element(1).runner, "silent", False))
    assert it.run().code == 0
    all_done_at_the_first_try(it, 2)
    asked = [at for at in it.cluster.commands("squeue", "sacct") if at > 30]
    assert asked[0] == pytest.approx(60 + 180, abs=5)
    assert len(asked) > 20


@pytest.mark.parametrize(
    ("history", "fails", "at_most"), [(0.0, False, 200), (None, False, 160), (0.0, True, 750)]
)
def test_an_element_is_lost_after_two_valid_answers_without_it_two_minutes_apart(
    grid: Any, history: float | None, fails: bool, at_most: float
) -> None:
    it = grid(units=2, rule=taking(100), history_after_s=history)
    it.at(10, lambda: it.cluster.forget(it.job()))
    if fails:
        it.cluster.inject(Fault.HISTORY_FAILS)
    assert it.run().code == 0
    assert it.outcomes() == ["lost", "ok", "ok"]
    lost_at = it.rows("SELECT ended FROM attempt WHERE outcome = 'lost'")[0][0] - 1_600_000_000
    absent = next(at for at in it.cluster.commands("squeue") if at > 30)
    assert absent + 120 <= lost_at <= absent + at_most


def test_one_answer_without_a_job_loses_nothing(grid: Any) -> None:
    it = grid(queue_s=600.0)
    it.at(100, lambda: it.cluster.inject(Fault.LEFT_OUT, 1))
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert len(it.cluster.jobs) == 1


def test_answers_without_a_job_on_both_sides_of_one_with_it_lose_nothing(grid: Any) -> None:
    it = grid(queue_s=900.0)
    for seconds in (100, 400):
        it.at(seconds, lambda: it.cluster.inject(Fault.LEFT_OUT, 1))
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert it.cluster.commands("scancel") == []


def test_while_the_accounting_does_not_answer_nothing_is_lost_for_ten_minutes(grid: Any) -> None:
    it = grid(units=2)
    it.cluster.inject(Fault.HISTORY_FAILS)
    it.at(10, lambda: it.cluster.forget(it.job()))
    assert it.run().code == 0
    assert it.job(1).submitted - it.job(0).submitted >= 10 * MINUTE


def test_what_is_lost_is_cancelled_in_case_it_is_there_after_all(grid: Any) -> None:
    it = grid(units=2, queue_s=1500.0)
    it.at(100, lambda: it.cluster.inject(Fault.LEFT_OUT))
    it.at(600, it.cluster.clear_faults)
    assert it.run().code == 0
    assert [e.word for e in it.job(0).elements.values()] == ["CANCELLED"]


@pytest.mark.parametrize("fault", [Fault.NO_CONTACT, Fault.EMPTY_ANSWER, Fault.CUT_ANSWER, Fault.NO_ANSWER])
def test_hours_without_a_valid_answer_lose_nothing_and_are_shown(grid: Any, fault: Fault) -> None:
    it = grid(queue_s=7200.0, stride=5)
    it.at(60, lambda: it.cluster.inject(fault))
    seen: list[Any] = []
    it.at(6000, lambda: seen.extend(it.rows("SELECT why FROM problem WHERE source = 'site pretend'")))
    it.at(7000, it.cluster.clear_faults)
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert len(it.cluster.jobs) == 1
    assert len(seen) == 1
    assert it.rows("SELECT why FROM problem WHERE source = 'site pretend'") == []


def test_what_may_live_is_told_to_stop_before_its_tasks_are_given_to_others(grid: Any) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 3"), rule=taking(1000))
    it.at(
        100, lambda: (it.cluster.forget(it.job(), alive=True), setattr(it.element(1).runner, "silent", True))
    )
    it.at(900, lambda: setattr(it.element(1, job=0).runner, "silent", False))
    assert it.run().code == 0
    assert it.states() == {"done": 6}
    assert sorted(it.begun().values()) == [1, 1, 1, 1, 1, 2]
    assert it.rows("SELECT count(*) FROM attempt WHERE outcome = 'ok' AND NOT late") == [(6,)]
    assert it.rows("SELECT count(*) FROM attempt WHERE late") == [(1,)]


def test_a_run_by_cron_loses_what_is_gone_too(grid: Any) -> None:
    it = grid(units=2)
    it.tick()
    it.cluster.forget(it.job())
    for _ in range(20):
        it.tick()
    assert it.outcomes()[0] == "lost"
    assert it.states() == {"done": 2}


# --- submission, found again ----------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.TAKEN_IN_SILENCE, Fault.TAKEN_GARBLED, Fault.TAKEN_WITH_ERROR])
def test_a_job_that_was_taken_without_an_id_is_found_by_its_name(grid: Any, fault: Fault) -> None:
    it = grid(queue_s=300.0)
    it.cluster.inject(fault, 1)
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert len(it.cluster.jobs) == 1


def test_a_job_that_is_taken_after_its_command_was_given_up_is_found(grid: Any) -> None:
    it = grid()
    it.cluster.inject(Fault.TAKEN_LATE, 1)
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert len(it.cluster.jobs) == 1


def test_a_job_that_was_taken_without_an_id_is_known_by_its_claim(grid: Any) -> None:
    it = grid()
    it.cluster.inject(Fault.TAKEN_WITH_ERROR, 1)
    it.at(1, lambda: it.cluster.inject(Fault.NO_CONTACT))
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert it.rows("SELECT native FROM job") == [(str(it.job().native),)]


def test_a_job_that_was_not_taken_is_handed_in_again_under_its_name_after_the_time_limit_and_a_minute(
    grid: Any,
) -> None:
    it = grid()
    it.cluster.inject(Fault.NO_CONTACT, 2)  # one for scontrol
    assert it.run().code == 0
    first, second = it.cluster.commands("sbatch")
    assert 180 <= second - first <= 240
    assert it.rows("SELECT token, tries FROM job") == [(it.job().name, 2)]
    all_done_at_the_first_try(it)


def test_each_further_try_waits_as_long(grid: Any) -> None:
    it = grid()
    it.cluster.inject(Fault.NOT_TAKEN, 2)
    assert it.run().code == 0
    sent = it.cluster.commands("sbatch")
    assert len(sent) == 3
    assert all(later - earlier >= 180 for earlier, later in pairwise(sent))
    all_done_at_the_first_try(it)
    assert len(it.cluster.jobs) == 1


def test_a_job_that_is_never_taken_pauses_its_stage_and_costs_nothing(grid: Any) -> None:
    it = grid(stride=5)
    it.cluster.inject(Fault.NOT_TAKEN)
    ending = it.run()
    assert ending.code == 1
    assert len(it.cluster.commands("sbatch")) == 3
    assert any("was sent job" in line for line in ending.lines)
    assert it.states() == {"ready": 6}
    assert it.outcomes() == []


@pytest.mark.parametrize("array_size", [1000, 3, 2, 1])
def test_a_refused_job_pauses_its_stage_with_the_scheduler_s_words_and_costs_nothing(
    grid: Any, array_size: int
) -> None:
    it = grid(array_size=array_size)
    it.cluster.inject(Fault.REFUSED, 20)
    ending = it.run()
    assert ending.code == 1
    assert it.states() == {"ready": 6}
    assert it.outcomes() == []
    assert len(it.cluster.commands("sbatch")) == 1
    said = "\n".join(ending.lines)
    assert "Invalid partition name specified" in said
    assert "correct the site's `queue`" in said
    it.cluster.clear_faults()
    it.ask("retry", stage="copy")
    assert it.run().code == 0
    all_done_at_the_first_try(it)


def test_a_full_queue_is_waited_for_longer_and_longer_while_jobs_of_ours_are_there(grid: Any) -> None:
    it = grid(units=24, array_size=4, most_submitted=4, rule=taking(300), even=True)
    assert it.run().code == 0
    all_done_at_the_first_try(it, 24)
    tries = it.cluster.commands("sbatch")
    assert len(it.cluster.jobs) == 3
    assert [later - earlier for earlier, later in pairwise(tries)][:5] == [0, 60, 120, 240, 480]


def test_an_array_that_is_too_large_for_an_empty_queue_is_halved(grid: Any) -> None:
    it = grid(units=40, most_submitted=6)
    assert it.run().code == 0
    all_done_at_the_first_try(it, 40)
    assert max(len(job.elements) for job in it.cluster.jobs) == 5


# --- limits, and who goes first -------------------------------------------------------------------


def most_at_once(grid: Grid, look: Any) -> list[int]:
    """Return what `look` says as time goes on."""
    seen: list[int] = []
    grid.clock.watchers.append(lambda: seen.append(look()))
    return seen


def test_max_jobs_is_kept_and_read_again_while_it_runs(grid: Any) -> None:
    it = grid(units=40, array_size=2, site="max_jobs = 1\n", rule=taking(60), slots=100, even=True)
    out = most_at_once(it, lambda: len([job for job in it.cluster.jobs if not job.is_over]))
    it.at(200, lambda: it.define(COPY, "max_jobs = 3\n"))
    assert it.run().code == 0
    assert max(out[: int(190 / it.stride)]) == 1
    assert max(out) == 3


def test_what_is_out_at_another_site_does_not_count(grid: Any) -> None:
    other = COPY.replace("stage.copy", "stage.look").replace("out/", "look/") + 'site = "other"\n'
    it = grid(
        COPY + other + '[site.other]\nscheduler = "slurm"\nmax_jobs = 1\n', site="max_jobs = 1\n", slots=9
    )
    campaign = it.made.load()
    there = {name: it.cluster.site(campaign.sites[name], it.root) for name in ("pretend", "other")}
    out = most_at_once(it, lambda: len([job for job in it.cluster.jobs if not job.is_over]))
    with Conductor(campaign, command="run", clock=it.clock, clusters=there) as conductor:
        assert conductor.run().code == 0
    assert max(out) == 2
    assert (it.states(), it.states("look")) == ({"done": 6}, {"done": 6})


def test_max_queued_tasks_is_kept(grid: Any) -> None:
    it = grid(
        COPY.replace("batch = 2", "batch = 1"), units=40, site="max_queued_tasks = 8\n", rule=taking(20), slots=3
    )  # fmt: skip
    out = most_at_once(it, lambda: len(it.cluster.elements("PENDING", "RUNNING")))
    assert it.run().code == 0
    assert max(out) == 8
    all_done_at_the_first_try(it, 40)


def test_max_parallel_is_the_throttle_of_an_array(grid: Any) -> None:
    it = grid(units=40, site="max_parallel = 2\n", slots=100)
    most = most_at_once(it, lambda: len(it.cluster.elements("RUNNING")))
    assert it.run().code == 0
    assert max(most) == 2


def test_groups_take_turns_where_not_all_can_go_at_once(grid: Any) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 1"), units=8, nights="aaab", site="max_queued_tasks = 4\n")
    assert it.run().code == 0
    first = it.rows(
        "SELECT substr(u.key, 3, 1) FROM attempt a JOIN unit u ON u.id = a.unit WHERE a.job ="
        " (SELECT min(id) FROM job)"
    )
    assert sorted(row[0] for row in first) == ["a", "a", "b", "b"]


# --- how much a scheduler is asked ----------------------------------------------------------------


def per_minute(times: list[float]) -> int:
    """Return the most commands within any minute."""
    return max((sum(1 for t in times if start <= t < start + MINUTE) for start in times), default=0)


def test_two_questions_a_minute_at_most_however_many_jobs(grid: Any) -> None:
    it = grid(
        COPY.replace("batch = 2", "batch = 1"),
        units=60,
        array_size=2,
        slots=3,
        queue_s=300.0,
        rule=taking(60),
    )
    it.at(500, lambda: it.cluster.forget(it.job(5)))
    assert it.run().code == 0
    assert len(it.cluster.jobs) >= 30
    assert per_minute(it.cluster.commands("squeue", "sacct", "scontrol")) <= 2 + 1  # the limits, once a day
    assert per_minute([t for t in it.cluster.commands("squeue", "sacct", "scontrol") if t > 1]) <= 2


def test_a_scheduler_that_answers_slowly_is_asked_rarely(grid: Any) -> None:
    it = grid(queue_s=3600.0, answers_after_s=10.0)
    assert it.run().code == 0
    asked = [t for t in it.cluster.commands("squeue", "sacct") if t < 3600]
    assert len(asked) > 9
    assert all(later - earlier >= 200 for earlier, later in pairwise(asked))


def test_a_scheduler_that_does_not_answer_is_asked_more_and_more_rarely(grid: Any) -> None:
    it = grid(queue_s=7200.0, stride=5)
    it.at(60, lambda: it.cluster.inject(Fault.NO_CONTACT))
    it.at(7000, it.cluster.clear_faults)
    assert it.run().code == 0
    asked = [t for t in it.cluster.commands("squeue", "sacct") if 100 < t < 7000]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps == sorted(gaps)
    assert 590 <= gaps[-1] <= 620


def test_limits_that_cannot_be_asked_for_are_not_asked_for_all_the_time(grid: Any) -> None:
    it = grid(units=40, slots=4)
    it.cluster.inject(Fault.NO_CONTACT)
    it.at(300, it.cluster.clear_faults)
    assert it.run().code == 0
    assert len(it.cluster.commands("scontrol")) <= 3


# --- conductors come and go -----------------------------------------------------------------------


@pytest.mark.parametrize("steps", range(1, 12))
def test_another_conductor_goes_on_where_one_was_killed(grid: Any, steps: int) -> None:
    it = grid(COPY + JOIN)
    it.cluster.steps_to_live = steps
    with pytest.raises(ConductorKilled):
        it.run()
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert it.states("join") == {"done": 2}
    assert set(it.begun("join").values()) == {1}


def test_times_of_a_machine_before_it_was_started_again_prove_nothing(grid: Any) -> None:
    it = grid(units=2, queue_s=1500.0)
    it.clock.since_start = 1e6
    it.at(100, lambda: it.cluster.inject(Fault.LEFT_OUT))
    it.at(160, lambda: setattr(it.cluster, "steps_to_live", 1))
    with pytest.raises(ConductorKilled):
        it.run()
    assert it.rows("SELECT absent FROM element")[0][0] > 1e6
    it.clock.since_start = 0.0
    with Ledger.open(it.root) as ledger:
        learn(ledger, "pretend", boot="the boot before")
    it.at(400, it.cluster.clear_faults)
    it.cluster.forget(it.job())
    assert it.run().code == 0
    assert it.clock.monotonic() < 4000


def test_the_end_that_was_noted_before_a_machine_was_started_again_is_not_years_ahead(grid: Any) -> None:
    it = grid(units=2)
    it.clock.since_start = 1e6
    it.at(40, lambda: it.cluster.kill(it.element(1)))

    def kill() -> None:
        raise ConductorKilled

    it.at(240, kill)
    with pytest.raises(ConductorKilled):
        it.run()
    assert it.rows("SELECT ended > 1e6, finished FROM element") == [(1, 0)]
    it.clock.since_start = 0.0
    with Ledger.open(it.root) as ledger:
        learn(ledger, "pretend", boot="the boot before")
    assert it.run().code == 0
    assert it.clock.monotonic() < 4000


def test_a_script_says_what_it_was_written_for(grid: Any) -> None:
    it = grid()
    scripts: list[str] = []
    it.at(1, lambda: scripts.append((it.job().folder / "script.sh").read_text()))
    assert it.run().code == 0
    assert re.search(r"^# spec [0-9a-f]{64}$", scripts[0], re.MULTILINE)


# --- what was found by the ordeal of test_lying_scheduler.py, or by thinking ----------------------


def test_the_end_of_a_job_whose_double_is_at_work_is_not_the_end_of_its_tasks(grid: Any) -> None:
    it = grid(queue_s=8.0, slots=9, rule=taking(200))
    it.cluster.inject(Fault.FILES_LATE)
    it.at(2, lambda: [setattr(e, "since", -1e9) for e in it.cluster.double(it.job()).elements.values()])
    assert it.run().code == 0
    assert {e.word for e in it.job(0).elements.values()} == {"COMPLETED"}
    all_done_at_the_first_try(it)


def test_what_an_element_says_while_the_last_answer_is_on_its_way_saves_it(grid: Any) -> None:
    it = grid(units=2, rule=taking(2000), answers_after_s=20.0, history_after_s=None)
    it.at(
        100, lambda: (it.cluster.forget(it.job(), alive=True), setattr(it.element(1).runner, "silent", True))
    )

    def speak_at_last() -> None:
        if len([at for at in it.cluster.commands("squeue") if at > 200]) == 2:
            it.element(1).runner.silent = False

    it.clock.watchers.insert(0, speak_at_last)
    assert it.run().code == 0
    all_done_at_the_first_try(it, 2)
    assert len(it.cluster.jobs) == 1


def test_a_job_that_finds_the_queue_full_when_it_is_handed_in_again_costs_nothing(grid: Any) -> None:
    it = grid()
    it.cluster.inject(Fault.NOT_TAKEN, 1)
    it.cluster.inject(Fault.FULL, 1)
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert len(it.cluster.commands("sbatch")) == 3


def test_a_queue_that_is_full_for_hours_when_a_job_is_handed_in_again_pauses_nothing(grid: Any) -> None:
    it = grid()
    it.cluster.inject(Fault.NOT_TAKEN, 1)
    it.cluster.inject(Fault.FULL)
    it.at(7200, it.cluster.clear_faults)
    assert it.run().code == 0
    all_done_at_the_first_try(it)


@pytest.mark.parametrize("name", ["script.sh", "spec.json", "tasks.jsonl"])
def test_what_was_damaged_before_it_is_handed_in_again_is_told_and_goes_out_anew(
    grid: Any, name: str
) -> None:
    it = grid()
    it.cluster.inject(Fault.NOT_TAKEN, 1)
    damaged = list[str]()

    def damage() -> None:
        (path,) = (it.root / ".penstock/jobs").glob(f"p*/{name}")
        damaged.append(path.parent.name)
        path.write_bytes(path.read_bytes().replace(b"s", b"z"))

    it.at(60, damage)
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert len(it.cluster.commands("sbatch")) == 2
    assert it.job().name not in damaged
    ((source, why),) = it.rows("SELECT source, why FROM problem")
    assert source == f"job {damaged[0]}, {name}"
    assert why.endswith("is damaged: its job is closed and its tasks run again") or name == "tasks.jsonl"


@pytest.mark.parametrize("name", ["script.sh", "spec.json"])
def test_the_rest_of_an_array_whose_spec_is_damaged_goes_out_anew_with_its_first_element(
    grid: Any, name: str
) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 1"), units=9, slots=1, queue_s=60)

    def damage() -> None:
        (path,) = (it.root / ".penstock/jobs").glob(f"p*/{name}")
        path.write_bytes(path.read_bytes()[:-9])
        it.cluster.elements("PENDING")[0][1].end("FAILED", at=it.clock.now())
        it.cluster.slots = 0

    it.at(30, damage)
    it.at(900, lambda: setattr(it.cluster, "slots", 1))
    assert it.run().code == 0
    all_done_at_the_first_try(it, 9)
    words = [element.word for element in it.cluster.job(0).elements.values()]
    assert words == ["FAILED", *["CANCELLED"] * 8]
    assert len(it.cluster.jobs) == 2


def test_arrays_grow_again_when_there_is_room_again(grid: Any) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 1"), units=60, most_submitted=6, slots=9)

    def lift_the_limit() -> None:
        it.cluster.slurm.most_submitted = None
        with Ledger.open(it.root) as ledger:
            learn(ledger, "pretend", limits_due=None)  # as when a day went by

    it.at(100, lift_the_limit)
    assert it.run().code == 0
    sizes = [len(job.elements) for job in it.cluster.jobs]
    assert sizes[0] < 6 < max(sizes)


def test_cancelled_tasks_are_not_begun_by_the_elements_that_have_them(grid: Any) -> None:
    it = grid(queue_s=100.0)
    it.at(50, lambda: it.ask("cancel"))
    assert it.run().code == 1
    it.clock.turn(200)
    it.clock.turn(200)
    assert it.begun() == {}
    it.ask("retry")
    assert it.run().code == 0
    all_done_at_the_first_try(it)


def test_who_goes_leaves_jobs_at_work_and_the_next_conductor_hears_of_them(grid: Any) -> None:
    it = grid()
    it.at(20, lambda: it.ask("down"))
    it.run()
    assert it.states() == {"running": 3, "queued": 3}
    it.clock.turn(100)
    assert it.run().code == 0
    all_done_at_the_first_try(it)
    assert len(it.cluster.jobs) == 1


def test_a_place_that_loses_every_job_pauses_the_stage(grid: Any) -> None:
    it = grid(units=2, queue_s=100.0, stride=5)
    it.clock.watchers.append(lambda: [it.cluster.forget(job) for job in it.cluster.jobs])
    ending = it.run()
    assert ending.code == 1
    assert any("could not start" in line for line in ending.lines)
    assert any("try `penstock site test" in line for line in ending.lines)
    assert it.states() == {"ready": 2}


def test_one_large_job_that_is_lost_pauses_nothing(grid: Any) -> None:
    it = grid(units=24, queue_s=100.0)
    it.at(10, lambda: it.cluster.forget(it.job()))
    assert it.run().code == 0
    all_done_at_the_first_try(it, 24)


def test_a_runner_that_wakes_up_when_all_is_given_to_others_begins_nothing(grid: Any) -> None:
    it = grid(COPY.replace("batch = 2", "batch = 6"), slots=9, rule=taking(300))
    it.at(
        10, lambda: (it.cluster.forget(it.job(), alive=True), setattr(it.element(1).runner, "silent", True))
    )
    it.at(900, lambda: setattr(it.element(1, job=0).runner, "silent", False))
    assert it.run().code == 0
    assert it.states() == {"done": 6}
    assert sorted(it.begun().values()) == [1, 1, 1, 1, 1, 2]
