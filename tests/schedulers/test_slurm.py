"""Slurm: what it is asked, and what its recorded answers mean.

Recordings 201 and up are answers to the adapter's own commands. The others were asked with other columns; `squeue` and
`sacct` put their values into ours, with the header that each of them prints.
"""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.schedulers.recordings import cut_anywhere, recorded

from penstock.campaign import Site
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.schedulers import slurm
from penstock.schedulers.model import Known, Phase, Request
from penstock.transports.reply import Reply

ARRAY = "ps-7f3a9c21-a"
HEADER = "penstock|JOBID|NAME|STATE|START_TIME|NODELIST|REASON|end\n"
SACCT_HEADER = "JobID|JobName|State|ExitCode|NodeList|Reason|\n"
P = Phase


def squeue(case: str) -> Reply:
    recording = recorded(f"slurm/{case}")
    names = recording.argv[recording.argv.index("-o") + 1].split("|")
    rows = [dict(zip(names, line.split("|"), strict=True)) for line in recording.reply.out.splitlines()]
    ours = [["penstock", *(row.get(n, {"%S": "N/A"}.get(n, "")) for n in ORDER), "end"] for row in rows]
    return Reply(
        recording.reply.code, HEADER + "".join("|".join(row) + "\n" for row in ours), recording.reply.err
    )


ORDER = ("%i", "%j", "%T", "%S", "%N", "%r")


def sacct(case: str) -> Reply:
    recording = recorded(f"slurm/{case}")
    names = next(word for word in recording.argv if word.startswith("--format=")).partition("=")[2].split(",")
    rows = [dict(zip(names, line.split("|"), strict=True)) for line in recording.reply.out.splitlines()]
    ours = ["|".join([*(row[name] for name in SACCT_HEADER.strip("|\n").split("|")), ""]) for row in rows]
    return Reply(
        recording.reply.code, SACCT_HEADER + "".join(f"{row}\n" for row in ours), recording.reply.err
    )


def known(*natives: str, token: str = "any") -> list[Known]:
    return [Known(token, native, 10) for native in natives]


def named(*tokens: str) -> list[Known]:
    return [Known(token, None, 10) for token in tokens]


def in_queue(case: str, *tokens: str) -> list[tuple]:
    seen = slurm.parse_queue(squeue(case), named(*tokens))
    return [(one.native, one.element, one.phase, one.reason) for one in seen]


def ended(case: str, *natives: str) -> list[tuple]:
    seen = slurm.parse_history(sacct(case), known(*natives))
    return [(one.native, one.element, one.phase, one.outcome, one.exit_code, one.signal) for one in seen]


# ---- what it is asked


def test_a_script_asks_for_what_a_job_needs_and_raw_lines_come_last():
    request = Request("pabc", 3, 4, 2**30 + 1, 3601.0, 2, ("n1", "n2"))
    site = Site(
        "hpc",
        queue="main",
        account="lab",
        qos="long",
        constraint="intel&gpu",
        lines=("--nice=10", "#SBATCH --x"),
    )
    assert slurm.directives(request, site) == [
        "#SBATCH --output=/dev/null",
        "#SBATCH --error=/dev/null",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=1025M",
        "#SBATCH --time=61",
        "#SBATCH --signal=B:USR1@60",
        "#SBATCH --exclude=n1,n2",
        "#SBATCH --partition=main",
        "#SBATCH --account=lab",
        "#SBATCH --qos=long",
        "#SBATCH --constraint='intel&gpu'",
        "#SBATCH --nice=10",
        "#SBATCH --x",
    ]


def test_nothing_is_asked_for_that_nobody_wanted():
    asked = "\n".join(slurm.directives(Request("pabc", 1), Site("hpc")))
    assert not any(
        key in asked for key in ("mem", "time", "exclude", "partition", "account", "qos", "constraint")
    )


