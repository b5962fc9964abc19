"""LSF: what it is asked, and what the recorded answers of volclava (a fork) and IBM's documented words mean."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.schedulers.recordings import cut_anywhere, recorded

from penstock.campaign import Site
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.schedulers import lsf
from penstock.schedulers.model import Known, Phase, Request
from penstock.transports.reply import Reply

P = Phase
ARRAY = "ps-7f3a9c21-a"
HEADER = "JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME\n"


def known(*natives: str, token: str = "any") -> list[Known]:
    return [Known(token, native, 10) for native in natives]


def named(*tokens: str) -> list[Known]:
    return [Known(token, None, 10) for token in tokens]


def reply(case: str) -> Reply:
    return recorded(f"lsf/{case}").reply


def in_queue(case: str, *tokens: str) -> list[tuple]:
    return [
        (one.native, one.element, one.word, one.phase) for one in lsf.parse_queue(reply(case), named(*tokens))
    ]


# ---- what it is asked


def test_a_script_asks_for_what_a_job_needs():
    request = Request("pabc", 10, 4, 2**31, 3601.0, 3, ("n-1", "n2"))
    site = Site(
        "hpc",
        queue="normal",
        account="lab",
        qos="gold",
        constraint='type=="X86_64"',
        lines=("-x", "#BSUB -G g"),
    )
    assert lsf.directives(request, site) == [
        '#BSUB -J "pabc[1-10]%3"',
        "#BSUB -o /dev/null",
        "#BSUB -n 4",
        "#BSUB -R \"select[(type=='X86_64') && hname!='n-1' && hname!='n2'] rusage[mem=2048MB] span[hosts=1]\"",
        "#BSUB -M 2048MB",
        "#BSUB -W 61",
        "#BSUB -q normal",
        "#BSUB -P lab",
        "#BSUB -sla gold",
        "#BSUB -x",
        "#BSUB -G g",
    ]


def test_nothing_is_asked_for_that_nobody_wanted():
    assert lsf.directives(Request("pabc", 1), Site("hpc")) == [
        '#BSUB -J "pabc"',
        "#BSUB -o /dev/null",
        "#BSUB -n 1",
        '#BSUB -R "span[hosts=1]"',
    ]


def test_a_raw_line_replaces_ours_of_the_same_option():
    lines = lsf.directives(Request("pabc", 2), Site("hpc", lines=('#BSUB -R "span[ptile=1]" -n 8', "-u me")))
    assert lines == [
        '#BSUB -J "pabc[1-2]"',
        "#BSUB -o /dev/null",
        '#BSUB -R "span[ptile=1]" -n 8',
        "#BSUB -u me",
    ]


def test_an_array_that_would_silently_become_one_job_is_never_written():
    with pytest.raises(SubmitRejected, match="11 elements are more than the site's `array_size`, 10"):
        lsf.directives(Request("pabc", 11), Site("hpc", array_size=10))
    assert lsf.directives(Request("pabc", 10), Site("hpc", array_size=10))[0] == '#BSUB -J "pabc[1-10]"'


def test_all_jobs_are_asked_for_with_the_one_command_that_all_kinds_know():
    assert lsf.queue(known("4")) == lsf.find(["pa"]) == ["bjobs", "-a", "-w"]
    assert lsf.history([*known("4", "6"), *named("pa")]) == ["bhist", "-l", "-n", "3", "4", "6"]


def test_some_elements_or_the_whole_job_are_cancelled():
    array, single = Known("pa", "4", 10), Known("pa", "4", 1)
    assert lsf.cancel(array, [7, 1, 3, 2]) == ["bkill", "4[1-3,7]"]
    assert lsf.cancel(array, None) == lsf.cancel(single, None) == lsf.cancel(single, [1]) == ["bkill", "4"]


# ---- submissions

SCRIPT = """#!/bin/sh
#BSUB -J "pabc"
#BSUB -R "rusage[mem=2048MB] span[hosts=1]"
#BSUB -M 2048MB
echo "mem=7MB #BSUB -M 1MB"
"""
FAKE = """#!/bin/sh
case "$1" in -V) echo "{version}" >&2; exit 0 ;; esac
echo "arguments: $*; tries: $LSB_NTRIES"
cat
exit 3
"""


def submitted(folder: Path, version: str) -> tuple[int, str]:
    """Submit SCRIPT to a bsub that prints what it gets; return its exit code and that."""
    (folder / "my job.sh").write_text(SCRIPT)
    (folder / "bsub").write_text(FAKE.format(version=version))
    (folder / "bsub").chmod(0o755)
    argv = lsf.submit("my job.sh", Request("pabc", 1), Site("hpc"))
    path = f"{folder}:{os.environ['PATH']}"
    done = subprocess.run(argv, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_ibms_bsub_gets_the_script_as_it_is_and_no_rerun(tmp_path):
    version = "IBM Spectrum LSF Standard 10.1.0.12, Jun 10 2021"
    assert submitted(tmp_path, version) == (3, f"arguments: -rn; tries: 1\n{SCRIPT}")


def test_a_forks_bsub_gets_sizes_without_units_and_no_option_that_it_does_not_know(tmp_path):
    plain = SCRIPT.replace("2048MB] span", "2048] span").replace("#BSUB -M 2048MB\n", "")
    assert submitted(tmp_path, "volclava project 2.2, Nov 22 2026") == (3, f"arguments: ; tries: 1\n{plain}")


@pytest.mark.parametrize(
    ("case", "native"), [("02-submit-single", "4"), ("05-submit-array", "6"), ("06-submit-named-queue", "7")]
)
def test_a_submission_is_known_by_its_sentence(case, native):
    assert lsf.parse_submit(reply(case)) == native
    banner = Reply(0, f"Job <1> of the day\n{reply(case).out}bye\n", "Last login: today")
    assert lsf.parse_submit(banner) == native


@pytest.mark.parametrize(
    ("case", "remedy"),
    [
        ("25-error-bad-queue", "`queue`"),
        ("27-error-too-many-slots", "`cpus`"),
        ("30-error-bad-resource", "`constraint`"),
        ("31-error-unknown-resource", "`constraint`"),
        ("32-error-unknown-dependency", "`lines`"),
        ("33-error-bad-runlimit", "`max_walltime`"),
        ("35-error-unknown-option", "`lines`"),
    ],
)
def test_a_lasting_refusal_says_lsfs_words_and_what_to_change(case, remedy):
    with pytest.raises(SubmitRejected) as caught:
        lsf.parse_submit(reply(case))
    words, hint = str(caught.value).rsplit("): ", 1)
    assert remedy in hint
    assert reply(case).err.strip().rstrip(".") in words


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("Job array index too large. Job not submitted.", "`array_size`"),
        ("Bad job name. Job not submitted.", "`array_size`"),
        ("Invoker is not in specified project group. Job not submitted.", "`account`"),
        ("Cannot exceed queue's hard limit(s). Job not submitted.", "`max_walltime`"),
        ("User cannot use the queue. Job not submitted.", "`queue`"),
        ("Bad host name, host group name or cluster name. Job not submitted.", "`lines`"),
        ("User permission denied. Job not submitted.", "administrators"),
    ],
)
def test_refusals_that_were_not_recorded_have_their_remedy_too(words, remedy):
    with pytest.raises(SubmitRejected, match=remedy):
        lsf.parse_submit(Reply(255, "", words))


@pytest.mark.parametrize(
    "words",
    [
        "Pending job threshold reached. Job not submitted.",
        "normal: The destination queue has reached its job limit. Job not submitted.",
        "User or one of user's groups does not have enough job slots. Job not submitted.",
        "night: Queue has been closed. Job not submitted.",
    ],
)
def test_a_limit_on_queued_jobs_is_waited_for(words):
    with pytest.raises(SiteFull):
        lsf.parse_submit(Reply(255, "", words))


@pytest.mark.parametrize(
    "answered",
    [
        reply("111-down-bsub"),
        reply("34-error-empty-stdin"),  # the script may only be late
        Reply(255, "", "ls_getclustername(): LIM is down; try later"),
        Reply(255, "", "Failed in an LSF library call: Communication timeout. Job not submitted."),
        Reply(255, "", "Batch daemon internal error. Job not submitted."),
        Reply(None, "Job <4> is submitted to queue <normal>.\n"),
        Reply(1, "Job <4> is submitted to queue <normal>.\n"),
        Reply(0, "Job <4> is submitted to que"),
        Reply(2, "", "sh: 1: cannot open job.sh: No such file"),
        Reply(0),
    ],
)
def test_whatever_else_happens_nobody_knows_whether_the_job_was_taken(answered):
    with pytest.raises(QueryFailed):
        lsf.parse_submit(answered)


# ---- the queue


def test_the_elements_of_an_array_are_told_apart_by_their_names():
    running = [("6", element, "RUN", P.RUNNING) for element in (1, 2, 3)]
    assert in_queue("15-bjobs-w-array", ARRAY) == running + [
        ("6", e, "PEND", P.PENDING) for e in range(4, 11)
    ]


def test_a_single_job_has_no_element_and_a_node_when_it_runs():
    seen = lsf.parse_queue(reply("21-find-by-name"), named("ps-7f3a9c21"))
    assert [(one.native, one.element, one.node) for one in seen] == [("4", None, "node0")]
    assert lsf.parse_queue(reply("03-bjobs-just-after-submit"), named("ps-7f3a9c21"))[0].node == ""


@pytest.mark.parametrize(
    ("token", "word", "phase"),
    [
        ("ps-run", "RUN", P.RUNNING),
        ("ps-pend", "PEND", P.PENDING),
        ("ps-dep", "PEND", P.PENDING),
        ("ps-late", "PEND", P.PENDING),
        ("ps-hold", "PSUSP", P.HELD),
        ("ps-psusp", "PSUSP", P.HELD),
    ],
)
def test_states_are_told_apart(token, word, phase):
    assert [seen[2:] for seen in in_queue("44-bjobs-w-states-1", token)] == [(word, phase)]


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("USUSP", P.RUNNING),
        ("SSUSP", P.RUNNING),
        ("UNKWN", P.RUNNING),
        ("ZOMBI", P.RUNNING),
        ("PROV", P.RUNNING),
        ("WAIT", P.PENDING),
        ("ERROR", P.UNKNOWN),
        ("exit", P.UNKNOWN),
    ],
)
def test_what_may_still_live_is_not_over_and_an_unknown_word_is_never_an_end(word, phase):
    row = f"8       user    {word}  normal     node0       2*n7:n8     pa[3] Nov 22 03:32\n"
    seen = lsf.parse_queue(Reply(0, HEADER + row), named("pa"))
    assert [(one.phase, one.element, one.node) for one in seen] == [(phase, 3, "n7")]


@pytest.mark.parametrize(
    ("case", "token", "states"),
    [
        ("75-bjobs-w-done", "ps-done", "DONE"),
        ("78-bjobs-w-exit3", "ps-exit3", ""),
        ("81-bjobs-w-exit137", "ps-exit137", ""),
        ("92-bjobs-w-runlimit", "ps-rl", ""),
        ("59-bjobs-w-just-after-bkill", "ps-run", ""),
        ("60-bjobs-w-killed", "ps-pend", ""),
        ("97-bjobs-w-command-not-found", "ps-nocmd", ""),
        ("99-bjobs-w-array-mixed", "ps-mixed", "DONE DONE DONE"),
        ("70-bjobs-w-after-element-kill", "ps-karr", "RUN PEND PEND"),
        ("72-bjobs-w-array-killed", "ps-karr", ""),
        ("107-bjobs-array-finished-without-a", ARRAY, " ".join(["DONE"] * 10)),
    ],
)
def test_good_ends_are_seen_for_a_while_and_others_are_left_to_the_history(case, token, states):
    seen = lsf.parse_queue(reply(case), named(token))
    assert " ".join(one.word for one in seen) == states
    assert all((one.phase is P.ENDED) is (one.word in ("DONE", "")) for one in seen)
    assert {(one.outcome, one.exit_code) for one in seen} <= {(None, None)}


def test_an_array_that_became_one_job_is_told_as_a_job_without_element():
    seen = in_queue("42-bjobs-array-syntax-taken-as-name", "ps-big", "ps-zero", "ps-x")
    assert seen == [(native, None, "DONE", P.ENDED) for native in ("9", "11", "12")]


def test_only_the_jobs_asked_for_are_told():
    assert lsf.parse_queue(reply("15-bjobs-w-array"), [Known(ARRAY, "7", 10)]) == []
    assert len(lsf.parse_queue(reply("15-bjobs-w-array"), [Known(ARRAY, "6", 10)])) == 10


@pytest.mark.parametrize(
    "case", ["24-find-by-name-none", "36-unknown-bjobs", "41-unknown-element-bjobs", "106-bjobs-none-pending"]
)
def test_to_know_no_such_job_is_an_answer(case):
    assert lsf.parse_queue(reply(case), named("pa")) == []
    assert lsf.parse_find(reply(case), ["pa"]) == {}


def test_what_a_profile_prints_is_no_row_when_there_are_no_jobs():
    assert lsf.parse_queue(Reply(255, "12 updates can be applied.\n", "No job found\n"), named("pa")) == []


def test_the_known_jobs_are_told_beside_one_that_is_not_known():
    assert in_queue("38-unknown-among-several", "ps-7f3a9c21") == [("4", None, "RUN", P.RUNNING)]


@pytest.mark.parametrize(
    "answered",
    [
        reply("112-down-bjobs"),
        reply("14-bjobs-noheader-refused"),
        reply("16-bjobs-A-array"),  # another table
        Reply(0),
        Reply(255),
        Reply(255, HEADER),
        Reply(0, HEADER),  # it never comes alone
        Reply(0, f"{HEADER}6       user    EXIT  normal     node0       node0       pa[1] Nov 22 03:3"),
        Reply(0, f"{HEADER}6"),
        Reply(1, reply("15-bjobs-w-array").out),  # it stopped on the way
        Reply(127, "", "sh: bjobs: command not found"),
        Reply(255, "", "LSF is down. Please wait ..."),
    ],
)
def test_an_answer_that_does_not_prove_itself_is_none(answered):
    for read in (lsf.parse_queue, lsf.parse_find):
        with pytest.raises(QueryFailed):
            read(answered, [])


def test_jobs_are_found_by_name_and_the_living_one_first():
    found = lsf.parse_find(reply("23-find-by-name-wildcard"), ["ps-7f3a9c21", ARRAY, "pz"])
    assert found == {"ps-7f3a9c21": "4", ARRAY: "6"}
    rows = [("8", "RUN"), ("9", "EXIT"), ("7", "PEND")]
    text = HEADER + "".join(
        f"{native} user {word} normal node0 - pa[1] Nov 22 03:32\n" for native, word in rows
    )
    assert lsf.parse_find(Reply(0, text), ["pa"]) == {"pa": "8"}


# ---- the history


@pytest.mark.parametrize(
    ("case", "native", "outcome", "code", "why", "by"),
    [
        ("77-bhist-l-done", "24", None, 0, "", ""),
        ("80-bhist-l-exit3", "25", None, 3, "", ""),
        ("87-bhist-l-signal9", "28", None, 0, "", ""),  # so says volclava
        ("94-bhist-l-runlimit", "31", "timeout", None, "Exited with exit code 140", ""),
        ("63-bhist-l-killed", "16", "cancelled", None, "Signal <KILL> requested by user or administrator <user>", "user"),
    ],
)  # fmt: skip
def test_the_history_tells_how_a_job_ended(case, native, outcome, code, why, by):
    (seen,) = lsf.parse_history(reply(case), known(native, token="pa"))
    assert (seen.native, seen.element, seen.phase, seen.node) == (native, None, P.ENDED, "node0")
    assert (seen.outcome, seen.exit_code, seen.reason, seen.by, seen.token) == (outcome, code, why, by, "pa")


IBM = """
Job <71[{index}]>, Job Name <pa[1-2]>, User <user>, Project <default>, Command <#!/bin/sh;exec sl
                     eep 100>
