"""PBS: what it is asked, and what its recorded answers mean."""

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.schedulers.recordings import all_recorded, recorded, under_their_names

from penstock.campaign import Site
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.runner.identity import find_element, find_native
from penstock.schedulers import find_scheduler, pbs
from penstock.schedulers.model import Known, Phase, Request, Sighting
from penstock.transports.reply import Reply

P = Phase
SITE = Site("cluster")


def parse(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    return pbs.parse_queue(reply, under_their_names(reply, jobs))


def jobs_of(reply: Reply) -> list[Known]:
    """All jobs that an answer names, as known ones."""
    rows = json.loads(reply.out).get("Jobs", {})
    return [
        Known(row["Job_Name"], pbs.strip_index(name), 10 if "[" in name else 1) for name, row in rows.items()
    ]


def seen(case: str) -> list[Sighting]:
    reply = recorded(f"openpbs/{case}").reply
    return pbs.parse_queue(reply, jobs_of(reply))


def phases(case: str) -> list[tuple[int | None, Phase, str]]:
    return [(one.element, one.phase, one.word) for one in seen(case)]


def end(case: str) -> tuple[str | None, int | None, int | None, str]:
    (one,) = seen(case)
    assert one.phase is P.ENDED
    return one.outcome, one.exit_code, one.signal, one.by


# ---- what it is asked


def test_it_is_found_by_its_name():
    assert find_scheduler("pbs") is pbs


def test_a_script_asks_for_what_a_job_needs_and_raw_lines_come_last():
    request = Request("pabcdefghij", 12, 4, 2**30 + 1, 3600.2, 3)
    site = Site(
        "c", queue="long", account="sea", constraint="cpu_type=rome", lines=("-P x", "#PBS -W umask=027")
    )
    assert pbs.directives(request, site) == [
        "#PBS -j oe",
        "#PBS -o /dev/null",
        "#PBS -l select=1:ncpus=4:mem=1025mb:cpu_type=rome",
        "#PBS -l walltime=01:00:01",
        "#PBS -q long",
        "#PBS -A sea",
        "#PBS -P x",
        "#PBS -W umask=027",
    ]


def test_nothing_is_asked_for_that_nobody_wanted():
    assert pbs.directives(Request("pabcdefghij", 1), SITE) == [
        "#PBS -j oe",
        "#PBS -o /dev/null",
        "#PBS -l select=1:ncpus=1",
    ]


def test_keys_that_it_has_no_word_for_are_named():
    assert "qos" in pbs.UNSUPPORTED


def test_an_array_counts_from_one_and_one_element_is_no_array():
    head = ["qsub", "-N", "pabc", "-r"]
    assert pbs.submit("s", Request("pabc", 10, max_parallel=3), SITE) == [*head, "y", "-J", "1-10%3", "s"]
    assert pbs.submit("s", Request("pabc", 2), SITE) == [*head, "y", "-J", "1-2", "s"]
    assert pbs.submit("s", Request("pabc", 1, max_parallel=3), SITE) == [*head, "n", "s"]


def test_only_what_is_no_array_is_kept_from_being_rerun_as_qsub_refuses_other_arrays():
    for elements in (1, 2, 500):
        words = pbs.submit("s", Request("pabc", elements), SITE)
        assert ("-J" in words) == (words[words.index("-r") + 1] == "y")


def test_one_question_tells_of_all_jobs_and_there_is_no_other():
    jobs = [Known("pa", "7.s", 1), Known("pb", "8.s", 4), Known("pc", None, 1)]
    assert pbs.queue(jobs) == ["env", "TZ=UTC0", "qstat", "-x", "-t", "-f", "-F", "json", "7.s", "8[].s"]
    assert pbs.history(jobs) is None
    assert pbs.parse_history(Reply(0), jobs) == []


def test_jobs_and_elements_are_cancelled_by_id():
    array = Known("pa", "7.s", 9)
    assert (
        pbs.cancel(Known("pa", "7.s", 1), None) == pbs.cancel(Known("pa", "7.s", 1), [1]) == ["qdel", "7.s"]
    )
    assert pbs.cancel(array, None) == ["qdel", "7[].s"]
    assert pbs.cancel(array, [3, 4, 5, 8]) == ["qdel", "7[3-5].s", "7[8].s"]


# ---- submitting


@pytest.mark.parametrize(
    ("case", "native"),
    [
        ("02-submit-single", "1000.pbs1"),
        ("06-submit-array", "1003.pbs1"),
        ("22-error-too-many-cpus", "1007.pbs1"),  # it is taken, and never runs
    ],
)
def test_a_job_that_was_taken_has_an_id_without_array_part(case, native):
    reply = recorded(f"openpbs/{case}").reply
    assert pbs.parse_submit(reply) == native
    noisy = Reply(0, f"Welcome to 10.0.0.1\n10.0.0.1\n{reply.out}\nused 3.5\n3.5\n", "bye")
    assert pbs.parse_submit(noisy) == native


def test_inside_an_element_the_runner_finds_the_same_id_and_its_index():
    text = recorded("openpbs/57-task-environment").reply.out
    environ = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert environ["PBS_JOBID"] == "1033[5].pbs1"
    assert find_native(None, environ) == pbs.parse_submit(Reply(0, "1033[].pbs1\n")) == "1033.pbs1"
    assert find_element(None, environ, 5) == 5


@pytest.mark.parametrize(
    ("case", "key", "words"),
    [
        ("17-error-bad-queue", "`queue`", "Unknown queue"),
        ("18-error-array-too-large", "`array_size`", "Array job exceeds server or queue size limit"),
        ("19-error-array-one-element", "`max_parallel`", "illegal -J value"),
        ("20-error-torque-array-option", "`lines`", "invalid option"),
        ("21-error-bad-resource", "`constraint` or `lines`", "Unknown resource Resource_List.nosuch"),
        ("23-error-walltime-over-queue-limit", "`max_walltime`", "violates queue"),
        ("24-error-bad-walltime", "`lines`", "Illegal attribute"),
        ("29-error-bad-dependency", "`lines`", "illegal -W value"),
    ],
)
def test_a_refusal_names_the_key_to_correct_and_the_schedulers_words(case, key, words):
    with pytest.raises(SubmitRejected) as caught:
        pbs.parse_submit(recorded(f"openpbs/{case}").reply)
    assert key in str(caught.value)
    assert "[site.NAME]" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("qsub: Maximum number of jobs already in queue", SiteFull),
        ("qsub: would exceed queue workq's per-user limit of jobs in 'Q' state", SiteFull),
        ("qsub: Unauthorized Request", SubmitRejected),
        ("qsub: Invalid account", SubmitRejected),
        ("qsub: Queue is not enabled", SubmitRejected),
    ],
)
def test_a_full_queue_passes_and_a_lack_of_rights_does_not(words, error):
    with pytest.raises(error):
        pbs.parse_submit(Reply(1, "", words))


