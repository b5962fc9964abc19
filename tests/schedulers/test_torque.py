"""Torque's dialect: what it is asked, and what the recorded answers of the wrappers over Slurm mean.

No answer of Torque itself is recorded: those here are written after its manual.
"""

import subprocess
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.schedulers.recordings import all_recorded, recorded, under_their_names

from penstock.campaign import Site
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.runner.identity import find_element, find_native
from penstock.schedulers import find_scheduler, torque
from penstock.schedulers.model import Known, Phase, Request, Sighting
from penstock.transports.reply import Reply

P = Phase
SITE = Site("cluster")


def parse(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    return torque.parse_queue(reply, under_their_names(reply, jobs))


ALL = "torque_wrappers/10-qstat-f-all"
ARRAY = "ps-7f3a9c21-a"

TORQUE = """Job Id: 7.master.example.org
    Job_Name = pabcdefghij
    Job_Owner = user@node0
    resources_used.walltime = 00:00:02
    job_state = {state}
    queue = batch
    exec_host = n1/0+n1/1
    Hold_Types = n
    Variable_List = PBS_O_QUEUE=batch,PBS_O_HOME=/home/user,
\tPBS_O_LOGNAME=user,job_state = C
    comment = Job started on Sun Nov 22 at 03:18
    exit_status = {status}
    submit_args = -N pabcdefghij s.sh

"""


def seen(case: str, *jobs: Known) -> list[tuple]:
    told = parse(recorded(f"torque_wrappers/{case}").reply, jobs)
    return [(one.native, one.element, one.phase, one.word, one.node) for one in told]


FUNCTION = (
    "BASH_FUNC_module%%=() {  local job_state;\n    job_state = C;\n eval `modulecmd bash $*`\n},PBS_O_QUEUE"
)


def test_a_function_that_somebody_exported_hides_no_job():
    theirs = TORQUE.format(state="R", status="0").replace("PBS_O_QUEUE", FUNCTION)
    ours = TORQUE.format(state="Q", status="0").replace("7.master", "8.master").replace("pabc", "pxyz")
    found = torque.parse_find(Reply(0, f"{theirs}{ours}qstat ended 0\n"), ["pxyzdefghij"])
    assert found == {"pxyzdefghij": "8.master.example.org"}
    (one,) = torque.parse_queue(Reply(0, theirs), [Known("pabcdefghij", "7.master.example.org", 1)])
    assert one.phase is P.RUNNING


# ---- what it is asked


def test_it_is_found_by_its_name():
    assert find_scheduler("torque") is torque


def test_a_script_asks_for_what_a_job_needs_and_raw_lines_come_last():
    request = Request("pabcdefghij", 12, 4, 2**30 + 1, 3600.2, 3)
    site = Site("c", queue="long", account="sea", lines=("#SBATCH --qos=high", "-W umask=027"))
    assert torque.directives(request, site) == [
        "#PBS -l nodes=1:ppn=4",
        "#PBS -l mem=1025mb",
        "#PBS -l walltime=01:00:01",
        "#PBS -q long",
        "#PBS -A sea",
        "#SBATCH --qos=high",
        "#PBS -W umask=027",
    ]


def test_keys_that_not_both_dialects_have_a_word_for_are_named():
    assert {"qos", "constraint"} <= {*torque.UNSUPPORTED}


def test_what_the_wrappers_pass_over_in_a_script_stands_on_the_command_line():
    head = ["qsub", "-N", "pabc", "-r", "n", "-j", "oe", "-o", "/dev/null"]
    assert torque.submit("s", Request("pabc", 10, max_parallel=3), SITE) == [*head, "-t", "1-10%3", "s"]
    assert torque.submit("s", Request("pabc", 1), SITE) == [*head, "s"]


def test_torque_is_asked_by_id_and_the_wrappers_for_all_jobs_when_one_is_an_array():
    single, array, nameless = Known("pa", "7", 1), Known("pb", "8", 4), Known("pc", None, 1)
    assert torque.queue([single, nameless]) == ["qstat", "-f", "7"]
    assert torque.queue([single, array]) == ["qstat", "-f"]
    assert torque.queue([Known("pa", "7.s", 1), Known("pb", "8.s", 4)]) == ["qstat", "-f", "7.s", "8[].s"]
    assert torque.history([single]) is None
    assert torque.parse_history(Reply(0), [single]) == []


def test_jobs_and_elements_are_cancelled_by_id():
    assert (
        torque.cancel(Known("pa", "7", 1), [1]) == torque.cancel(Known("pa", "7", 9), None) == ["qdel", "7"]
    )
    assert torque.cancel(Known("pa", "7.s", 9), None) == ["qdel", "7[].s"]
    assert torque.cancel(Known("pa", "7.s", 9), [3, 4, 8]) == ["qdel", "-t", "3-4,8", "7[].s"]


def test_elements_of_the_wrappers_are_never_cancelled_by_qdel_which_would_end_the_whole_array():
    assert torque.cancel(Known("pa", "7", 9), [3, 4, 8]) == ["scancel", "7_[3-4,8]"]


# ---- submitting


@pytest.mark.parametrize(
    ("case", "native"), [("02-submit-single", "64"), ("06-submit-array", "65"), ("13-submit-held", "72")]
)
def test_a_job_that_was_taken_has_a_bare_number(case, native):
    reply = recorded(f"torque_wrappers/{case}").reply
    assert torque.parse_submit(reply) == native
    assert torque.parse_submit(Reply(0, f"Welcome\n2 mails\n{reply.out}bye\n")) == native


def test_inside_an_element_the_runner_finds_the_same_id_and_its_index():
    text = recorded("torque_wrappers/32-task-environment").reply.out
    environ = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert find_native(None, environ) == torque.parse_submit(Reply(0, "76\n")) == "76"
    assert find_element(None, environ, 5) == 5
    raw = {"SLURM_ARRAY_JOB_ID": "76", "SLURM_ARRAY_TASK_ID": "4", "PBS_JOBID": "79", "PBS_ARRAY_INDEX": "4"}
    assert (find_native(None, raw), find_element(None, raw, 5)) == ("76", 4)
    without_plugin = {"SLURM_ARRAY_JOB_ID": "76", "SLURM_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "5"}
    assert (find_native(None, without_plugin), find_element(None, without_plugin, 5)) == ("76", 5)


def test_an_id_of_torque_matches_the_one_inside_an_element():
    native = torque.parse_submit(Reply(0, "123[].master.example.org\n"))
    environ = {"PBS_JOBID": "123[4].master.example.org", "PBS_ARRAYID": "4"}
    assert (find_native(None, environ), find_element(None, environ, 9)) == (native, 4)
    assert native == "123.master.example.org"


@pytest.mark.parametrize(
    ("case", "key", "words"),
    [
        ("16-error-bad-queue", "`queue`", "Invalid partition name specified"),
        ("17-error-array-too-large", "`array_size`", "Invalid job array specification"),
        ("19-error-bad-walltime", "`max_walltime`", "Invalid time limit specified (abc)"),
    ],
)
def test_a_refusal_names_the_key_to_correct_and_the_schedulers_words(case, key, words):
    with pytest.raises(SubmitRejected) as caught:
        torque.parse_submit(recorded(f"torque_wrappers/{case}").reply)
    assert key in str(caught.value)
    assert "[site.NAME]" in str(caught.value)
    assert words in str(caught.value)


def test_a_refusal_on_standard_output_is_read_beside_noise_on_standard_error():
    reply = recorded("torque_wrappers/16-error-bad-queue").reply
    with pytest.raises(SubmitRejected):
        torque.parse_submit(Reply(reply.code, reply.out, "perl: warning: Setting locale failed."))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("qsub: submit error (Maximum number of jobs already in queue MSG=total number of jobs)", SiteFull),
        ("sbatch: error: AssocMaxSubmitJobLimit", SiteFull),
        ("qsub: submit error (Unknown queue MSG=cannot locate queue)", SubmitRejected),
        ("qsub: submit error (Unauthorized Request  MSG=user is not authorized)", SubmitRejected),
        ("qsub: submit error (Invalid Account)", SubmitRejected),
        ("qsub: submit error (Unknown resource type  Resource_List.x)", SubmitRejected),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller", QueryFailed),
        ("There was an error running the Slurm sbatch command. '/bin/sbatch -p main s'", QueryFailed),
    ],
)
def test_a_refusal_that_lasts_one_that_passes_and_what_nobody_knows(words, error):
    with pytest.raises(error):
        torque.parse_submit(Reply(1, words))


