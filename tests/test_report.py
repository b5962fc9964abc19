import json

import pytest

from penstock.errors import DefinitionError
from penstock.report import Asked, Report, Spread, suggest


@pytest.fixture
def measured(record):
    """A hundred tasks of 1 to 100 s, half of it CPU time, that used 1 to 100 MB."""
    stage = record.stage(
        "calibrate",
        2,
        resources={"cpus": 1, "memory_bytes": 2_000_000_000, "walltime_s": 3600.0},
        workers=4,
        batch=10,
    )
    for number in range(1, 1001):
        unit = record.unit("n", number)
        record.task(stage, unit, "done" if number <= 100 else "ready")
        if number > 100:
            continue
        record.attempt(stage, unit, "ok", wall_s=float(number), cpu_s=number / 2, rss=number * 1_000_000)
    record.attempt(stage, unit, "timeout", wall_s=7200.0)
    record.attempt(stage, unit, "error")
    record.attempt(stage, unit, "error")
    return record


def test_what_was_used_is_told_by_percentiles(measured):
    (stage,) = Report.read(measured.ledger).stages
    assert stage.ok == 100
    assert stage.wall_s == Spread(50.0, 95.0, 100.0)
    assert stage.rss_bytes == Spread(50e6, 95e6, 100e6)


def test_failures_are_counted_by_class_and_do_not_distort_the_rest(measured):
    (stage,) = Report.read(measured.ledger).stages
    assert stage.failures == {"error": 2, "timeout": 1}
    assert stage.wall_s.most == 100.0


def test_efficiency_is_cpu_time_over_wall_time_and_cpus(measured):
    assert Report.read(measured.ledger).stages[0].efficiency == pytest.approx(0.5)
    measured.db.execute("""UPDATE stage SET definition = '{"resources": {"cpus": 2}}'""")
    assert Report.read(measured.ledger).stages[0].efficiency == pytest.approx(0.25)


def test_the_text_sets_what_would_fit_beside_what_is_asked(measured):
    text = Report.read(measured.ledger).to_text()
    assert "requested 1 h 00, suggest 3 min" in text
    assert "requested 2.0 GB, suggest 120 MB" in text
    assert "batch   10 → 96 units (20 min for 4 at a time)" in text
    assert "failed attempts: 2 error, 1 timeout" in text


def test_an_outlier_does_not_decide_the_walltime():
    assert suggest(100, Spread(10, 20, 5000), None, Asked(), tasks=10**6).walltime_s == 60
    assert suggest(100, Spread(10, 100, 250), None, Asked(), tasks=10**6).walltime_s == 300


def test_the_most_memory_decides_what_is_asked():
    assert (
        suggest(100, Spread(1, 1, 1), Spread(1e8, 1e9, 3.01e9), Asked(), tasks=100).memory_bytes
        == 3_700_000_000
    )
    assert (
        suggest(100, Spread(1, 1, 1), Spread(1e6, 1e6, 1e6), Asked(), tasks=100).memory_bytes == 100_000_000
    )


@pytest.mark.parametrize(("median", "batch"), [(0.0, 10_000), (1.0, 1200), (7.0, 170), (3600.0, 1)])
def test_a_batch_takes_about_twenty_minutes(median, batch):
    assert suggest(100, Spread(median, median, median), None, Asked(), tasks=10**6).batch == batch


@pytest.mark.parametrize(("tasks", "workers", "batch"), [(400, 1, 40), (10_000, 4, 1000), (12, 4, 4)])
def test_no_batch_takes_more_than_a_tenth_of_the_tasks(tasks, workers, batch):
    suggested = suggest(100, Spread(0.05, 0.05, 0.05), None, Asked(workers=workers), tasks=tasks)
    assert (suggested.batch, suggested.spread) == (batch, True)


def test_a_batch_that_keeps_the_work_spread_says_so(measured):
    measured.db.execute("UPDATE tally SET n = n / 10")
    text = Report.read(measured.ledger).to_text()
    assert "batch   10 → 10 units (a tenth of the stage's tasks, so that they are spread)" in text


def test_little_evidence_suggests_nothing():
    suggested = suggest(19, Spread(1, 1, 1), Spread(1, 1, 1), Asked(), tasks=100)
    assert (suggested.walltime_s, suggested.memory_bytes, suggested.batch) == (None, None, None)


def test_a_stage_that_never_ran_is_told(record):
    record.stage("calibrate", 2)
    assert Report.read(record.ledger).to_text() == "calibrate: 0 ok"


def test_one_stage_can_be_asked_for(measured):
    measured.stage("merge", 1)
    assert [s.name for s in Report.read(measured.ledger, "merge").stages] == ["merge"]
    with pytest.raises(DefinitionError, match="the stages are calibrate, merge"):
        Report.read(measured.ledger, "zzz")


def test_json_is_plain_data(measured):
    data = json.loads(json.dumps(Report.read(measured.ledger).to_json()))
    assert data["stages"][0]["suggested"] == {
        "walltime_s": 180.0,
        "memory_bytes": 120_000_000,
        "batch": 96,
        "spread": False,
    }


@pytest.fixture
def at_slurm(record):
    """Two arrays: in the first, element 1 worked for 100 s on three tasks; in the second, element 1 for 900 s on one."""
    stage = record.stage("calibrate", 2, workers=2)
    asked = '{"walltime_s": %s, "memory_bytes": 8000000000}'
    jobs = [record.job(site="slurm", feed=0, request=asked % walltime_s) for walltime_s in (600.0, 1200.0)]
    for number, (job, began, ended, rss) in enumerate(
        [(jobs[0], 0, 60, 3e9), (jobs[0], 0, 50, 1e9), (jobs[0], 60, 100, 2e9), (jobs[1], 0, 900, 4e9)]
    ):
        unit = record.unit("n", number)
        wall = float(ended - began)
        record.attempt(
            stage,
            unit,
            "ok",
            job=job,
            began=float(began),
            ended=float(ended),
            wall_s=wall,
            rss=int(rss),
            log="1.2.log",
        )
    return record


def test_what_elements_of_arrays_took_is_told_beside_what_they_asked_for(at_slurm):
    (stage,) = Report.read(at_slurm.ledger).stages
    assert stage.elements.count == 2
    assert stage.elements.wall_s == Spread(100.0, 900.0, 900.0)
    assert (stage.elements.most_rss_bytes, stage.elements.asked_bytes) == (6e9, 8e9)
    text = Report.read(at_slurm.ledger).to_text()
    assert "arrays  2 elements: median 100 s, most 15 min of 20 min; memory at most 6.0 GB of 8.0 GB" in text


def test_what_a_cluster_was_not_asked_for_is_not_invented(at_slurm):
    at_slurm.db.execute("UPDATE job SET request = '{}'")
    at_slurm.db.execute("UPDATE attempt SET rss = NULL")
    assert (
        Report.read(at_slurm.ledger).to_text().endswith("2 elements: median 100 s, most 15 min of no limit")
    )


def test_what_ran_here_has_no_elements(measured):
    assert Report.read(measured.ledger).stages[0].elements is None