@pytest.mark.parametrize(("walltime", "warned"), [(None, True), (300.0, True), (299.0, False)])
def test_a_job_that_is_too_short_for_an_early_warning_gets_none(walltime, warned):
    lines = slurm.directives(Request("pabc", 1, walltime_s=walltime), Site("hpc"))
    assert ("#SBATCH --signal=B:USR1@60" in lines) is warned


def test_an_array_counts_from_one_and_one_element_is_no_array():
    head = ["sbatch", "--parsable", "--no-requeue", "--export=ALL", "--job-name=pabc"]
    site = Site("hpc")
    assert slurm.submit("j.sh", Request("pabc", 10, max_parallel=3), site) == [
        *head,
        "--array=1-10%3",
        "j.sh",
    ]
    assert slurm.submit("j.sh", Request("pabc", 2), site) == [*head, "--array=1-2", "j.sh"]
    assert slurm.submit("j.sh", Request("pabc", 1, max_parallel=3), site) == [*head, "j.sh"]


def test_the_queue_is_asked_once_for_all_jobs_by_name():
    asked = slurm.queue([Known("pa", "4", 1), Known("pb", None, 3)])
    assert asked == [
        *[
            "env",
            "SLURM_TIME_FORMAT=%s",
            "SLURM_BITSTR_LEN=0",
            "squeue",
            "--me",
            "--all",
            "--states=all",
            "--name=pa,pb",
        ],
        "--format=penstock|%i|%j|%T|%S|%N|%r|end",
    ]
    assert slurm.find(["pa", "pb"]) == asked


def test_so_many_jobs_that_their_names_fit_no_argument_are_asked_for_without_names():
    asked = slurm.queue([Known(f"p{number:010d}", None, 1) for number in range(20_000)])
    assert max(map(len, asked)) < 100


def test_the_accounting_is_asked_by_id_and_only_of_the_last_weeks():
    fields = "--format=JobID,JobName,State,ExitCode,NodeList,Reason"
    head = ["env", "SLURM_BITSTR_LEN=0", "sacct", "-X", "-p", "-S", "now-4weeks", fields]
    assert slurm.history([Known("pa", "4", 1), Known("pb", None, 1), Known("pc", "9", 1)]) == [
        *head,
        "--jobs=4,9",
    ]
    assert slurm.history(named("pa", "pb")) == [*head, "--name=pa,pb"]


def test_some_elements_or_the_whole_job_are_cancelled():
    array, single = Known("pa", "4", 10), Known("pa", "4", 1)
    assert slurm.cancel(array, [7, 1, 3, 2]) == ["scancel", "4_[1-3,7]"]
    assert (
        slurm.cancel(array, None)
        == slurm.cancel(single, None)
        == slurm.cancel(single, [1])
        == ["scancel", "4"]
    )


# ---- submissions


@pytest.mark.parametrize(
    ("case", "native"), [("02-submit-single", "2"), ("06-submit-array", "4"), ("112-dbd-down-sbatch", "79")]
)
def test_a_submission_is_known_by_its_id(case, native):
    reply = recorded(f"slurm/{case}").reply
    assert slurm.parse_submit(reply) == native
    banner = Reply(0, f"Welcome to node 12\n{reply.out}You have 3 mails\n")
    assert slurm.parse_submit(banner) == native


def test_the_id_stands_before_the_cluster():
    assert slurm.parse_submit(Reply(0, "77;loop\n")) == "77"


@pytest.mark.parametrize(
    ("case", "remedy"),
    [
        ("13-error-array-too-large", "`array_size`"),
        ("14-error-bad-partition", "`queue`"),
        ("16-error-too-much-memory", "`memory`"),
        ("17-error-bad-time", "`max_walltime`"),
        ("19-error-no-shebang", "`workdir`"),
        ("20-error-unknown-option", "`lines`"),
        ("23-error-bad-constraint", "`constraint`"),
        ("24-error-bad-dependency", "`lines`"),
        ("127-error-limit-bad-account", "`account`"),
        ("128-error-limit-bad-qos", "`qos`"),
        ("129-error-limit-qos-wall", "`max_walltime`"),
        ("130-error-limit-qos-cpus", "`qos`"),
    ],
)
def test_a_lasting_refusal_says_slurms_words_and_what_to_change(case, remedy):
    reply = recorded(f"slurm/{case}").reply
    with pytest.raises(SubmitRejected) as caught:
        slurm.parse_submit(reply)
    words, hint = str(caught.value).rsplit("): ", 1)
    assert remedy in hint
    assert reply.err.splitlines()[0][:50] in words


