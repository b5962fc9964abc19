import json

import pytest

from penstock.errors import LedgerError
from penstock.explain import find_stage, read_log
from penstock.runner.files import pack_folder


@pytest.fixture
def written(record):
    """A task tried twice; its outputs stand in one log, among those of others."""
    stage, unit = record.stage("calibrate", 2), record.unit("n", 1)
    folder = record.root / ".penstock/jobs/pabc"
    folder.mkdir(parents=True)
    (folder / "1.1.log").write_bytes(b"other|first try|second\n|other")
    record.task(stage, unit, "failed")
    place = {"log": "1.1.log", "job": record.job(folder=str(folder))}
    record.attempt(stage, unit, "error", log_offset=6, log_bytes=9, **place)
    record.attempt(stage, unit, "timeout", log_offset=16, log_bytes=7, **place)
    record.written = unit
    return record


def read(record, **options):
    return read_log(record.ledger, record.written, find_stage(record.db, "calibrate"), **options)


def test_the_last_attempt_is_read_and_nothing_of_others(written):
    log = read(written)
    assert (log.raw, log.attempt, log.outcome) == (b"second\n", 2, "timeout")


def test_an_earlier_attempt_can_be_asked_for(written):
    assert read(written, attempt=1).raw == b"first try"


def test_an_attempt_that_never_was_is_told(written):
    with pytest.raises(LedgerError, match="no attempt 3: calibrate has 2 attempts"):
        read(written, attempt=3)


def test_a_task_that_was_never_tried_is_told(written):
    written.db.execute("DELETE FROM attempt")
    with pytest.raises(LedgerError, match="has not been tried"):
        read(written)


def test_a_packed_log_is_read_from_its_archive(written):
    pack_folder(str(written.root / ".penstock/jobs/pabc"))
    assert not (written.root / ".penstock/jobs/pabc").exists()
    assert read(written).raw == b"second\n"


def test_a_log_that_is_gone_is_told(written):
    (written.root / ".penstock/jobs/pabc/1.1.log").unlink()
    with pytest.raises(LedgerError, match=r"1\.1\.log no longer exists"):
        read(written)


def test_a_silent_attempt_has_an_empty_log(written):
    written.attempt(1, written.written, "ok", log=None, log_bytes=0)
    assert read(written).raw == b""


def test_what_a_running_task_has_written_so_far_is_read(written):
    folder = written.root / ".penstock/jobs/pabc"
    job = written.job(folder=str(folder), state="submitted")
    batch = written.insert(
        "batch", job=job, element=1, number=1, stage=1, size=1, cores=1, state="delivered", at=1
    )
    written.db.execute("UPDATE task SET state = 'running', batch = ?", (batch,))
    events = [
        {"e": "end", "s": 1, "u": 99, "w": 1, "log": [1, 0, 6]},
        {"e": "start", "s": 1, "u": written.written, "w": 1},
        {"e": "end", "s": 1, "u": 98, "w": 2, "log": [2, 0, 500]},
    ]
    (folder / "1.1.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events) + '{"e": "be')
    log = read(written)
    assert (log.outcome, log.attempt) == ("running", None)
    assert log.raw.startswith(b"first try")
