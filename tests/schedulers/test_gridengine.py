"""Grid Engine: what it is asked, and what its recorded answers mean."""

import fnmatch
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.schedulers.recordings import all_recorded, recorded, under_their_names

from penstock.campaign import Site
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.runner.identity import find_element, find_native
from penstock.schedulers import find_scheduler, gridengine
from penstock.schedulers.model import Known, Phase, Request, Sighting
from penstock.transports.reply import Reply

P = Phase
SITE = Site("cluster")


def parse(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    return gridengine.parse_queue(reply, under_their_names(reply, jobs))


def seen(case: str, *natives: str) -> list[tuple]:
    jobs = [Known("token", native, 10) for native in natives]
    told = parse(recorded(f"gridengine/{case}").reply, jobs)
    return [(one.native, one.element, one.phase, one.word) for one in told]


def history(case: str, name: str, native: str | None) -> list[Sighting]:
    return gridengine.parse_history(recorded(f"gridengine/{case}").reply, [Known(name, native, 10)])


# ---- what it is asked


def test_it_is_found_by_its_name():
    assert find_scheduler("gridengine") is gridengine


def test_a_script_asks_for_what_a_job_needs_and_raw_lines_come_last():
    request = Request("pabcdefghij", 12, 4, 2**30 + 1, 3600.2, 3, ("n1", "n2"))
    site = Site(
        "c", queue="long.q", account="sea", constraint="arch=lx-amd64", lines=("-pe mpi 4", "#$ -R y")
    )
    assert gridengine.directives(request, site) == [
        "#$ -S /bin/sh",
        "#$ -wd /",
        "#$ -j y",
        "#$ -o /dev/null",
        "#$ -notify",
        "#$ -pe smp 4",
        "#$ -l h_rt=01:00:01",
        "#$ -l h_vmem=257M",  # per slot
        "#$ -l h=!(n1|n2)",
        "#$ -l arch=lx-amd64",
        "#$ -q long.q",
        "#$ -P sea",
        "#$ -pe mpi 4",
        "#$ -R y",
    ]


def test_nothing_is_asked_for_that_nobody_wanted():
    assert gridengine.directives(Request("pabcdefghij", 1), SITE) == [
        "#$ -S /bin/sh",
        "#$ -wd /",
        "#$ -j y",
        "#$ -o /dev/null",
        "#$ -notify",
    ]


def test_keys_that_it_has_no_word_for_are_named():
    assert "qos" in gridengine.UNSUPPORTED


def test_an_array_counts_from_one_and_one_element_is_no_array():
    head = ["qsub", "-terse", "-b", "n", "-N", "pabc", "-r", "n"]
    assert gridengine.submit("s", Request("pabc", 10, max_parallel=3), SITE) == [
        *head,
        "-t",
        "1-10",
        "-tc",
        "3",
        "s",
    ]
    assert gridengine.submit("s", Request("pabc", 2), SITE) == [*head, "-t", "1-2", "s"]
    assert gridengine.submit("s", Request("pabc", 1, max_parallel=3), SITE) == [*head, "s"]


def test_the_queue_is_asked_for_our_own_jobs_alone():
    assert gridengine.queue([Known("pa", "7", 1)]) == ["qstat", "-u", "$user", "-xml"]
    assert gridengine.find(["pa"]) == gridengine.queue([])


def test_one_question_tells_how_several_jobs_ended():
    jobs = [Known("pabcdefghij", "7", 1), Known("pabxdefghik", "8", 4)]
    assert gridengine.history(jobs) == ["qacct", "-j", "pab[cx]defghi[jk]"]
    assert gridengine.history(jobs[:1]) == ["qacct", "-j", "pabcdefghij"]


def test_the_records_of_several_jobs_come_by_one_pattern():
    jobs = [
        Known("pexit3aaaaa", "11", 1),
        Known("parrayaaaaa", "12", 4),
        Known("phrtaaaaaaa", "14", 1),
        Known("pkillaaaaaa", "17", 1),
    ]
    answer = recorded("gridengine/104-qacct-several-by-pattern")
    assert gridengine.history(jobs) == answer.argv
    told = gridengine.parse_history(answer.reply, jobs)
    assert {(one.native, one.element): (one.outcome, one.exit_code, one.signal) for one in told} == {
        ("11", None): (None, 3, None),
        ("12", 1): (None, 1, None),
        ("12", 2): (None, 2, None),
        ("12", 3): (None, 3, None),
        ("14", None): ("timeout", None, 12),  # the warning ended it
        ("17", None): (None, None, 9),
    }


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=11).map("p{}".format)