@pytest.mark.parametrize(
    "case",
    ["131-error-limit-array-over-submit", "132-error-limit-qos-submit", "133-error-limit-assoc-submit"],
)
def test_a_limit_on_queued_jobs_is_waited_for(case):
    with pytest.raises(SiteFull, match="SubmitJob"):
        slurm.parse_submit(recorded(f"slurm/{case}").reply)


def test_a_full_slurmctld_is_waited_for():
    words = "sbatch: error: Batch job submission failed: Resource temporarily unavailable\n"
    with pytest.raises(SiteFull):
        slurm.parse_submit(Reply(1, "", words))


@pytest.mark.parametrize(
    "reply",
    [
        recorded("slurm/116-ctld-down-sbatch").reply,
        recorded("slurm/18-error-no-script").reply,  # the file may only be late
        Reply(1, "", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"),
        Reply(
            1, "", "sbatch: error: Batch job submission failed: I/O error writing script/environment to file"
        ),
        Reply(None, "5\n", ""),
        Reply(1, "5\n", ""),
        Reply(0, "", ""),
        Reply(255, "", "ssh: connect to host hpc port 22: Connection refused"),
    ],
)
def test_whatever_else_happens_nobody_knows_whether_the_job_was_taken(reply):
    with pytest.raises(QueryFailed):
        slurm.parse_submit(reply)


# ---- the queue


def test_the_pending_rest_of_an_array_is_told_element_by_element():
    running = [("4", element, P.RUNNING, "") for element in (2, 1, 0)]
    waiting = [("4", element, P.PENDING, "JobArrayTaskLimit") for element in range(3, 10)]
    assert in_queue("08-squeue-array-running", ARRAY) == waiting + running


@pytest.mark.parametrize(
    ("case", "waiting"),
    [
        ("43-squeue-array-hole-after-element-cancel", [1, 2, 3, 4, 6, 7, 8, 9]),
        ("45-squeue-array-hole-after-range-cancel", [1, 2, 3, 4, 6, 9]),
    ],
)
def test_holes_in_the_pending_rest_are_seen(case, waiting):
    seen = in_queue(case, "ps-arrlimit")
    assert [element for _, element, phase, _ in seen if phase is P.PENDING] == waiting


def test_a_job_that_is_no_array_has_no_element():
    assert in_queue("11-find-by-name-squeue", "ps-7f3a9c21") == [("2", None, P.RUNNING, "")]


@pytest.mark.parametrize(
    ("token", "phase", "reason"),
    [
        ("single.sh", P.HELD, "PartitionConfig"),
        ("ps-resources", P.PENDING, "Resources"),
        ("ps-priority", P.PENDING, "ReqNodeNotAvail, UnavailableNodes:n1"),
        ("ps-dependency", P.PENDING, "Dependency"),
        ("ps-depnever", P.HELD, "DependencyNeverSatisfied"),
        ("ps-begin", P.PENDING, "BeginTime"),
        ("ps-nodedrained", P.PENDING, "ReqNodeNotAvail, UnavailableNodes:n4"),
        ("ps-adminheld", P.HELD, "JobHeldAdmin"),
        ("ps-held", P.HELD, "JobHeldUser"),
        ("ps-timelimit", P.HELD, "PartitionTimeLimit"),
        ("ps-hog", P.RUNNING, ""),
    ],
)
def test_what_only_a_person_can_mend_is_held_and_the_rest_waits(token, phase, reason):
    assert [seen[2:] for seen in in_queue("32-squeue-pending-reasons", token)] == [(phase, reason)]


@pytest.mark.parametrize(
    ("reason", "phase"),
    [
        ("launch failed requeued held", P.HELD),
        ("job_requeued_in_held_state", P.HELD),
        ("JobHoldMaxRequeue", P.HELD),
        ("QOSMaxWallDurationPerJobLimit", P.HELD),
        ("AssocMaxCpuPerJobLimit", P.HELD),
        ("AssocMaxMemPerNode", P.HELD),
        ("QOSMinGRES", P.HELD),
        ("QOSMaxMemoryPerUser", P.PENDING),
        ("AssocGrpCpuLimit", P.PENDING),
        ("MaxJobsPerAccount", P.PENDING),
        ("Priority", P.PENDING),
        ("Resources,JobHeldUser", P.PENDING),  # different elements of one array
        ("", P.PENDING),
    ],
)
def test_reasons_that_were_not_recorded_are_told_apart_too(reason, phase):
    reply = Reply(0, f"{HEADER}penstock|4|pa|PENDING|N/A||{reason}|end\n")
    assert slurm.parse_queue(reply, named("pa"))[0].phase is phase


def test_a_limit_that_passes_when_others_end_is_waited_for():
    seen = in_queue("134-squeue-pending-qos-limit", "ps-qos")
    assert [one[2] for one in seen] == [P.PENDING, P.PENDING, P.RUNNING]
    assert seen[0][3] == "QOSMaxJobsPerUserLimit"


def test_jobs_that_ended_a_while_ago_are_seen_without_accounting():
    seen = slurm.parse_queue(squeue("35-squeue-all-states-recent"), named("ps-depkilled", "ps-fails", ARRAY))
    brief = {(one.native, one.element): (one.phase, one.word, one.outcome, one.node) for one in seen}
    assert brief["34", None] == (P.ENDED, "CANCELLED", "cancelled", "")
    assert brief["25", None] == (P.ENDED, "FAILED", None, "n2")
    assert brief["4", 9] == (P.ENDED, "COMPLETED", None, "n1")
    assert len(brief) == 12


@pytest.mark.parametrize(
    ("case", "token", "phase"),
    [
        ("41-squeue-just-after-scancel", "ps-hog", P.RUNNING),  # COMPLETING
        ("83-squeue-requeued", "ps-requeue", P.PENDING),
        ("92-squeue-node-just-died", "ps-nodefail", P.RUNNING),
        ("93-squeue-node-fail-requeued", "ps-noderequeue", P.PENDING),
        ("98-squeue-pending-node-down", "ps-ondown", P.PENDING),
        ("111-dbd-down-squeue", "ps-outage", P.RUNNING),
    ],
)
def test_what_may_go_on_is_not_over(case, token, phase):
    assert [seen[2] for seen in in_queue(case, token)] == [phase]


@pytest.mark.parametrize("case", ["80-squeue-none", "81-squeue-finished-recent", "124-ctld-back-squeue"])
def test_a_header_alone_says_that_there_are_no_such_jobs(case):
    assert slurm.parse_queue(squeue(case), named("ps-x")) == []


@pytest.mark.parametrize(
    "reply",
    [
        recorded("slurm/80-squeue-none").reply,  # an empty text with exit code 0
        recorded("slurm/25-squeue-unknown-job").reply,
        recorded("slurm/117-ctld-down-squeue").reply,
        recorded("slurm/118-ctld-down-squeue-json").reply,
        Reply(None, HEADER),
        Reply(1, HEADER),
        Reply(0, "Last login: yesterday\n"),
        Reply(0, f"{HEADER}penstock|4_[1,3,...%3]|pa|PENDING|N/A||None|end\n"),
        Reply(0, f"{HEADER}penstock|4+1|pa|PENDING|N/A||None|end\n"),
        Reply(0, f"{HEADER}pensto"),
    ],
)
def test_an_answer_that_does_not_prove_itself_is_none(reply):
    for read in (slurm.parse_queue, slurm.parse_find):
        with pytest.raises(QueryFailed):
            read(reply, [])


def test_only_the_jobs_asked_for_are_told():
    seen = slurm.parse_queue(squeue("11-find-by-name-squeue"), [Known(ARRAY, "999", 10)])
    assert seen == []
    seen = slurm.parse_queue(squeue("11-find-by-name-squeue"), [Known(ARRAY, "4", 10)])
    assert {one.native for one in seen} == {"4"}


def test_an_expected_start_is_an_aware_moment_and_only_of_what_waits():
    rows = "penstock|4|pa|PENDING|1795317031||Priority|end\npenstock|5|pa|RUNNING|1795317031|n1|None|end\n"
    waiting, running = slurm.parse_queue(Reply(0, HEADER + rows), named("pa"))
    assert waiting.starts == datetime(2026, 11, 22, 3, 10, 31, tzinfo=UTC)
    assert running.starts is None
    assert running.node == "n1"


@pytest.mark.parametrize("start", ["N/A", "Unknown", "2026-11-22T03:10:31", "9" * 12, ""])
def test_a_start_that_is_no_number_of_seconds_is_not_guessed(start):
    reply = Reply(0, f"{HEADER}penstock|4|pa|PENDING|{start}||Priority|end\n")
    assert slurm.parse_queue(reply, named("pa"))[0].starts is None


@pytest.mark.parametrize("word", ["REVOKED", "POWER_UP_NODE", "?", "", "completed"])
def test_an_unknown_word_is_never_an_end(word):
    reply = Reply(0, f"{HEADER}penstock|4|pa|{word}|N/A||None|end\n")
    seen = slurm.parse_queue(reply, named("pa"))[0]
    assert (seen.phase, seen.outcome, seen.word) == (P.UNKNOWN, None, word)
    row = Reply(0, f"{SACCT_HEADER}4|pa|{word}|0:0|n1|None|\n")
    assert slurm.parse_history(row, known("4"))[0].phase is P.UNKNOWN


def test_the_adapters_own_question_is_answered():
    jobs = [
        Known("paaaaaaaaaa", "12", 60),
        *(Known(f"p{letter * 10}", native, 1) for letter, native in zip("bdefgh", BY_LETTER, strict=True)),
    ]
    asked = recorded("slurm/201-queue-as-asked")
    assert asked.argv[:-2] == slurm.queue(jobs)[:-2]
    assert asked.argv[-1] == slurm.queue(jobs)[-1]
    seen = {(one.token[1], one.element): one for one in slurm.parse_queue(asked.reply, jobs)}
    waiting = sorted(e for (letter, e), one in seen.items() if letter == "a" and one.phase is P.PENDING)
    assert waiting == [*range(3, 60, 2), 60]
    singles = {letter: (one.native, one.phase) for (letter, element), one in seen.items() if element is None}
    phases = (P.ENDED, P.ENDED, P.HELD, P.HELD, P.PENDING, P.RUNNING)
    assert singles == dict(zip("bdefgh", zip(BY_LETTER, phases, strict=True), strict=True))
    assert seen["g", None].starts == datetime(2026, 11, 25, 7, 36, 45, tzinfo=UTC)
    assert seen["h", None].node == "n1"


BY_LETTER = ("13", "15", "16", "17", "18", "11")


def test_the_adapters_own_question_is_answered_when_there_is_no_such_job():
    asked = recorded("slurm/204-queue-none-as-asked")
    assert asked.argv == slurm.find(["pzzzzzzzzzz"])
    assert slurm.parse_find(asked.reply, ["pzzzzzzzzzz"]) == {}


# ---- finding


def test_jobs_are_found_by_name():
    found = slurm.parse_find(squeue("11-find-by-name-squeue"), ["ps-7f3a9c21", ARRAY, "ps-other"])
    assert found == {"ps-7f3a9c21": "2", ARRAY: "4"}


def test_of_two_jobs_with_one_name_the_living_one_is_found():
    rows = [("8", "RUNNING"), ("9", "CANCELLED"), ("7", "PENDING")]
    text = HEADER + "".join(f"penstock|{native}|pa|{word}|N/A||None|end\n" for native, word in rows)
    assert slurm.parse_find(Reply(0, text), ["pa"]) == {"pa": "8"}


# ---- the accounting


@pytest.mark.parametrize(
    ("case", "natives", "expected"),
    [
        ("55-sacct-completed", ["35"], [("35", None, P.ENDED, None, 0, None)]),  # its name reads "allocation"
        ("56-sacct-failed-exit3", ["36"], [("36", None, P.ENDED, None, 3, None)]),
        ("57-sacct-failed-exit137", ["37"], [("37", None, P.ENDED, None, 9, None)]),
        ("58-sacct-signal9", ["38"], [("38", None, P.ENDED, None, None, 9)]),
        ("59-sacct-signal11", ["39"], [("39", None, P.ENDED, None, None, 11)]),
        ("63-sacct-srun-step-fails", ["43"], [("43", None, P.ENDED, None, 0, None)]),
        ("64-sacct-out-of-memory", ["45"], [("45", None, P.ENDED, "out_of_memory", None, None)]),
        ("101-sacct-out-of-memory-child", ["60"], [("60", None, P.ENDED, "out_of_memory", None, None)]),
        ("68-sacct-bad-interpreter", ["49"], [("49", None, P.ENDED, None, 2, None)]),
        ("69-sacct-output-unwritable", ["50"], [("50", None, P.ENDED, None, None, 53)]),
        ("86-sacct-timeout", ["44"], [("44", None, P.ENDED, "timeout", None, None)]),
        ("94-sacct-node-fail", ["57"], [("57", None, P.ENDED, "node_failure", None, None)]),
        ("47-sacct-cancelled-running", ["15"], [("15", None, P.ENDED, "cancelled", None, None)]),
        ("115-dbd-back-sacct", ["79"], [("79", None, P.ENDED, "cancelled", None, None)]),  # "CANCELLED" alone
        ("123-ctld-down-sacct", ["78"], [("78", None, P.RUNNING, None, None, None)]),
        ("85-sacct-requeued-pending-noD", ["56"], [("56", None, P.PENDING, None, None, None)]),
        ("99-sacct-requeued-completed", ["56"], [("56", None, P.ENDED, None, 0, None)]),  # the last life counts
        ("107-sacct-node-fail-requeue-completed", ["58"], [("58", None, P.ENDED, None, 0, None)]),
        (
            "66-sacct-array-mixed",
            ["47"],
            [("47", index, P.ENDED, None, code, None) for index, code in enumerate((0, 0, 3, 0))],
        ),
        (
            "103-sacct-array-with-cancelled-element",  # the one cancelled while pending has no row
            ["61"],
            [("61", index, P.ENDED, None, 0, None) for index in (0, 1, 3)],
        ),
        (
            "75-sacct-several-jobs",
            ["35", "36", "999999"],
            [("35", None, P.ENDED, None, 0, None), ("36", None, P.ENDED, None, 3, None)],
        ),
    ],
)  # fmt: skip
def test_the_accounting_tells_how_jobs_ended(case, natives, expected):
    assert ended(case, *natives) == expected


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("PREEMPTED", "preempted"), ("BOOT_FAIL", "node_failure"), ("DEADLINE", "timeout")],
)
def test_ends_that_were_not_recorded_have_their_class(word, outcome):
    reply = Reply(0, f"{SACCT_HEADER}4_2|pa|{word}|0:0|n1|None|\n")
    seen = slurm.parse_history(reply, known("4"))[0]
    assert (seen.phase, seen.element, seen.outcome) == (P.ENDED, 2, outcome)


