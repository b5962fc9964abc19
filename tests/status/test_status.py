import json

import pytest

from penstock.status import STATES, Status, show_progress
from penstock.status.model import SHOWN_PROBLEMS


@pytest.fixture
def started(record):
    stage = record.stage("calibrate", 2)
    for number in range(3):
        record.task(stage, record.unit("2020-01-17", number), "done")
    record.task(stage, record.unit("2020-01-17", 1807), "failed", why="exit code 1: no pedestal")
    record.attempt(stage, 6, "error", log="1.1.log", job=record.job(folder="/jobs/p1"))
    return record


def test_an_empty_record_has_a_status(record):
    status = Status.read(record.ledger)
    assert status.stages == ()
    assert "not running" in status.to_text()


def test_json_names_every_state(started):
    data = Status.read(started.ledger).to_json()
    stage = data["stages"][0]
    assert tuple(stage["tasks"]) == STATES
    assert (stage["name"], stage["each"], stage["tasks"]["done"], stage["tasks"]["failed"]) == (
        "calibrate",
        "run",
        3,
        1,
    )
    assert json.loads(json.dumps(data)) == data


def test_a_failed_task_comes_with_its_reason_and_the_command_that_prints_its_log(started):
    (problem,) = Status.read(started.ledger).problems
    assert (problem.task, problem.stage, problem.why) == (
        "2020-01-17/01807",
        "calibrate",
        "exit code 1: no pedestal",
    )
    assert problem.command == "penstock log --stage calibrate 2020-01-17/01807"
    assert problem.log == "/jobs/p1/1.1.log"


def test_many_problems_are_counted_not_listed(record):
    stage = record.stage("calibrate", 2)
    for number in range(SHOWN_PROBLEMS + 5):
        why = f"no {chr(ord('a') + number)} in it"
        record.task(stage, record.unit("2020-01-17", number), "failed", why=why)
    record.insert("problem", source="files", subject="x.wav", why="badly named", at=0)
    status = Status.read(record.ledger)
    assert len(status.problems) == SHOWN_PROBLEMS
    assert status.more_problems == 6
    assert "… and 6 more" in status.to_text()


def test_what_failed_alike_is_one_line_in_text_and_whole_in_json(record):
    stage = record.stage("calibrate", 2)
    for number in range(300):
        unit = record.unit("2020-01-17", number)
        code = 3 if number % 10 else 4
        why = f"exit code {code}: no table for run {number} of 2020-01-17"
        record.task(stage, unit, "failed", why=why)
        record.attempt(stage, unit, "error")
    status = Status.read(record.ledger, problems=300)
    assert status.to_text().splitlines()[-5:] == [
        "problems",
        "  calibrate: 270 failed the same way, such as 2020-01-17/00001: exit code 3: no table for run 1 of 2020-01-17",
        "      penstock log --stage calibrate 2020-01-17/00001",
        "  calibrate: 30 failed the same way, such as 2020-01-17/00000: exit code 4: no table for run 0 of 2020-01-17",
        "      penstock log --stage calibrate 2020-01-17/00000",
    ]
    data = status.to_json()
    assert (len(data["problems"]), data["more_problems"]) == (300, 0)
    assert [one["count"] for one in data["failures"]] == [270, 30]


def test_a_task_that_was_never_tried_has_no_log_to_look_at(record):
    stage = record.stage("calibrate", 2)
    record.task(stage, record.unit("2020-01-17", 1), "failed", why="cancelled by ada")
    assert Status.read(record.ledger).to_text().splitlines()[-1].endswith("cancelled by ada")


def test_what_a_source_noticed_is_shown_beside_failed_tasks(started):
    started.insert("problem", source="files", subject="x.wav", why="badly named", at=0)
    assert {p.task for p in Status.read(started.ledger).problems} == {"2020-01-17/01807", "x.wav"}


def test_many_failures_do_not_hide_what_a_source_noticed(record):
    stage = record.stage("calibrate", 2)
    for number in range(30):
        record.task(stage, record.unit("2020-01-17", number), "failed")
        record.insert("problem", source="files", subject=f"{number}.wav", why="badly named", at=0)
    status = Status.read(record.ledger, problems=5)
    assert [problem.stage for problem in status.problems].count("calibrate") == 2
    assert (len(status.problems), status.more_problems) == (5, 55)


def test_a_removed_stage_is_not_shown(started):
    started.db.execute("UPDATE stage SET removed = 1")
    status = Status.read(started.ledger)
    assert status.stages == ()


def test_stale_is_counted_beside_done(record):
    record.task(
        record.stage("calibrate", 2), record.unit("2020-01-17", 1), "done", stale="the definition changed"
    )
    (stage,) = Status.read(record.ledger).stages
    assert (stage.tasks["done"], stage.stale, stage.total) == (1, 1, 1)
    assert "stale" in Status.read(record.ledger).to_text()