@given(st.lists(NAMES, min_size=1, max_size=20))
def test_all_names_fit_the_pattern_that_is_laid_over_them(names):
    pattern = gridengine.overlay(names)
    assert all(fnmatch.fnmatchcase(name, pattern) for name in names)
    assert not fnmatch.fnmatchcase("other", pattern)


def test_jobs_and_elements_are_cancelled_by_number():
    assert (
        gridengine.cancel(Known("pa", "7", 1), [1])
        == gridengine.cancel(Known("pa", "7", 9), None)
        == ["qdel", "7"]
    )
    assert gridengine.cancel(Known("pa", "7", 9), [3, 4, 8]) == ["qdel", "7.3-4", "7.8"]


# ---- submitting


@pytest.mark.parametrize(
    ("case", "native"),
    [
        ("02-submit-single", "30"),
        ("06-submit-array", "32"),
        ("07-submit-no-terse", "33"),
        ("08-submit-array-no-terse", "34"),
    ],
)
def test_a_job_that_was_taken_has_a_number(case, native):
    reply = recorded(f"gridengine/{case}").reply
    assert gridengine.parse_submit(reply) == native
    assert gridengine.parse_submit(Reply(0, f"Welcome\n2 mails\n{reply.out}bye 3\n")) == native


def test_inside_an_element_the_runner_finds_the_same_id_and_its_index():
    text = recorded("gridengine/62-task-environment").reply.out
    environ = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert find_native(None, environ) == gridengine.parse_submit(Reply(0, "70.4-5:1\n")) == "70"
    assert find_element(None, environ, 5) == 5


def test_outside_an_array_the_index_is_no_word():
    text = recorded("gridengine/63-task-environment-single").reply.out
    environ = dict(line.split("=", 1) for line in text.splitlines())
    assert environ["SGE_TASK_ID"] == "undefined"
    assert (find_native(None, environ), find_element(None, environ, 1)) == ("71", 1)


@pytest.mark.parametrize(
    ("case", "key", "words"),
    [
        ("17-error-bad-queue", "`queue`", 'unknown queue "nosuch"'),
        ("18-error-array-too-large", "`array_size`", "more than 75000 tasks"),
        ("19-error-array-zero", "`array_size`", "0 is an invalid task id"),
        ("20-error-bad-resource", "`constraint` or `lines`", 'unknown resource "nosuch"'),
        ("21-error-bad-pe", "lines", 'parallel environment "nosuch" does not exist'),
        ("25-error-bad-project", "`account`", 'project "nosuch" does not exist'),
        ("26-error-unknown-option", "`lines`", "invalid option argument"),
        ("28-error-verify-impossible", "`max_memory`", "no suitable queues"),
        ("23-error-bad-name", "administrators", "is not a valid object name"),
    ],
)
def test_a_refusal_names_the_key_to_correct_and_the_schedulers_words(case, key, words):
    with pytest.raises(SubmitRejected) as caught:
        gridengine.parse_submit(recorded(f"gridengine/{case}").reply)
    assert key in str(caught.value)
    assert "[site.NAME]" in str(caught.value)
    assert words in str(caught.value)


def test_a_full_queue_passes():
    words = "Unable to run job: job rejected: Only 100 jobs are allowed per user (current job count: 100).\nExiting."
    with pytest.raises(SiteFull):
        gridengine.parse_submit(Reply(1, "", words))


@pytest.mark.parametrize(
    "reply",
    [
        recorded("gridengine/92-qmaster-down-qsub").reply,
        recorded("gridengine/24-error-name-with-space").reply,
        Reply(None, "30\n"),
        Reply(1, "30\n", "broken pipe"),
        Reply(0, "Welcome\n"),
    ],
)
def test_nobody_knows_whether_a_job_was_taken_without_a_clear_word(reply):
    with pytest.raises(QueryFailed):
        gridengine.parse_submit(reply)


# ---- the queue


def test_running_elements_come_one_by_one_and_waiting_ones_as_a_range():
    running = [("32", element, P.RUNNING, "r") for element in (1, 2, 3)]
    waiting = [("32", element, P.PENDING, "qw") for element in range(4, 11)]
    for case in ("09-qstat-xml-array-running", "10-qstat-xml-array-expanded", "11-qstat-xml-full-names"):
        assert seen(case, "32") == running + waiting


def test_a_range_has_a_hole_where_an_element_was_deleted():
    assert seen("53-qstat-xml-after-element-qdel", "53") == [("53", 3, P.HELD, "hqw")]


