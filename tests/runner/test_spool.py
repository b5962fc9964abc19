"""A machine without a scheduler, for real: jobs outlive whoever started them, and none starts twice."""

import fcntl
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.desk import SITE, Desk
from tests.until import until

from penstock.errors import SubmitRejected
from penstock.host import start_time
from penstock.runner.identity import boot_id
from penstock.schedulers import local

ONE = replace(SITE, cores=1)
TWO = replace(SITE, cores=2)
LINGER = "echo $PENSTOCK_ELEMENT >> begun; sleep 60"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.end()


def cancel(desk: Desk, name: str, *elements: int) -> None:
    assert desk.ask(local.cancel(desk.known(name), elements or None)).code == 0


def pids(desk: Desk, name: str) -> dict[int, int]:
    """Return the processes of elements, as they wrote them down."""
    facts = [json.loads(line) for line in desk.facts(name).read_text().splitlines()]
    return {element: more[0] for word, element, *more in facts if word == "started"}


def test_elements_run_as_there_is_room_and_their_exit_codes_are_told(desk: Desk) -> None:
    lines = "mkdir now.$PENSTOCK_ELEMENT; sleep 0.2; ls -d now.* | wc -l >> seen; rmdir now.$PENSTOCK_ELEMENT"
    assert desk.submit("pabc", f"{lines}; exit $PENSTOCK_ELEMENT", site=TWO, elements=5) == desk.token_of(
        "pabc"
    )
    until(lambda: desk.words("pabc", 5) == ["exited"] * 5, "all end")
    assert [one.exit_code for one in desk.seen("pabc", 5)] == [1, 2, 3, 4, 5]
    assert max(map(int, desk.said("seen"))) <= 2
    until(lambda: not desk.supervisors(), "nobody watches over nothing")


def test_an_element_has_the_environment_of_its_own_submission(desk: Desk) -> None:
    desk.submit("pabc", "env > env")
    until(lambda: desk.words("pabc") == ["exited"], "it ends")
    env = dict(line.split("=", 1) for line in desk.said("env"))
    assert (env["LAB"], env["PENSTOCK_JOB"], env["PENSTOCK_ELEMENT"]) == ("7", desk.token_of("pabc"), "1")
    assert env.keys() <= {
        "HOME",
        "PATH",
        "LAB",
        "PENSTOCK_JOB",
        "PENSTOCK_ELEMENT",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }


def test_a_job_that_is_submitted_again_is_there_already(desk: Desk) -> None:
    for _ in range(3):
        assert desk.submit("pabc", "echo x >> ran") == desk.token_of("pabc")
    until(lambda: desk.words("pabc") == ["exited"], "it ends")
    assert desk.submit("pabc", "echo x >> ran") == desk.token_of("pabc")
    assert desk.words("pabc") == ["exited"]
    time.sleep(0.7)
    assert desk.said("ran") == ["x"]


def test_jobs_of_all_campaigns_share_the_machine_in_the_order_in_which_they_came(desk: Desk) -> None:
    for token in ("pone", "ptwo", "pthree"):
        desk.submit(token, "echo ${PENSTOCK_JOB%-*} >> order; sleep 0.1", exclusive=True, elements=2)
    until(lambda: desk.words("pthree", 2) == ["exited"] * 2, "all end")
    assert desk.said("order") == ["pone", "pone", "ptwo", "ptwo", "pthree", "pthree"]


def test_at_most_so_many_elements_of_an_array_run_at_once_and_others_use_the_rest(desk: Desk) -> None:
    desk.submit("pabc", LINGER, elements=4, max_parallel=1, memory_bytes=1)
    until(lambda: desk.words("pabc", 4).count("running") == 1, "one runs")
    desk.submit("pxyz", "echo x >> other", memory_bytes=1)
    if os.cpu_count() != 1:
        until(lambda: desk.said("other"), "another job runs beside it")
    assert desk.words("pabc", 4) == ["running", "waiting", "waiting", "waiting"]