def test_a_paused_stage_says_why(started):
    started.db.execute("UPDATE stage SET paused = 'fuse', paused_why = 'the first 5 failed the same way'")
    assert (
        "! calibrate is paused: the first 5 failed the same way; fix it, then"
        " `penstock retry --stage calibrate` and `penstock run`" in Status.read(started.ledger).to_text()
    )
    started.db.execute("UPDATE stage SET paused = 'halt', paused_why = 'the disk is full'")
    assert (
        "! calibrate is paused: the disk is full; fix it, then `penstock run`, or `penstock retry --stage calibrate`"
        " while something works on it" in Status.read(started.ledger).to_text()
    )


def test_an_open_job_is_listed_with_the_tasks_it_still_has(started):
    job = started.job(token="pabc", native="12.3", elements=2, created=5.0, state="submitted")
    for number, state in enumerate(("delivered", "finished")):
        started.insert(
            "batch", job=job, element=1, number=number, stage=1, size=7, cores=1, state=state, at=5.0
        )
    (shown,) = Status.read(started.ledger).jobs
    assert (shown.token, shown.native, shown.elements, shown.tasks, shown.since) == (
        "pabc",
        "12.3",
        2,
        7,
        5.0,
    )


def test_time_left_comes_from_the_rate_since_the_conductor_began(started):
    started.task(1, started.unit("2020-01-17", 99), "ready")
    started.db.execute(
        "UPDATE lease SET pid = 1, since = 1000, expires = 2000, host = 'elsewhere', command = 'run'"
    )
    for unit in (3, 4, 5):
        started.attempt(1, unit, "ok", began=1000.0, ended=1010.0)
    started.attempt(1, 5, "ok", began=9.0, ended=10.0)
    (stage,) = Status.read(started.ledger, now=1030.0).stages
    assert stage.rate == pytest.approx(0.1)
    assert stage.seconds_left == pytest.approx(10)


def test_no_time_left_is_invented_when_nobody_works(started):
    started.task(1, started.unit("2020-01-17", 99), "ready")
    started.attempt(1, 3, "ok", ended=1010.0)
    started.attempt(1, 4, "ok", ended=1011.0)
    (stage,) = Status.read(started.ledger, now=1030.0).stages
    assert stage.seconds_left is None


def test_who_works_on_it_is_said(started):
    started.db.execute(
        "UPDATE lease SET pid = 7, since = 1000, expires = 2000, host = 'elsewhere', command = 'up'"
    )
    assert (
        "`penstock up` has been running since 00:16:40 (process 7 on elsewhere)"
        in Status.read(started.ledger, now=1030.0).to_text()
    )


def test_control_characters_never_reach_the_terminal(record):
    stage = record.stage("calibrate", 2)
    record.task(stage, record.unit("a\x1b[31mb", 1), "failed", why="bad \x07 \u202e byte\nhere")
    status = Status.read(record.ledger)
    text = status.to_text() + _as_table(status)
    assert not set(text) & set("\x1b\x07\u202e")


def test_the_table_and_the_text_show_the_same_counts(started):
    status = Status.read(started.ledger)
    for words in ("calibrate", "3", "1", "exit code 1: no pedestal"):
        assert words in _as_table(status)
        assert words in status.to_text()


def test_the_bar_is_as_wide_whatever_the_counts(record):
    from penstock.status.table import render_bar

    stage = record.stage("calibrate", 2)
    for number, state in enumerate(STATES):
        record.task(stage, record.unit("2020-01-17", number), state)
    assert len(render_bar(Status.read(record.ledger).stages[0])) == 24


def test_files_that_are_not_at_rest_are_counted(record):
    record.insert("settling", path="a.wav", fingerprint="1:2", since=0)
    assert Status.read(record.ledger).to_json()["settling"] == 1
    record.insert("settling", path="b.wav", fingerprint="1:2", since=0)
    assert "2 files are not at rest yet, such as a.wav" in Status.read(record.ledger).to_text()


def test_progress_is_one_line(started):
    assert show_progress(Status.read(started.ledger).stages[0]) == "calibrate 3/4 done, 1 failed"


def _as_table(status):
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    Console(file=out, width=120, highlight=False).print(status)
    return out.getvalue()


PENDING = {"phase": "pending", "word": "PENDING", "reason": "Resources"}
HELD = {"phase": "held", "word": "PENDING", "reason": "JobHeldUser"}


@pytest.fixture
def queued(record):
    """An array of which two elements run, three wait and one is held."""
    stage = record.stage("calibrate", 2)
    runs = [{**PENDING, "life": {"host": f"n{n}.lab", "news": 1990.0}} for n in (1, 2)]
    waits = [PENDING, PENDING, {**PENDING, "starts": 3600.0}]
    record.array(stage, *runs, *waits, HELD, {"finished": 1})
    return record


def test_a_line_for_each_cluster_says_where_its_elements_stand(queued):
    text = Status.read(queued.ledger, now=2000.0).to_text()
    assert (
        "slurm: 1 job, 3 pending (Resources), from 01:00:00 on, 2 running on n1, n2, 1 held (JobHeldUser)"
        in text
    )