@pytest.mark.parametrize(
    "reply", [Reply(None, "64\n"), Reply(2, "64\n", "Problem loading slurm."), Reply(0, "x")]
)
def test_nobody_knows_whether_a_job_was_taken_without_a_clear_word(reply):
    with pytest.raises(QueryFailed):
        torque.parse_submit(reply)


# ---- the queue of the wrappers


@pytest.mark.parametrize(
    ("case", "native", "phase", "word", "node"),
    [
        ("03-qstat-f-just-after-submit", "64", P.PENDING, "Q", ""),
        ("04-qstat-f-running", "64", P.RUNNING, "R", "n1"),
        ("30-qstat-f-finished", "74", P.ENDED, "C", "n1"),
        ("31-qstat-f-failed", "75", P.ENDED, "C", "n1"),
        ("10-qstat-f-all", "60", P.UNKNOWN, "U", "n1"),  # out of memory
    ],
)
def test_a_single_job(case, native, phase, word, node):
    assert seen(case, Known("t", native, 1)) == [(native, None, phase, word, node)]


def test_an_array_runs_as_long_as_one_of_its_elements_does():
    assert seen("10-qstat-f-all", Known(ARRAY, "65", 10)) == [("65", None, P.RUNNING, "R", "n1")]


def test_an_array_of_which_only_the_rest_is_shown_is_seen_by_it():
    assert seen("09-qstat-f-array", Known(ARRAY, "65", 10)) == [("65", None, P.PENDING, "Q", "")]