def test_who_cancelled_a_job_is_told_and_where_it_ran():
    seen = slurm.parse_history(sacct("47-sacct-cancelled-running"), known("15", token="pa"))[0]
    assert (seen.word, seen.by, seen.node, seen.token) == ("CANCELLED", "1001", "n1", "pa")
    never_ran = slurm.parse_history(sacct("48-sacct-cancelled-pending"), known("27"))[0]
    assert (never_ran.node, never_ran.reason) == ("", "JobHeldUser")


def test_the_accounting_knows_the_pending_rest_of_an_array():
    seen = ended("49-sacct-cancelled-array-element", "30")
    assert [one[1:3] for one in seen] == [(0, P.RUNNING), *((index, P.PENDING) for index in range(1, 10))]


def test_an_array_whose_list_was_cut_tells_nothing():
    reply = Reply(
        0, f"{SACCT_HEADER}4_[1,3,5,...]|pa|PENDING|0:0|None assigned|None|\n5|pb|COMPLETED|0:0|n1|None|\n"
    )
    assert [one.native for one in slurm.parse_history(reply, known("4", "5"))] == ["5"]


def test_jobs_without_an_id_are_known_to_the_accounting_by_name():
    seen = slurm.parse_history(sacct("76-find-by-name-sacct"), named(ARRAY))
    assert {one.native for one in seen} == {"4"}
    assert {one.element for one in seen} == set(range(10))