def test_several_jobs_of_a_cluster_are_one_line(queued):
    queued.array(1, PENDING, {}, native="4712")
    assert "slurm: 2 jobs, 4 pending (Resources)" in Status.read(queued.ledger, now=2000.0).to_text()
    assert "1 in the queue" in Status.read(queued.ledger, now=2000.0).to_text()


def test_what_was_not_handed_in_is_not_said_to_be_in_the_queue(queued):
    queued.array(1, {}, {"life": {"news": None}}, native=None, submitted=None, state="planned")
    queued.db.execute("UPDATE life SET native = NULL WHERE job = (SELECT max(id) FROM job)")
    text = Status.read(queued.ledger, now=2000.0).to_text()
    assert "1 being submitted" in text
    assert "3 running" in text  # a file of events is a claim, also before it is read
    assert "in the queue" not in text


def test_what_the_queue_does_not_know_any_more_is_not_said_to_be_in_it(queued):
    queued.array(1, {"absent": 5.0}, {"absent": 5.0, "life": {"news": 1990.0}}, native="4712")
    text = Status.read(queued.ledger, now=2000.0).to_text()
    assert "1 no longer in the queue" in text
    assert "3 running" in text


def test_what_a_runner_said_last_counts_and_not_what_the_queue_said_before(queued):
    queued.db.execute("UPDATE life SET news = 1500")
    (job,) = Status.read(queued.ledger, now=2000.0).jobs
    running = next(one for one in job.queue if one.phase == "running")
    assert (running.elements, running.silent, running.reason) == (2, 2, None)


def test_held_elements_are_a_problem_with_the_command_that_lets_them_go_on(queued):
    (problem,) = Status.read(queued.ledger, now=2000.0).problems
    assert (problem.task, problem.why) == (
        "job 4711 at slurm",
        "1 of 7 held (JobHeldUser): `scontrol release 4711` releases it",
    )
    queued.db.execute("UPDATE element SET reason = 'BadConstraints' WHERE phase = 'held'")
    (problem,) = Status.read(queued.ledger, now=2000.0).problems
    assert problem.why == (
        "1 of 7 held (BadConstraints): correct `constraint` of [site.slurm], or ask for less in the stage,"
        " then `penstock cancel --stage calibrate` and `penstock retry --stage calibrate` resubmit its tasks"
    )


def test_a_site_that_does_not_answer_is_told_with_since_when(queued):
    for at, why in ((100.0, "connect failure"), (200.0, "timed out")):
        queued.ledger.set_problem("site slurm", why, at)
    assert "site slurm: timed out (since 00:01:40)" in Status.read(queued.ledger, now=2000.0).to_text()
    queued.ledger.set_problem("site slurm", None, 300.0)
    queued.ledger.set_problem("site slurm", "timed out", 400.0)
    assert "site slurm: timed out (since 00:06:40)" in Status.read(queued.ledger, now=2000.0).to_text()


def test_a_refusal_is_shown_in_the_words_of_the_scheduler(queued):
    why = "the scheduler refused the job (sbatch: error: Invalid qos specification): correct the site's `qos`"
    queued.db.execute("UPDATE stage SET paused = 'halt', paused_why = ?", (why,))
    assert f"! calibrate is paused: {why}" in Status.read(queued.ledger).to_text()


def test_of_very_large_arrays_only_the_newest_elements_are_looked_at(queued, monkeypatch):
    monkeypatch.setattr("penstock.status.reading._LOOKED_AT", 2)
    queued.array(1, PENDING, PENDING, PENDING, native="4712")
    status = Status.read(queued.ledger, now=2000.0)
    assert [sum(one.elements for one in job.queue) for job in status.jobs] == [0, 2]
    assert "slurm: 2 jobs, 2 pending (Resources); and 1 older job" in status.to_text()


def test_the_json_of_a_job_has_its_queue(queued):
    (job,) = json.loads(json.dumps(Status.read(queued.ledger, now=2000.0).to_json()))["jobs"]
    assert {one["phase"]: one["elements"] for one in job["queue"]} == {"pending": 3, "running": 2, "held": 1}


def test_a_stage_that_is_full_and_one_with_backfill_say_so(record):
    stage = record.stage("calibrate", 2, max_running=1)
    job = record.insert(
        "job", token="p1", site="local", epoch=1, elements=1, folder="j", state="submitted", created=1
    )
    batch = record.insert(
        "batch", job=job, element=1, number=1, stage=stage, size=1, cores=1, state="delivered", at=1
    )
    record.task(stage, record.unit("n", 1), "running", batch=batch)
    record.task(stage, record.unit("n", 2), "ready")
    record.task(stage, record.unit("n", 3), "ready", behind=1)
    record.task(stage, record.unit("n", 4), "done", behind=1, redo=3, stale="requested")
    status = Status.read(record.ledger, now=100.0)
    text = status.to_text()
    assert "calibrate: 1 at once, as many as there may be (max_running)" in text
    assert "calibrate: backfill, 2 tasks left, behind new data" in text
    assert (status.to_json()["stages"][0]["full"], status.to_json()["stages"][0]["backfill"]) == (1, 2)
