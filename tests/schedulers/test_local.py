"""A machine without a scheduler: what it is asked, and what its answers mean. `tests/runner/test_spool.py` has it run."""

import json

import pytest
from tests.schedulers.recordings import cut_anywhere

from penstock.campaign import Site
from penstock.errors import QueryFailed, SubmitRejected
from penstock.runner.identity import find_element, find_native
from penstock.schedulers import find_scheduler, local
from penstock.schedulers.model import Known, Phase, Request
from penstock.schedulers.text import shown
from penstock.transports.reply import Reply

SITE = Site("desk", "local", host="desk")
ENDED = [
    [1, "exited", 70, None],
    [2, "killed", None, 9],
    [3, "timeout", None, 15],
    [4, "restarted", None, None],
]
TOLD = {
    "host": "desk",
    "cores": 4,
    "taken": 3,
    "trouble": "",
    "jobs": {
        "pabc": {"elements": 7, "running": [5, 6], "ended": ENDED},
        "pxyz": {"elements": 1, "running": [], "ended": [[1, "exited", 0, None]]},
    },
}


def reply(told: object, *, before: str = "") -> Reply:
    return Reply(0, f"{before}penstock-local {json.dumps(told)}\n")


ANSWER = reply(TOLD)


def test_it_is_found_by_its_name() -> None:
    assert find_scheduler("local") is local


def test_a_command_is_one_program_and_what_is_asked() -> None:
    request = Request("pabc", 12, 4, 2**30, 3600.0, 3)
    argv = local.submit("/w/pabc/script.sh", request, Site("desk", cores=8))
    assert json.loads(argv[-1]) == {
        "token": "pabc", "elements": 12, "script": "/w/pabc/script.sh", "cores": 4, "memory": 2**30, "exclusive": False,
        "walltime_s": 3600.0, "grace_s": 30.0, "parallel": 3, "most": [8, 0],
    }  # fmt: skip
    assert max(map(len, argv)) < 60_000, "an argument may have 128 kB"


def test_a_person_is_not_shown_the_program() -> None:
    line = shown(local.submit("/w/pabc/script.sh", Request("pabc", 2), SITE))
    assert line.startswith("python3 -I -S -c … ")
    assert len(line) < 500


def test_a_job_is_asked_about_by_its_name_and_very_many_by_none() -> None:
    assert json.loads(local.queue([Known("pabc", "pabc", 3)])[-1]) == {"tokens": ["pabc"]}
    assert json.loads(local.find([f"p{n}" for n in range(9_000)])[-1]) == {"tokens": []}


def test_elements_or_all_are_cancelled() -> None:
    job = Known("pabc", "pabc", 3)
    assert json.loads(local.cancel(job, [2])[-1]) == {"token": "pabc", "elements": [2]}
    assert json.loads(local.cancel(job, None)[-1]) == {"token": "pabc", "elements": None}


def test_an_element_finds_its_number_and_its_job() -> None:
    told = {"PENSTOCK_ELEMENT": "3", "PENSTOCK_JOB": "4-2-pabc", "SLURM_JOB_ID": "7"}
    assert find_element(None, told, 5) == 3
    assert find_native(None, told) == "4-2-pabc"


def test_every_element_is_told_with_why_it_ended() -> None:
    seen = local.parse_queue(ANSWER, [Known("pabc", "pabc", 7)])
    assert [(s.element, s.word, s.phase, s.outcome) for s in seen] == [
        (1, "exited", Phase.ENDED, None),
        (2, "killed", Phase.ENDED, None),
        (3, "timeout", Phase.ENDED, "timeout"),
        (4, "restarted", Phase.ENDED, "node_failure"),
        (5, "running", Phase.RUNNING, None),
        (6, "running", Phase.RUNNING, None),
        (7, "waiting", Phase.PENDING, None),
    ]
    assert [s.reason for s in seen] == [
        "exit code 70",
        "signal 9",
        "signal 15",
        "",
        "",
        "",
        "3 of 4 cores taken",
    ]
    assert {s.token for s in seen} == {s.native for s in seen} == {"pabc"}
    assert [s.node for s in seen] == ["desk"] * 6 + [""]


def test_a_job_of_one_element_is_no_array_and_others_are_left_out() -> None:
    (one,) = local.parse_queue(ANSWER, [Known("pxyz", None, 1), Known("punknown", "punknown", 1)])
    assert (one.element, one.exit_code) == (None, 0)


def test_a_word_that_is_not_known_is_no_end() -> None:
    odd = {**TOLD, "jobs": {"pabc": {"elements": 1, "running": [], "ended": [[1, "evaporated", None, None]]}}}
    assert [one.phase for one in local.parse_queue(reply(odd), [Known("pabc", "pabc", 1)])] == [Phase.UNKNOWN]


def test_trouble_of_its_supervisor_is_told_with_what_waits() -> None:
    told = {**TOLD, "trouble": "supervisor: No space left on device"}
    seen = local.parse_queue(reply(told), [Known("pabc", "pabc", 7)])
    assert seen[-1].reason == "3 of 4 cores taken, supervisor: No space left on device"


def test_what_start_up_files_print_is_passed_over() -> None:
    assert local.parse_find(reply(TOLD, before="Welcome!\n"), ["pabc", "pno"]) == {"pabc": "pabc"}


@pytest.mark.parametrize("cut", cut_anywhere(Reply(0, ANSWER.out.rstrip())))
def test_an_answer_that_was_cut_is_none(cut: Reply) -> None:
    for read, about in ((local.parse_queue, [Known("pabc", "pabc", 7)]), (local.parse_find, ["pabc"])):
        with pytest.raises(QueryFailed):
            read(cut, about)


def test_a_job_is_known_by_the_id_that_is_told() -> None:
    assert local.parse_submit(reply({"job": "pabc"})) == "pabc"
    with pytest.raises(QueryFailed, match="unknown whether"):
        local.parse_submit(reply({}))
    with pytest.raises(QueryFailed, match="No space left"):
        local.parse_submit(Reply(1, "", "/home/x/pabc.json: No space left on device"))


def test_what_the_machine_is_too_small_for_is_refused_with_what_it_has() -> None:
    with pytest.raises(SubmitRejected, match=r"more than desk has for it \(4 cores and 8.6 GB of memory\)"):
        local.parse_submit(reply({"refused": "desk", "cores": 4, "memory": 2**33}))


def test_the_machine_says_what_it_is_and_what_would_end_all_jobs() -> None:
    told = {"host": "desk", "cores": 1, "memory": 10**9, "ends_all": False}
    assert local.parse_limits(reply(told)).version == "on desk, 1 core, 1.0 GB of memory"
    assert local.parse_limits(reply(told)).faults == ()
    (fault,) = local.parse_limits(reply({**told, "ends_all": True})).faults
    assert "KillUserProcesses" in fault