def test_what_the_machine_has_no_room_for_is_refused(desk: Desk) -> None:
    with pytest.raises(SubmitRejected, match=r"an element needs more than .* has for it"):
        desk.submit("pabc", "true", cpus=10_000)
    with pytest.raises(SubmitRejected, match=r"\(1 core and 1.0 GB of memory\)"):
        desk.submit("pabc", "true", site=replace(ONE, memory_bytes=10**9), memory_bytes=10**10)
    token = desk.token_of("pabc")
    assert local.parse_find(desk.ask(local.find([token])), [token]) == {}


def test_its_time_limit_is_kept_and_nothing_of_it_lives_on(desk: Desk) -> None:
    desk.submit("pabc", "trap '' TERM; setsid sleep 61 & sleep 60; sleep 60", walltime_s=0.5)
    path = desk.facts("pabc", "json")  # it would be killed half a minute later
    path.write_text(path.read_text().replace('"grace_s": 30.0', '"grace_s": 0.3'))
    until(lambda: desk.words("pabc") == ["timeout"], "it is killed")
    assert desk.living() == set()


def test_an_element_that_is_asked_to_end_may_take_its_time(desk: Desk) -> None:
    desk.submit("pabc", "trap 'echo asked > asked; exit 3' TERM; touch ready; while :; do sleep 0.05; done")
    until(lambda: (desk.home / "ready").exists(), "it runs")
    cancel(desk, "pabc")
    until(lambda: desk.words("pabc") == ["cancelled"], "it ends")
    assert desk.said("asked") == ["asked"]
    (one,) = desk.seen("pabc")
    assert (one.exit_code, one.outcome) == (3, "cancelled")


def test_some_elements_are_cancelled_whether_they_wait_or_run(desk: Desk) -> None:
    desk.submit("pabc", LINGER, site=ONE, elements=4)
    until(lambda: "running" in desk.words("pabc", 4), "one runs")
    cancel(desk, "pabc", 1, 3)
    until(
        lambda: desk.words("pabc", 4) == ["cancelled", "running", "cancelled", "waiting"], "two are cancelled"
    )
    cancel(desk, "pabc")
    until(lambda: desk.words("pabc", 4) == ["cancelled"] * 4, "all are")
    assert desk.said("begun") == ["1", "2"]
    cancel(desk, "punknown")


def test_a_killed_supervisor_ends_no_element_and_the_next_question_starts_another(desk: Desk) -> None:
    desk.submit("pabc", "echo x >> begun; sleep 1; exit 5", site=ONE, elements=2)
    until(lambda: "running" in desk.words("pabc", 2), "one runs")
    (first,) = desk.supervisors()
    first.kill()
    until(lambda: desk.words("pabc", 2) == ["vanished", "running"], "the other one starts after it")
    until(lambda: desk.words("pabc", 2) == ["vanished", "exited"], "and ends")
    assert desk.said("begun") == ["x", "x"]


def test_whenever_its_supervisor_is_killed_each_element_runs_once(desk: Desk) -> None:
    chance = random.Random(7)
    desk.submit("pabc", "echo $PENSTOCK_ELEMENT >> begun; sleep 0.0$(( $PENSTOCK_ELEMENT % 7 ))", elements=30)
    kills = 0
    while set(desk.words("pabc", 30)) & {"waiting", "running"}:
        time.sleep(0.1 * chance.random())
        for process in desk.supervisors():
            process.kill()
            kills += 1
    assert Counter(desk.said("begun")) == {str(n): 1 for n in range(1, 31)}
    assert set(desk.words("pabc", 30)) <= {"exited", "vanished"}
    assert kills > 3


def test_what_a_killed_element_left_running_is_ended_before_its_end_is_told(desk: Desk) -> None:
    desk.submit("pabc", "sleep 60 & setsid sleep 61 & echo x > ready; wait")
    until(lambda: desk.said("ready"), "it runs")
    os.kill(pids(desk, "pabc")[1], 9)
    until(lambda: desk.words("pabc") == ["killed"], "it ends")
    assert [one.signal for one in desk.seen("pabc")] == [9]
    assert desk.living() == set()