def test_the_end_of_what_bears_an_arrays_id_is_not_the_end_of_the_array():
    assert seen("27-qstat-f-after-qdel", Known(ARRAY, "65", 10)) == []
    assert seen("27-qstat-f-after-qdel", Known(ARRAY, "65", 1)) == [("65", None, P.ENDED, "C", "")]


def test_an_array_has_ended_when_as_many_as_it_has_elements_have():
    assert seen("10-qstat-f-all", Known("ps-canarr", "61", 3)) == [("61", None, P.ENDED, "C", "n1")]
    assert seen("10-qstat-f-all", Known("ps-canarr", "61", 4)) == []


def test_a_job_whose_number_begins_another_is_not_taken_for_it():
    assert seen("04-qstat-f-running", Known("t", "6", 1), Known("u", "640", 1)) == []


def test_an_unknown_job_is_an_answer_without_it():
    assert seen("23-unknown-qstat-f", Known("t", "999999", 1)) == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(0),
        Reply(0, "motd\n"),
        Reply(None, recorded(ALL).reply.out),
        Reply(255, "", "Problem loading jobs."),
        recorded("torque_wrappers/20-error-x-option").reply,
    ],
)
def test_silence_is_no_answer(reply):
    with pytest.raises(QueryFailed):
        parse(reply, [Known("t", "64", 1)])


# ---- the queue of Torque


@pytest.mark.parametrize(
    ("state", "status", "phase", "outcome", "code", "signal"),
    [
        ("R", "", P.RUNNING, None, None, None),
        ("C", "0", P.ENDED, None, 0, None),
        ("C", "3", P.ENDED, None, 3, None),
        ("C", "137", P.ENDED, None, 137, None),
        ("C", "265", P.ENDED, None, None, 9),
        ("C", "271", P.ENDED, "cancelled", None, 15),
        ("C", "-10", P.ENDED, "out_of_memory", None, None),
        ("C", "-11", P.ENDED, "timeout", None, None),
        ("C", "-4", P.ENDED, "node_failure", None, None),
        ("E", "0", P.RUNNING, None, None, None),
        ("Y", "3", P.UNKNOWN, None, None, None),
    ],
)
def test_torque_tells_the_exit_status_of_what_has_ended(state, status, phase, outcome, code, signal):
    reply = Reply(0, TORQUE.format(state=state, status=status))
    (one,) = torque.parse_queue(reply, [Known("pabcdefghij", "7.master.example.org", 1)])
    assert (one.phase, one.outcome, one.exit_code, one.signal) == (phase, outcome, code, signal)
    assert (one.token, one.node, one.word) == ("pabcdefghij", "n1", state)
    assert one.reason == "Job started on Sun Nov 22 at 03:18"


def test_an_array_of_torque_has_the_state_that_torque_sums_up_and_no_exit_status():
    text = TORQUE.format(state="C", status="0").replace("7.master", "7[].master")
    (one,) = torque.parse_queue(Reply(153, text), [Known("pabcdefghij", "7.master", 10)])
    assert (one.native, one.element, one.phase, one.exit_code) == ("7.master", None, P.ENDED, None)


# ---- by name, and limits


def found(text: str, tokens: list[str]) -> dict[str, str]:
    return torque.parse_find(Reply(0, f"motd\n{text}qstat ended 0\nbye\n"), tokens)