@pytest.mark.parametrize(
    "reply",
    [
        recorded("openpbs/97-server-down-qsub").reply,
        Reply(None, "1000.pbs1\n"),
        Reply(1, "1000.pbs1\n", "broken pipe"),
        Reply(0, "Welcome\n"),
        Reply(0),
    ],
)
def test_nobody_knows_whether_a_job_was_taken_without_a_clear_word(reply):
    with pytest.raises(QueryFailed):
        pbs.parse_submit(reply)


# ---- the queue


@pytest.mark.parametrize("case", ["07-qstat-array-queued", "08-qstat-array-running"])
def test_elements_speak_for_themselves_and_the_array_does_not(case):
    running = [(element, P.RUNNING, "R") for element in range(3)]
    assert phases(case) == running + [(element, P.PENDING, "Q") for element in range(3, 10)]
    assert {one.native for one in seen(case)} == {"1003.pbs1"}
    assert {one.token for one in seen(case)} == {"ps-7f3a9c21-a"}


@pytest.mark.parametrize(
    ("case", "phase", "word", "reason"),
    [
        ("03-qstat-just-after-submit", P.RUNNING, "R", "Job was sent for execution"),
        ("38-qstat-running-single", P.RUNNING, "R", "Job run at"),
        ("39-qstat-held-H", P.HELD, "H", ""),
        ("40-qstat-waiting-W", P.PENDING, "W", ""),
        ("41-qstat-dependency-H", P.PENDING, "H", ""),
        ("42-qstat-queued-cannot-run", P.HELD, "Q", "Can Never Run: Insufficient amount of resource: ncpus"),
        ("43-qstat-queued-no-resources", P.PENDING, "Q", "Not Running: Insufficient amount of resource"),
        ("46-qstat-exiting-E", P.RUNNING, "E", "Job run at"),
        ("48-qstat-just-after-qdel", P.RUNNING, "R", "Job run at"),
        ("82-qstat-after-rerun", P.RUNNING, "R", "Job run at"),
        ("91-mom-dead-qstat", P.RUNNING, "R", "Job run at"),
        ("96-mom-dead-qstat-later", P.RUNNING, "R", "Job run at"),
    ],
)
def test_a_single_job_that_lives(case, phase, word, reason):
    (one,) = seen(case)
    assert (one.element, one.phase, one.word, one.outcome, one.exit_code) == (None, phase, word, None, None)
    assert one.reason.startswith(reason)
    assert one.node == ("pbs1" if phase is P.RUNNING else "")