@pytest.mark.parametrize(
    "case", ["03-sacct-just-after-submit", "27-sacct-unknown-job", "104-sacct-array-element"]
)
def test_a_header_alone_says_that_the_accounting_does_not_know_the_job_yet(case):
    assert slurm.parse_history(sacct(case), known("2", "61", "999999")) == []


@pytest.mark.parametrize(
    "reply",
    [
        recorded("slurm/109-dbd-down-sacct").reply,
        recorded("slurm/27-sacct-unknown-job").reply,  # an empty text with exit code 0
        Reply(None, SACCT_HEADER),
        Reply(1, "", "Slurm accounting storage is disabled"),
        Reply(0, f"{SACCT_HEADER}4|pa|COMPLETED|0:0|n1|No"),
        Reply(0, f"{SACCT_HEADER}4_"),
    ],
)
def test_an_accounting_that_does_not_prove_itself_says_nothing(reply):
    with pytest.raises(QueryFailed):
        slurm.parse_history(reply, known("4"))


def test_the_adapters_own_question_to_the_accounting_is_answered():
    asked = recorded("slurm/202-history-as-asked")
    jobs = [Known("pa", "12", 60), Known("pb", "13", 1), Known("pc", "14", 3), Known("pd", "15", 1)]
    assert asked.argv[:-1] == slurm.history(jobs)[:-1]
    seen = {(one.token, one.element): one for one in slurm.parse_history(asked.reply, jobs)}
    assert len(seen) == 2 + 30 + 1 + 3 + 1
    assert (seen["pb", None].exit_code, seen["pc", 2].signal, seen["pd", None].by) == (9, 9, "0")
    none = recorded("slurm/203-history-by-name-none-as-asked")
    assert none.argv == slurm.history(named("pzzzzzzzzzz"))
    assert slurm.parse_history(none.reply, named("pzzzzzzzzzz")) == []