@pytest.mark.parametrize(
    ("case", "native", "phase", "word"),
    [
        ("03-qstat-xml-just-after-submit", "30", P.RUNNING, "r"),
        ("34-qstat-xml-states", "45", P.RUNNING, "r"),
        ("34-qstat-xml-states", "52", P.PENDING, "qw"),
        ("34-qstat-xml-states", "46", P.HELD, "hqw"),
        ("34-qstat-xml-states", "49", P.HELD, "Eqw"),
        ("47-qstat-xml-suspended", "45", P.RUNNING, "s"),
        ("57-qstat-xml-dr", "45", P.RUNNING, "dr"),
        ("66-qstat-xml-finished-z", "30", P.ENDED, "z"),
        ("97-qmaster-back-qstat", "75", P.RUNNING, "r"),
        ("98-execd-dead-qstat-xml", "75", P.RUNNING, "r"),
        ("101-qstat-xml-dr-dead-host", "75", P.RUNNING, "dr"),
    ],
)
def test_a_single_job(case, native, phase, word):
    assert seen(case, native) == [(native, None, phase, word)]


def test_every_element_of_an_array_in_error_is_held_and_the_reason_names_the_remedy():
    reply = recorded("gridengine/34-qstat-xml-states").reply
    told = gridengine.parse_queue(reply, [Known("ps-eqwa", "50", 3)])
    assert [(one.element, one.phase) for one in told] == [(1, P.HELD), (2, P.HELD), (3, P.HELD)]
    assert told[0].reason == "in error: `qstat -j 50` shows why, `qmod -cj 50` lets it try again"


def test_a_running_element_has_a_node():
    reply = recorded("gridengine/09-qstat-xml-array-running").reply
    told = parse(reply, [Known("t", "32", 10)])
    assert {(one.node, one.token) for one in told[:3]} == {("node0", "ps-7f3a9c21-a")}
    assert {one.node for one in told[3:]} == {""}


def test_a_job_without_a_number_is_known_by_its_name():
    reply = recorded("gridengine/09-qstat-xml-array-running").reply
    told = gridengine.parse_queue(reply, [Known("ps-7f3a9c21-a", None, 10)])
    assert {one.native for one in told} == {"32"}


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("t", P.RUNNING),
        ("Rr", P.RUNNING),
        ("dRtS", P.RUNNING),
        ("Rq", P.PENDING),
        ("hRwq", P.HELD),
        ("EhRqw", P.HELD),
        ("xyz", P.UNKNOWN),
        ("", P.UNKNOWN),
    ],
)
def test_the_words_of_the_manual_and_others(word, phase):
    text = recorded("gridengine/03-qstat-xml-just-after-submit").reply.out
    told = parse(Reply(0, text.replace("<state>r<", f"<state>{word}<")), [Known("t", "30", 1)])
    assert [(one.phase, one.word) for one in told] == [(phase, word)]


def test_a_queue_without_our_job_is_an_answer_without_it():
    assert seen("88-qstat-none", "72") == []
    empty = Reply(0, "<?xml version='1.0'?>\n<job_info><queue_info/><job_info></job_info></job_info>\n")
    assert parse(empty, [Known("t", "72", 1)]) == []


@pytest.mark.parametrize(
    "reply",
    [
        recorded("gridengine/93-qmaster-down-qstat").reply,
        recorded("gridengine/30-unknown-qstat-j-xml").reply,
        Reply(0),
        Reply(None, recorded("gridengine/88-qstat-none").reply.out),
        Reply(0, "<?xml version='1.0'?><x></job_info>"),
        Reply(0, "<?xml version='1.0'?><job_info><job_info></job_info></job_info>"),
    ],
)
def test_what_does_not_prove_that_the_master_spoke_is_no_answer(reply):
    with pytest.raises(QueryFailed):
        parse(reply, [Known("t", "72", 1)])


def test_a_document_that_defines_entities_is_refused():
    text = recorded("gridengine/09-qstat-xml-array-running").reply.out
    bomb = text.replace("<job_info ", "<!DOCTYPE j [<!ENTITY a 'x'>]>\n<job_info ", 1).replace(">r<", ">&a;<")
    with pytest.raises(QueryFailed):
        parse(Reply(0, bomb), [Known("t", "32", 10)])


# ---- how jobs ended