def test_a_start_time_is_told_in_utc():
    (one,) = seen("40-qstat-waiting-W")
    assert one.starts == datetime(2026, 11, 22, 5, 15, tzinfo=UTC)
    estimated = recorded("openpbs/43-qstat-queued-no-resources").reply.out.replace(
        '"job_state":\t"Q"', '"estimated":\t{"start_time":\t"Sun Nov 22 06:00:00 2026"}, "job_state":\t"Q"'
    )
    (one,) = parse(Reply(0, estimated), [Known("t", "1015.pbs1", 1)])
    assert one.starts == datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def test_elements_of_a_held_array_are_held_though_they_are_called_queued():
    assert phases("44-qstat-array-held") == [(element, P.HELD, "Q") for element in range(3)]


def test_an_array_stands_for_elements_that_are_not_named():
    (one,) = seen("09-qstat-array-parent-only")
    assert (one.element, one.phase, one.word, one.exit_code) == (None, P.RUNNING, "B", None)


def test_the_exit_status_of_an_array_and_its_waiting_elements_is_not_believed():
    told = [(one.element, one.phase, one.exit_code) for one in seen("106-qstat-array-finished-element-X")]
    assert told == [(0, P.ENDED, 0), (1, P.ENDED, 3), (2, P.RUNNING, None), (3, P.PENDING, None)]


def test_an_element_that_is_deleted_runs_until_it_has_ended():
    case = "88-qstat-array-after-element-qdel"
    assert phases(case) == [(0, P.RUNNING, "R"), *((element, P.PENDING, "Q") for element in (1, 2, 3))]


def test_jobs_that_nobody_asked_about_are_left_out():
    reply = recorded("openpbs/11-qstat-all-json").reply
    told = parse(reply, [Known("t", "1000.pbs1", 1), Known("u", "1003.pbs1", 10)])
    assert [(one.native, one.element) for one in told] == [("1000.pbs1", None), ("1003.pbs1", None)]


def test_a_server_may_have_a_short_and_a_long_name():
    reply = recorded("openpbs/08-qstat-array-running").reply
    told = parse(reply, [Known("t", "1003.pbs1.example.org", 10)])
    assert {one.native for one in told} == {"1003.pbs1.example.org"}
    assert len(told) == 10


# ---- ends


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        ("64-finished-ok", (None, 0, None, "")),
        ("65-finished-exit3", (None, 3, None, "")),
        ("66-finished-exit137", (None, 137, None, "")),
        ("67-finished-signal8", (None, 136, None, "")),
        ("68-finished-signal9", (None, 137, None, "")),
        ("69-finished-signal11", (None, 139, None, "")),
        ("70-finished-signal15", (None, 143, None, "")),
        ("71-finished-child-signal11", (None, 139, None, "")),
        ("72-finished-command-not-found", (None, 254, None, "")),
        ("73-finished-bad-interpreter", (None, 127, None, "")),
        ("74-finished-output-unwritable", (None, 0, None, "")),
        ("75-finished-walltime", ("timeout", None, None, "")),
        ("76-finished-memory", ("out_of_memory", None, None, "")),
        ("54-finished-qdel-running", ("cancelled", None, 15, "user")),
        ("56-finished-qdel-trapped", ("cancelled", None, 15, "user")),
        ("51-finished-qdel-held", ("cancelled", None, None, "")),
        ("95-qstat-after-force", ("cancelled", None, None, "")),
        ("55-dependency-of-deleted", ("unstarted", None, None, "")),
        ("80-finished-dependency-failed", ("unstarted", None, None, "")),
        ("83-finished-rerun", (None, 0, None, "")),
        ("104-server-back-finished", (None, 0, None, "")),
    ],
)
def test_how_a_single_job_ended(case, outcome):
    assert end(case) == outcome