# ---- limits


def test_the_largest_index_is_one_below_the_largest_array():
    told = slurm.parse_limits(recorded("slurm/88-config").reply)
    assert (told.version, told.array_size, told.accounting) == ("22.05.8", 5000, True)
    assert "MinJobAge = 300 sec" in told.notes


@pytest.mark.parametrize("kind", ["accounting_storage/none", "(null)", ""])
def test_a_site_without_accounting_says_so(kind):
    told = slurm.parse_limits(Reply(0, f"AccountingStorageType = {kind}\nSLURM_VERSION = 23.11.4\n"))
    assert (told.version, told.accounting, told.array_size) == ("23.11.4", False, None)


@pytest.mark.parametrize(
    "reply", [recorded("slurm/120-ctld-down-scontrol").reply, Reply(0), Reply(None, "SLURM_VERSION = 1")]
)
def test_limits_that_were_not_told_are_not_guessed(reply):
    with pytest.raises(QueryFailed):
        slurm.parse_limits(reply)


# ---- whatever arrives

QUEUES = ["08-squeue-array-running", "32-squeue-pending-reasons", "35-squeue-all-states-recent"]
ACCOUNTS = [
    "66-sacct-array-mixed",
    "76-find-by-name-sacct",
    "47-sacct-cancelled-running",
    "99-sacct-requeued-completed",
]
TOKENS = named(ARRAY, "ps-depkilled", "ps-fails", "ps-held", "single.sh", "ps-arrlimit")
NATIVES = known("47", "4", "15", "56", "2")