@pytest.mark.parametrize(
    ("case", "name", "native", "end"),
    [
        ("68-qacct-ok", "ps-ok", "55", (None, 0, None)),
        ("69-qacct-exit3", "ps-exit3", "56", (None, 3, None)),
        ("87-qacct-by-owner", "ps-exit3", "56", (None, 3, None)),
        ("70-qacct-exit137", "ps-exit137", "57", (None, 137, None)),
        ("71-qacct-signal8", "ps-sig8", "58", (None, None, 8)),
        ("72-qacct-signal9", "ps-sig9", "59", (None, None, 9)),
        ("73-qacct-signal11", "ps-sig11", "60", (None, None, 11)),
        ("74-qacct-signal15", "ps-sig15", "61", (None, None, 15)),
        ("75-qacct-child-signal11", "ps-csig", "62", (None, 139, None)),
        ("78-qacct-h_rt", "ps-hrt", "64", ("timeout", None, 9)),
        ("79-qacct-s_rt", "ps-srt", "65", (None, None, 10)),
        ("80-qacct-h_vmem", "ps-mem", "66", (None, 1, None)),
        ("83-qacct-command-not-found", "command", "69", (None, 127, None)),
        ("59-qacct-qdel-running", "ps-hog", "45", (None, None, 9)),  # nobody tells who did it
        ("64-qacct-just-after-end", "ps-quick", "72", (None, 0, None)),
        ("86-find-by-name-qacct", "ps-7f3a9c21", "30", (None, 0, None)),
        ("90-qacct-exit99-requeued", "ps-rerun", "73", (None, 0, None)),
        ("96-qmaster-down-qacct", "ps-ok", "55", (None, 0, None)),  # it needs no master
    ],
)
def test_how_a_single_job_ended(case, name, native, end):
    (one,) = history(case, name, native)
    assert (one.native, one.element, one.phase) == (native, None, P.ENDED)
    assert (one.outcome, one.exit_code, one.signal) == end
    assert (one.node, one.token) == ("node0", name)


@pytest.mark.parametrize(
    ("case", "name", "native"),
    [("77-qacct-exit100", "ps-exit100", "63"), ("82-qacct-bad-interpreter", "bi.sh", "68")],
)
def test_a_job_in_error_has_a_record_and_no_end(case, name, native):
    assert history(case, name, native) == []


def test_a_job_that_is_queued_again_has_a_record_and_no_end():
    reply = recorded("gridengine/90-qacct-exit99-requeued").reply
    first = reply.out[: reply.out.index("=====", 100)]
    assert gridengine.parse_history(Reply(0, first), [Known("ps-rerun", "73", 1)]) == []


def test_each_element_has_a_record():
    told = history("81-qacct-array-mixed", "ps-mixed", "67")
    assert {one.element: one.exit_code for one in told} == {1: 0, 2: 3, 3: 0, 4: 0}
    told = history("84-qacct-array-first", "ps-7f3a9c21-a", "32")
    assert {one.element: (one.exit_code, one.signal) for one in told} == {
        **dict.fromkeys(range(1, 7), (0, None)),
        **dict.fromkeys(range(7, 10), (None, 9)),
    }
    assert [one.element for one in history("85-qacct-array-element", "ps-7f3a9c21-a", "32")] == [3, 4]


def test_records_of_others_that_fit_the_pattern_are_left_out():
    assert history("68-qacct-ok", "ps-ok", "56") == []
    assert history("68-qacct-ok", "ps-no", "55") == []
    assert [one.native for one in history("68-qacct-ok", "ps-ok", None)] == ["55"]


@pytest.mark.parametrize(
    "case",
    ["04-qacct-queued", "31-unknown-qacct", "55-qacct-deleted-while-queued", "103-qacct-after-forced-delete"],
)
def test_a_job_without_a_record_is_not_known(case):
    assert history(case, "ps-x", "30") == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(0),
        Reply(None),
        Reply(1, "no jobs running since startup\n", "accounting: No such file or directory"),
    ],
)
def test_silence_is_no_answer(reply):
    with pytest.raises(QueryFailed):
        gridengine.parse_history(reply, [Known("ps-ok", "55", 1)])


# ---- by name, and limits


def test_a_job_is_found_by_its_name():
    reply = recorded("gridengine/09-qstat-xml-array-running").reply
    tokens = ["ps-7f3a9c21", "ps-7f3a9c21-a", "ps-none"]
    assert gridengine.parse_find(reply, tokens) == {tokens[0]: "30", tokens[1]: "32"}
    with pytest.raises(QueryFailed):
        gridengine.parse_find(recorded("gridengine/93-qmaster-down-qstat").reply, tokens)