@pytest.mark.parametrize(
    ("status", "outcome"), [(-3, "unstarted"), (-4, "node_failure"), (-20, "node_failure"), (-99, None)]
)
def test_a_negative_exit_status_is_no_exit_code(status, outcome):
    text = recorded("openpbs/65-finished-exit3").reply.out.replace(
        '"Exit_status":\t3', f'"Exit_status":\t{status}'
    )
    (one,) = parse(Reply(0, text), [Known("t", "1020.pbs1", 1)])
    assert (one.phase, one.outcome, one.exit_code, one.signal) == (P.ENDED, outcome, None, None)


@pytest.mark.parametrize(("substate", "outcome"), [(91, "cancelled"), (93, None)])
def test_what_ended_by_sigterm_was_deleted_only_if_pbs_says_so(substate, outcome):
    text = recorded("openpbs/54-finished-qdel-running").reply.out.replace(
        '"substate":\t91', f'"substate":\t{substate}'
    )
    (one,) = parse(Reply(0, text), [Known("t", "1010.pbs1", 1)])
    assert (one.phase, one.outcome, one.signal) == (P.ENDED, outcome, 15)


@pytest.mark.parametrize("status", [-10, -13, -16, -18, -21, -23, -30])
def test_what_pbs_could_not_start_cost_no_try(status):
    test_a_negative_exit_status_is_no_exit_code(status, "unstarted")


def ends(case: str) -> list[tuple]:
    return [(one.element, one.phase, one.outcome, one.exit_code, one.by) for one in seen(case)]


def test_how_the_elements_of_an_array_ended():
    good = [(element, P.ENDED, None, 0, "") for element in range(10)]
    assert ends("79-finished-array-first") == good
    assert ends("77-finished-array-mixed") == [*good[:2], (2, P.ENDED, None, 3, ""), good[3]]


def test_elements_that_were_deleted_before_they_ran_have_no_exit_code():
    never = [(element, P.ENDED, "cancelled", None, "") for element in range(4)]
    assert ends("52-finished-qdel-array") == never[:3]
    ran = (0, P.ENDED, "cancelled", None, "user")
    assert ends("90-finished-qdel-array-running") == [ran, *never[1:]]


def taken_out(case: str, native: str, element: int, **told: object) -> Reply:
    """Return a recorded answer as PBS gives it when one element was deleted while it waited: with its array's attributes."""
    answer = json.loads(recorded(f"openpbs/{case}").reply.out)
    array = answer["Jobs"][f"{native}[].pbs1"]
    own = {key: value for key, value in array.items() if not key.startswith("array")}
    answer["Jobs"][f"{native}[{element}].pbs1"] = {**own, "comment": "Subjob finished", **told}
    return Reply(0, json.dumps(answer, indent="\t"))


@pytest.mark.parametrize(
    ("case", "native"), [("79-finished-array-first", 1003), ("77-finished-array-mixed", 1032)]
)
@pytest.mark.parametrize("status", [0, 1])
def test_an_element_that_was_deleted_while_it_waited_is_cancelled_whatever_became_of_its_array(
    case: str, native: str, status: int
) -> None:
    reply = taken_out(case, native, 1, Exit_status=status)
    seen = {one.element: one for one in parse(reply, [Known("t", f"{native}.pbs1", 10)])}
    assert (seen[1].phase, seen[1].outcome, seen[1].exit_code) == (P.ENDED, "cancelled", None)
    assert {one.outcome for element, one in seen.items() if element != 1} == {None}, "the others ran"