Thu Mar 13 17:30:05: Submitted from host <login>, to Queue <normal>, CWD <$HOME>;
Thu Mar 13 17:31:05: Dispatched 1 Task(s) on Host(s) <n4>, Allocated 1 Slot(s) on Host(s) <n4>;
Thu Mar 13 17:31:06: Starting (Pid 77);
Thu Mar 13 17:32:05: {end}
Summary of time in seconds spent in various states by  Thu Mar 13 17:32:06
  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL
  60       0        61       0        0        0        121
"""
TERM = "\nThu Mar 13 17:32:06: Completed <exit>; TERM_"


@pytest.mark.parametrize(
    ("end", "phase", "outcome", "code", "signal"),
    [
        ("Exited by signal 9. The CPU time used is 0.1 seconds;", P.ENDED, None, None, 9),
        ("Exited with exit code 140. The CPU time used is 0.1 seconds;", P.ENDED, None, 140, None),
        (
            f"Exited by signal 2. The CPU time used is 0.1 seconds;{TERM}RUNLIMIT: job killed after\n{' ' * 22}"
            "reaching LSF run time limit;",
            P.ENDED, "timeout", None, None,
        ),
        (f"Exited by signal 2.{TERM}MEMLIMIT: job killed;", P.ENDED, "out_of_memory", None, None),
        (f"Exited with exit code 143.{TERM}ZOMBIE: job killed;", P.ENDED, "node_failure", None, None),
        (f"Exited by signal 9.{TERM}PREEMPT: job killed;", P.ENDED, "preempted", None, None),
        (f"Exited by signal 9.{TERM}FORCE_OWNER: job killed;", P.ENDED, "cancelled", None, None),
        (f"Exited by signal 9.{TERM}EXTERNAL_SIGNAL: job killed;", P.ENDED, None, None, 9),
        ("Exited; job will be requeued and rerun;", P.PENDING, None, None, None),
        ("Exited with exit code 1.\nThu Mar 13 17:32:06: Pending: Job has been requeued;", P.PENDING, None, None, None),
        ("Unknown; unable to reach the execution host;", P.RUNNING, None, None, None),
        ("Running with execution home </home/user>;", P.RUNNING, None, None, None),
    ],
)  # fmt: skip
def test_the_words_that_ibm_documents_are_known(end, phase, outcome, code, signal):
    text = "".join(IBM.format(index=index, end=end) for index in (1, 2))
    first, second = lsf.parse_history(Reply(0, text), known("71"))
    assert (first.element, second.element) == (1, 2)
    assert (first.phase, first.outcome, first.exit_code, first.signal) == (phase, outcome, code, signal)


def test_a_job_that_was_killed_before_it_ran_was_cancelled():
    text = IBM.format(index=1, end="Exited;").replace(
        "Starting (Pid 77)", "Signal <KILL> requested by user <boss>"
    )
    (seen,) = lsf.parse_history(Reply(0, text), known("71"))
    assert (seen.outcome, seen.by, seen.exit_code) == ("cancelled", "boss", None)


def test_a_job_that_the_history_does_not_know_is_not_told():
    assert lsf.parse_history(reply("40-unknown-bhist"), known("999999")) == []
    assert lsf.parse_history(reply("77-bhist-l-done"), known("25")) == []


@pytest.mark.parametrize(
    "answered",
    [
        reply("115-down-bhist"),
        Reply(0),
        Reply(None, IBM),
        Reply(0, IBM.partition("Summary")[0].format(index=1, end="Exited")),
    ],
)
def test_a_history_that_does_not_prove_itself_says_nothing(answered):
    with pytest.raises(QueryFailed):
        lsf.parse_history(answered, known("71"))


# ---- limits


def test_the_limits_stand_before_the_version():
    text = reply("110-bparams-l").out + reply("01-version").out
    told = lsf.parse_limits(Reply(0, text))
    assert (told.version, told.array_size, told.accounting) == ("volclava project 2.2", 5000, True)
    assert told.notes == ("CLEAN_PERIOD = 3600 (seconds)",)


@pytest.mark.parametrize(
    "answered",
    [Reply(None, "CLEAN_PERIOD = 1"), Reply(0), Reply(0, "IBM Spectrum LSF 10.1"), reply("116-down-lsid")],
)
def test_limits_that_were_not_told_are_not_guessed(answered):
    with pytest.raises(QueryFailed):
        lsf.parse_limits(answered)


# ---- whatever arrives

QUEUES = ["99-bjobs-w-array-mixed", "70-bjobs-w-after-element-kill", "42-bjobs-array-syntax-taken-as-name"]
HISTORIES = ["80-bhist-l-exit3", "94-bhist-l-runlimit", "63-bhist-l-killed"]
TOKENS = named("ps-mixed", "ps-karr", ARRAY, "ps-big")
NATIVES = known("25", "31", "16")


def ends(read, answered: Reply, jobs) -> set:
    """Return the ends in a reply; none if it is no answer."""
    try:
        return {
            (s.native, s.element, s.outcome, s.exit_code, s.signal)
            for s in read(answered, jobs)
            if s.phase is P.ENDED
        }
    except QueryFailed:
        return set()


CASES = [(lsf.parse_queue, case, TOKENS) for case in QUEUES] + [
    (lsf.parse_history, case, NATIVES) for case in HISTORIES
]


@pytest.mark.parametrize(("read", "case", "jobs"), CASES)
def test_an_answer_that_is_cut_short_never_shows_an_end_that_is_not_there(read, case, jobs):
    whole = ends(read, reply(case), jobs)
    assert all(ends(read, cut, jobs) <= whole for cut in cut_anywhere(reply(case)))


LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(before=LINES, after=LINES, case=st.sampled_from(CASES))
def test_what_a_profile_prints_around_an_answer_changes_no_end(before, after, case):
    read, name, jobs = case
    around = Reply(0, f"{before}\n{reply(name).out}{after}\n")
    assert ends(read, around, jobs) <= ends(read, reply(name), jobs)


WORDS = st.sampled_from(
    [
        HEADER,
        "6 ",
        "user EXIT normal n0 n1 pa[1",
        "] Nov 22 03:32\n",
        "Job <4>",
        "Job <4[1]>",
        "\n",
        "9" * 5000,
        "Sun Nov 22 03:33:09: Exited with exit code ",
        "Summary of time \n TOTAL\n 3 4\n",
        "No matching job found\n",
    ]
)


@given(st.lists(WORDS | LINES).map("".join), st.sampled_from([0, 0, 255, None]))
def test_nothing_but_a_failed_query_comes_of_nonsense(text, code):
    for err in ("", "No job found\n"):
        for read, what in (
            (lsf.parse_queue, named("pa")),
            (lsf.parse_history, known("4")),
            (lsf.parse_find, ["pa"]),
        ):
            with contextlib.suppress(QueryFailed):
                read(Reply(code, text, err), what)
    with contextlib.suppress(QueryFailed):
        lsf.parse_limits(Reply(code, text))


@given(st.text(), st.text(), st.sampled_from([0, 1, 255, None]))
def test_a_submission_is_taken_refused_or_in_doubt_whatever_is_said(out, err, code):
    with contextlib.suppress(QueryFailed, SiteFull, SubmitRejected):
        assert lsf.parse_submit(Reply(code, out, err)).isdigit()