def test_the_master_tells_version_and_limits():
    version, configuration = (
        recorded(f"gridengine/{case}").reply.out for case in ("01-version", "91-limits")
    )
    told = gridengine.parse_limits(Reply(0, f"motd\n{version.splitlines()[0]}\n{configuration}"))
    assert (told.version, told.array_size, told.accounting) == ("SGE 8.1.9", 75000, True)
    assert told.notes == ("max_aj_instances = 2000", "max_u_jobs = 0")
    with pytest.raises(QueryFailed):
        gridengine.parse_limits(Reply(0, version))


# ---- nonsense

QUEUES = [name for name in all_recorded("gridengine") if "<job_list" in recorded(name).reply.out]
RECORDS = [name for name in all_recorded("gridengine") if "qname" in recorded(name).reply.out]
NUMBERED = [Known("t", str(native), 10) for native in range(30, 80)]
LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def named(name: str) -> list[Known]:
    lines = [line.split() for line in recorded(name).reply.out.splitlines()]
    names = {line[1] for line in lines if line[0] == "jobname"}
    return [Known(token, None, 10) for token in names]


def ended(read, reply: Reply, jobs: list[Known]) -> set[Sighting]:
    try:
        return {one for one in read(reply, jobs) if one.phase is P.ENDED}
    except QueryFailed:
        return set()


@given(st.sampled_from(QUEUES), st.floats(0, 1))
def test_a_cut_queue_is_no_answer(name, part):
    out = recorded(name).reply.out.rstrip()
    with pytest.raises(QueryFailed):
        gridengine.parse_queue(Reply(0, out[: int(part * (len(out) - 1))]), NUMBERED)


@given(st.sampled_from(RECORDS), st.floats(0, 1))
def test_cut_records_tell_of_no_end_that_the_whole_ones_do_not_have(name, part):
    reply, jobs = recorded(name).reply, named(name)
    cut = Reply(0, reply.out[: int(part * len(reply.out))])
    assert ended(gridengine.parse_history, cut, jobs) <= ended(gridengine.parse_history, reply, jobs)


@given(st.sampled_from(QUEUES), LINES, LINES)
def test_what_a_profile_prints_around_a_queue_changes_nothing(name, before, after):
    out = recorded(name).reply.out
    told = gridengine.parse_queue(Reply(0, f"{before}\n{out}{after}\n"), NUMBERED)
    assert told == gridengine.parse_queue(Reply(0, out), NUMBERED)


@given(st.sampled_from(RECORDS), LINES, LINES)
def test_what_a_profile_prints_around_records_changes_nothing(name, before, after):
    out = recorded(name).reply.out
    told = gridengine.parse_history(Reply(0, f"{before}\n{out}{after}\n"), named(name))
    assert told == gridengine.parse_history(Reply(0, out), named(name))


PARTS = [
    *(
        "<?xml version='1.0'?>",
        "<job_info>",
        "</job_info>",
        "<queue_info/>",
        "<job_list>",
        "</job_list>",
        "\n",
    ),
    *(
        "<JB_job_number>7</JB_job_number>",
        "<state>z</state>",
        "<tasks>1-",
        "9" * 5000,
        "</tasks>",
        "=" * 40 + "\nqname x\n",
    ),
    *(
        "failed 100\n",
        "exit_status ",
        "jobname pa\n",
        "jobnumber 7\n",
        "taskid ",
        "hostname n\n",
        "max_aj_tasks 1",
    ),
]


@given(st.lists(st.sampled_from(PARTS) | LINES).map("".join), st.sampled_from([0, 0, 1, None]))
def test_nothing_but_a_failed_query_comes_of_nonsense(text, code):
    reply, jobs = Reply(code, text, text), [Known("pa", "7", 9)]
    reads = (
        lambda: parse(reply, jobs),
        lambda: gridengine.parse_history(reply, jobs),
        lambda: gridengine.parse_find(reply, ["pa"]),
        lambda: gridengine.parse_limits(reply),
    )
    for read in reads:
        with suppress(QueryFailed):
            read()


@given(st.text(), st.text(), st.sampled_from([0, 1, 14, None]))
def test_a_submission_is_taken_refused_or_in_doubt_whatever_is_said(out, err, code):
    with suppress(QueryFailed, SiteFull, SubmitRejected):
        assert gridengine.parse_submit(Reply(code, out, err)).isdigit()


def test_backfill_asks_to_go_behind_the_other_jobs_of_its_user() -> None:
    assert "#$ -p -1023" in gridengine.directives(Request("pabc", 1, behind=True), SITE)


def test_an_id_that_another_job_has_by_now_is_told_under_its_name() -> None:
    reply = recorded("gridengine/34-qstat-xml-states").reply
    told = gridengine.parse_queue(reply, [Known("pabcdefghij", "45", 1)])
    assert {one.token for one in told} == {"ps-hog"}