def test_it_is_cancelled_also_while_its_array_goes_on() -> None:
    reply = taken_out("106-qstat-array-finished-element-X", "2000", 2, job_state="X")
    seen = {one.element: one for one in parse(reply, [Known("t", "2000.pbs1", 4)])}
    assert (seen[2].phase, seen[2].outcome) == (P.ENDED, "cancelled")
    assert seen[3].phase is P.PENDING


def test_the_elements_of_an_array_whose_dependency_failed_never_started() -> None:
    reply = taken_out("52-finished-qdel-array", "1016", 1, substate=92)
    seen = {one.element: one for one in parse(reply, [Known("t", "1016.pbs1", 3)])}
    assert (seen[1].phase, seen[1].outcome) == (P.ENDED, "unstarted")


def test_unknown_and_finished_ids_among_known_ones_leave_the_others_told():
    assert phases("32-unknown-among-several") == [(None, P.RUNNING, "E")]
    assert phases("60-finished-and-running-without-x") == [(None, P.RUNNING, "R")]


@pytest.mark.parametrize(
    "case",
    ["31-unknown-job-qstat-x", "36-unknown-array-qstat", "58-finished-without-x", "63-qstat-after-qdel-x"],
)
def test_an_unknown_id_is_an_answer_without_it(case):
    assert parse(recorded(f"openpbs/{case}").reply, [Known("t", "999999.pbs1", 1)]) == []


@pytest.mark.parametrize(
    "case", ["98-server-down-qstat-json", "99-server-down-qstat-x-json-id", "35-invalid-id-qstat"]
)
def test_a_document_without_a_server_behind_it_is_no_answer(case):
    with pytest.raises(QueryFailed):
        parse(recorded(f"openpbs/{case}").reply, [Known("t", "1040.pbs1", 1)])


def test_a_word_that_nobody_knows_is_neither_an_end_nor_a_failure():
    text = recorded("openpbs/64-finished-ok").reply.out.replace('"job_state":\t"F"', '"job_state":\t"Y"')
    (one,) = parse(Reply(0, text), [Known("t", "1019.pbs1", 1)])
    assert (one.phase, one.word, one.outcome, one.exit_code) == (P.UNKNOWN, "Y", None, None)


@pytest.mark.parametrize("value", ["a\tb\x01\nc", '() {  eval `x "$1"`\n}', "\\$HOME", '"'])
def test_broken_text_in_variables_hides_no_state(value):
    text = recorded("openpbs/65-finished-exit3").reply.out
    broken = text.replace("/usr/local/bin:", value)
    assert broken != text
    (one,) = parse(Reply(0, broken), [Known("t", "1020.pbs1", 1)])
    assert (one.phase, one.exit_code, one.reason[-10:]) == (P.ENDED, 3, "and failed")


# ---- by name, and limits


def test_a_job_is_found_by_its_name():
    out = "".join(
        [
            "motd\n",
            "token ps-7f3a9c21-a\n",
            recorded("openpbs/13-find-by-name-qselect").reply.out,
            "token ps-7f3a9c21\n",
            recorded("openpbs/14-find-by-name-qselect-finished").reply.out,
            "token ps-nosuchtoken\n",
            recorded("openpbs/15-find-by-name-qselect-none").reply.out,
            "asked all\nbye\n",
        ]
    )
    tokens = ["ps-7f3a9c21-a", "ps-7f3a9c21", "ps-nosuchtoken"]
    assert pbs.parse_find(Reply(0, out), tokens) == {tokens[0]: "1003.pbs1", tokens[1]: "1000.pbs1"}
    for cut in range(len(out) - len("asked all\nbye\n")):
        with pytest.raises(QueryFailed):
            pbs.parse_find(Reply(0, out[:cut]), tokens)


def test_nobody_is_called_unknown_by_name_when_the_server_is_down():
    with pytest.raises(QueryFailed):
        pbs.parse_find(recorded("openpbs/102-server-down-qselect").reply, ["ps-x"])


