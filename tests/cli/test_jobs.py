"""`penstock jobs` about arrays at a cluster."""

import json

import pytest

ASKED = {"token": "p0", "elements": 4, "cpus": 4, "memory_bytes": 2_000_000_000, "walltime_s": 5400.0, "max_parallel": 2,
         "excluded": ["n7"]}  # fmt: skip


@pytest.fixture
def arrays(record):
    stage = record.stage("calibrate", 2)
    pending = {"phase": "pending", "word": "PENDING", "reason": "Priority"}
    record.array(
        stage,
        {**pending, "life": {"host": "n1", "news": 5.0}},
        pending,
        {"phase": "held", "word": "PENDING", "reason": "JobHeldAdmin"},
        {"phase": "unknown", "word": "WOBBLING"},
        request=json.dumps(ASKED),
    )
    (record.root / "penstock.toml").touch()
    return record


def test_where_elements_stand_and_what_was_asked_are_told(penstock, arrays):
    lines = penstock("jobs", "-C", arrays.root).output.splitlines()
    assert lines[0].startswith("p0 (4711) slurm submitted since 1970-01-01 00:16:40, ")
    assert [line.strip() for line in lines[1:]] == [
        "1 running on n1, 1 of them silent for over 3 min",
        "1 pending (Priority)",
        "1 held (JobHeldAdmin): `scontrol release 4711` releases it",
        "1 in an unknown state (WOBBLING)",
        "requested 4 elements, each with 4 cpus, 2.0 GB, 1 h 30; at most 2 at once; not on n7",
    ]


def test_the_json_has_the_rows(penstock, arrays):
    (job,) = json.loads(penstock("jobs", "--json", "-C", arrays.root).stdout)
    assert job["request"] == ASKED
    assert [(one["phase"], one["word"], one["reason"], one["elements"]) for one in job["queue"]] == [
        ("running", None, None, 1),
        ("pending", "PENDING", "Priority", 1),
        ("held", "PENDING", "JobHeldAdmin", 1),
        ("unknown", "WOBBLING", None, 1),
    ]


def test_a_site_that_does_not_answer_is_told_below(penstock, arrays):
    arrays.ledger.set_problem("site slurm", "the scheduler did not answer", 60.0)
    last = penstock("jobs", "-C", arrays.root).output.splitlines()[-1]
    assert last == "! slurm: the scheduler did not answer (since 1970-01-01 00:01:00)"


def test_elements_of_a_settled_job_stand_nowhere(penstock, arrays):
    arrays.db.execute("UPDATE job SET state = 'finished', finished = 2000")
    assert "pending" not in penstock("jobs", "--all", "-C", arrays.root).output