def test_what_ran_before_the_machine_was_restarted_is_lost_and_what_waited_runs(desk: Desk) -> None:
    desk.submit("pabc", LINGER, site=ONE, elements=2)
    until(lambda: "running" in desk.words("pabc", 2), "one runs")
    (first,) = desk.supervisors()
    first.kill()
    os.kill(pids(desk, "pabc")[1], 9)
    log = desk.facts("pabc")
    log.write_text(log.read_text().replace(boot_id(), "another"))
    until(lambda: desk.words("pabc", 2) == ["restarted", "running"], "the first is lost")
    assert desk.seen("pabc", 2)[0].outcome == "node_failure"


def test_a_process_that_got_the_number_of_an_element_is_not_touched(desk: Desk) -> None:
    desk.submit("pabc", LINGER, site=ONE)
    until(lambda: "running" in desk.words("pabc"), "it runs")
    (first,) = desk.supervisors()
    first.kill()
    pid = pids(desk, "pabc")[1]
    os.kill(pid, 9)
    with psutil.Popen(["sleep", "60"], start_new_session=True) as stranger:
        log = desk.facts("pabc")
        log.write_text(log.read_text().replace(f" {pid},", f" {stranger.pid},"))
        until(lambda: desk.words("pabc") == ["vanished"], "it is known to have ended")
        assert stranger.is_running()
        stranger.kill()


def test_what_a_killed_supervisor_had_just_started_is_followed_by_the_next_one(desk: Desk) -> None:
    desk.spool.mkdir(parents=True)
    mark = {"PENSTOCK_JOB": desk.token_of("pabc"), "PENSTOCK_ELEMENT": "1"}
    with (
        desk.facts("pabc").open("w") as log,
        psutil.Popen(["sleep", "60"], env={**os.environ, **mark}, start_new_session=True) as earlier,
    ):
        fcntl.flock(log, fcntl.LOCK_EX)
        desk.submit("pabc", LINGER, site=ONE)
        until(lambda: [p for s in desk.supervisors() for p in s.children()], "another one is about to start")
        fact = ["started", 1, earlier.pid, start_time(earlier.pid), boot_id()]
        log.write(json.dumps(fact) + "\n")
        log.flush()
        fcntl.flock(log, fcntl.LOCK_UN)
        until(lambda: not [p for s in desk.supervisors() for p in s.children()], "it does not")
        assert desk.words("pabc") == ["running"]
        earlier.kill()
        until(lambda: desk.words("pabc") == ["vanished"], "it was the first one that counts")
    assert desk.said("begun") == []


def test_a_line_that_was_cut_hides_no_other_one(desk: Desk) -> None:
    desk.submit("pabc", LINGER, site=ONE, elements=2)
    until(lambda: "running" in desk.words("pabc", 2), "one runs")
    with (desk.facts("pabc")).open("a") as log:
        log.write('["ended", 1, "exi')
    cancel(desk, "pabc")
    until(lambda: desk.words("pabc", 2) == ["cancelled"] * 2, "both end")


def test_a_job_that_is_over_is_remembered_for_a_while(desk: Desk) -> None:
    desk.submit("pabc", "true")
    until(lambda: desk.facts("pabc", "over").exists(), "it is put away")
    assert desk.words("pabc") == ["exited"]
    os.utime(desk.facts("pabc"), (0, 0))
    desk.submit("pxyz", "true")
    until(lambda: desk.facts("pxyz", "over").exists(), "another one, too")
    assert desk.words("pabc") == []
    assert desk.words("pxyz") == ["exited"]


def test_what_cannot_be_written_down_is_an_error_with_its_place(desk: Desk) -> None:
    desk.spool.parent.mkdir(parents=True)
    desk.spool.write_text("a file in its way")
    reply = desk.ask(local.limits())
    assert reply.code == 0, "which needs no folder"
    reply = desk.ask(local.find(["pabc"]))
    assert reply.code == 1
    assert str(desk.spool) in reply.err


def test_files_are_their_owners_and_elements_have_the_umask_of_the_login(desk: Desk) -> None:
    before = os.umask(0o002)
    try:
        desk.submit("pabc", "umask > umask")
    finally:
        os.umask(before)
    until(lambda: desk.words("pabc") == ["exited"], "it ends")
    assert desk.said("umask") == ["0002"]
    kept = [*desk.spool.iterdir(), *(desk.home / ".cache/penstock").iterdir()]
    assert {path.stat().st_mode & 0o077 for path in kept} == {0}