def test_the_command_that_looks_for_names_asks_for_each_and_ends_with_the_first_failure(tmp_path):
    qselect = tmp_path / "qselect"
    qselect.write_text('#!/bin/sh\n[ "$1" = -x ] && exit 36\n[ "$2" = pb ] && exit 162\necho "7.$2"\n')
    qselect.chmod(0o755)

    def ask(*tokens: str) -> Reply:
        done = subprocess.run(
            pbs.find(tokens), env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True
        )
        return Reply(done.returncode, done.stdout, done.stderr)

    assert pbs.parse_find(ask("pa", "pc"), ["pa", "pc"]) == {"pa": "7.pa", "pc": "7.pc"}
    assert ask("pa", "pb").code == 162


def test_the_server_tells_its_limits():
    told = pbs.parse_limits(recorded("openpbs/86-qstat-server-json").reply)
    assert (told.version, told.array_size, told.accounting, told.notes) == (
        "23.06.06",
        5000,
        True,
        (pbs.NO_EXCLUSION,),
    )
    without = recorded("openpbs/86-qstat-server-json").reply.out.replace('"job_history_enable":\t"True",', "")
    assert pbs.parse_limits(Reply(0, without)).accounting is False
    with pytest.raises(QueryFailed):
        pbs.parse_limits(recorded("openpbs/98-server-down-qstat-json").reply)
    with pytest.raises(QueryFailed):
        pbs.parse_limits(recorded("openpbs/64-finished-ok").reply)


# ---- nonsense

ANSWERS = [name for name in all_recorded("openpbs") if recorded(name).reply.out.startswith("{")]
LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def asked_of(name: str) -> list[Known]:
    return jobs_of(recorded(name).reply)


def ended(reply: Reply, jobs: list[Known]) -> set[Sighting]:
    try:
        return {one for one in parse(reply, jobs) if one.phase is P.ENDED}
    except QueryFailed:
        return set()


@given(st.sampled_from(ANSWERS), st.floats(0, 1))
def test_a_cut_answer_is_no_answer(name, part):
    reply = recorded(name).reply
    cut = Reply(0, reply.out[: int(part * (len(reply.out.rstrip()) - 1))])
    with pytest.raises(QueryFailed):
        pbs.parse_queue(cut, asked_of(name))


@given(st.sampled_from(ANSWERS), LINES, LINES)
def test_what_a_profile_prints_around_an_answer_changes_nothing(name, before, after):
    reply = recorded(name).reply
    if reply.code in (0, 35, 153):
        jobs = asked_of(name)
        around = Reply(reply.code, f"{before}\n{reply.out}{after}")
        assert parse(around, jobs) == parse(reply, jobs)


PARTS = [
    *(
        '{"timestamp": 1,',
        '"pbs_version": "1",',
        '"pbs_server": "s",',
        '"Jobs":',
        "{",
        "}",
        '"7.s"',
        ":",
        ",",
        "[",
    ),
    *(
        '"7[1]"',
        '"job_state": "F"',
        '"Exit_status": ',
        "9" * 5000,
        "\n",
        "token pa",
        "asked all",
        '"Server": ',
    ),
]


@given(st.lists(st.sampled_from(PARTS) | LINES).map("".join), st.sampled_from([0, 0, 35, 153, 1, None]))
def test_nothing_but_a_failed_query_comes_of_nonsense(text, code):
    reply = Reply(code, text, text)
    assert ended(reply, [Known("pa", "7.s", 1)]) == set()
    for read in (lambda: pbs.parse_find(reply, ["pa"]), lambda: pbs.parse_limits(reply)):
        with suppress(QueryFailed):
            read()


@given(st.text(), st.text(), st.sampled_from([0, 1, 170, None]))
def test_a_submission_is_taken_refused_or_in_doubt_whatever_is_said(out, err, code):
    with suppress(QueryFailed, SiteFull, SubmitRejected):
        assert "[" not in pbs.parse_submit(Reply(code, out, err))


def test_backfill_asks_to_go_behind_the_other_jobs_of_its_user() -> None:
    assert "#PBS -p -1024" in pbs.directives(Request("pabc", 1, behind=True), SITE)


def test_an_id_that_another_job_has_by_now_is_told_under_its_name() -> None:
    reply = recorded("openpbs/08-qstat-array-running").reply
    told = pbs.parse_queue(reply, [Known("pabcdefghij", "1003.pbs1", 10)])
    assert {one.token for one in told} == {"ps-7f3a9c21-a"}