def test_a_job_is_found_by_its_name_and_an_array_by_its_own_id():
    text = recorded(ALL).reply.out
    assert found(text, [ARRAY, "ps-7f3a9c21", "ps-none"]) == {ARRAY: "65", "ps-7f3a9c21": "64"}
    text = TORQUE.format(state="R", status="").replace("7.master", "7[].master")
    assert found(text, ["pabcdefghij"]) == {"pabcdefghij": "7.master.example.org"}


def test_an_empty_list_of_jobs_is_an_answer_only_behind_its_exit_code():
    assert torque.parse_find(Reply(0, "qstat ended 153\n"), ["pa"]) == {}
    assert torque.parse_find(Reply(0, "qstat ended 0\n"), ["pa"]) == {}
    for reply in (
        Reply(0),
        Reply(0, "qstat ended 255\n"),
        Reply(0, "qstat ended 15"),
        Reply(None, "qstat ended 0\n"),
    ):
        with pytest.raises(QueryFailed):
            torque.parse_find(reply, ["pa"])


def test_the_command_that_lists_all_jobs_tells_how_it_ended(tmp_path):
    qstat = tmp_path / "qstat"
    qstat.write_text("#!/bin/sh\nexit 153\n")
    qstat.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(torque.find(["pa"]), env=environ, capture_output=True, text=True)
    assert torque.parse_find(Reply(done.returncode, done.stdout), ["pa"]) == {}


def test_the_queues_are_all_that_both_dialects_tell():
    told = torque.parse_limits(recorded("torque_wrappers/34-qstat-Q").reply)
    assert (told.array_size, told.accounting, told.notes) == (
        None,
        False,
        (torque.NO_EXCLUSION, "queues: main, short"),
    )
    with pytest.raises(QueryFailed):
        torque.parse_limits(Reply(0, "motd\n"))


# ---- nonsense

ANSWERS = [name for name in all_recorded("torque_wrappers") if recorded(name).reply.out.startswith("Job Id")]
JOBS = [
    *(Known("t", native, 1) for native in ("57", "58", "64", "74", "75", "7.master.example.org")),
    *(
        Known(token, native, 3)
        for token, native in (("ps-canarr", "61"), (ARRAY, "65"), ("ps-requeue", "56"))
    ),
]
LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def ended(reply: Reply) -> set[Sighting]:
    try:
        return {one for one in torque.parse_queue(reply, JOBS) if one.phase is P.ENDED}
    except QueryFailed:
        return set()


TEXTS = st.sampled_from(
    [*(recorded(name).reply.out for name in ANSWERS), TORQUE.format(state="C", status="271")]
)


@given(TEXTS, st.floats(0, 1))
def test_a_cut_answer_tells_of_no_end_that_the_whole_one_does_not_have(text, part):
    assert ended(Reply(0, text[: int(part * len(text))])) <= ended(Reply(0, text))


@given(TEXTS, LINES, LINES)
def test_what_a_profile_prints_around_an_answer_changes_nothing(text, before, after):
    around = Reply(0, f"{before}\n{text}{after}\n")
    assert torque.parse_queue(around, JOBS) == torque.parse_queue(Reply(0, text), JOBS)


PARTS = [
    "Job Id: ",
    "7.s",
    "\n",
    "\t",
    "    ",
    "job_state = C",
    "Job_Name = pa",
    "exit_status = ",
    "9" * 5000,
    "qstat ended 0",
]


@given(st.lists(st.sampled_from(PARTS) | LINES).map("".join), st.sampled_from([0, 0, 153, 1, None]))
def test_nothing_but_a_failed_query_comes_of_nonsense(text, code):
    reply = Reply(code, text, text)
    reads = (
        lambda: torque.parse_queue(reply, [Known("pa", "7.s", 1), Known("pb", "8", 4)]),
        lambda: torque.parse_find(reply, ["pa"]),
        lambda: torque.parse_limits(reply),
    )
    for read in reads:
        with suppress(QueryFailed):
            read()


@given(st.text(), st.text(), st.sampled_from([0, 1, 255, None]))
def test_a_submission_is_taken_refused_or_in_doubt_whatever_is_said(out, err, code):
    with suppress(QueryFailed, SiteFull, SubmitRejected):
        assert "[" not in torque.parse_submit(Reply(code, out, err))


def test_an_id_that_another_job_has_by_now_is_told_under_its_name() -> None:
    text = TORQUE.format(state="R", status="0")
    told = torque.parse_queue(Reply(0, text), [Known("pxyzdefghij", "7.master.example.org", 1)])
    assert {one.token for one in told} == {"pabcdefghij"}