def ends(read, reply: Reply, jobs) -> set:
    """Return the ends in a reply; none if it is no answer."""
    try:
        return {
            (s.native, s.element, s.outcome, s.exit_code, s.signal)
            for s in read(reply, jobs)
            if s.phase is P.ENDED
        }
    except QueryFailed:
        return set()


@pytest.mark.parametrize("case", QUEUES)
def test_a_queue_that_is_cut_short_never_shows_an_end_that_is_not_there(case):
    whole = ends(slurm.parse_queue, squeue(case), TOKENS)
    assert all(ends(slurm.parse_queue, cut, TOKENS) <= whole for cut in cut_anywhere(squeue(case)))


@pytest.mark.parametrize("case", ACCOUNTS)
def test_an_accounting_that_is_cut_short_never_shows_an_end_that_is_not_there(case):
    whole = ends(slurm.parse_history, sacct(case), NATIVES)
    assert whole
    assert all(ends(slurm.parse_history, cut, NATIVES) <= whole for cut in cut_anywhere(sacct(case)))


LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(before=LINES, after=LINES, case=st.sampled_from(QUEUES))
def test_what_a_profile_prints_around_a_queue_changes_no_end(before, after, case):
    reply = squeue(case)
    around = Reply(0, f"{before}\n{reply.out}{after}\n")
    assert ends(slurm.parse_queue, around, TOKENS) <= ends(slurm.parse_queue, reply, TOKENS)


@given(before=LINES, after=LINES, case=st.sampled_from(ACCOUNTS))
def test_what_a_profile_prints_around_an_accounting_changes_no_end(before, after, case):
    reply = sacct(case)
    around = Reply(0, f"{before}\n{reply.out}{after}\n")
    assert ends(slurm.parse_history, around, NATIVES) <= ends(slurm.parse_history, reply, NATIVES)


WORDS = st.sampled_from(
    [
        "penstock",
        "|",
        "|end",
        "\n",
        HEADER,
        SACCT_HEADER,
        "4_[",
        "]",
        "1-3",
        "%2",
        "COMPLETED",
        "0:9",
        "9" * 5000,
        "pa",
    ]
)


@given(st.lists(WORDS | LINES).map("".join), st.sampled_from([0, 0, 1, None]))
def test_nothing_but_a_failed_query_comes_of_nonsense(text, code):
    for read, what in (
        (slurm.parse_queue, named("pa")),
        (slurm.parse_history, known("4")),
        (slurm.parse_find, ["pa"]),
    ):
        with contextlib.suppress(QueryFailed):
            read(Reply(code, text), what)
    with contextlib.suppress(QueryFailed):
        slurm.parse_limits(Reply(code, text))


@given(st.text(), st.text(), st.sampled_from([0, 1, 255, None]))
def test_a_submission_is_taken_refused_or_in_doubt_whatever_is_said(out, err, code):
    with contextlib.suppress(QueryFailed, SiteFull, SubmitRejected):
        assert slurm.parse_submit(Reply(code, out, err)).isdigit()


def test_backfill_asks_to_go_behind_the_other_jobs_of_its_user() -> None:
    site = Site("x", scheduler="slurm")
    assert not any("nice" in line for line in slurm.directives(Request("pabc", 1), site))
    assert "#SBATCH --nice=10000" in slurm.directives(Request("pabc", 1, behind=True), site)
