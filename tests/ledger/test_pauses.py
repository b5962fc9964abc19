"""Halts: what ends them, and which runners may still speak of what was mended."""

import sqlite3
from pathlib import Path

import pytest
from tests.ledger.engine import Engine
from tests.ledger.shapes import SHAPES, campaign_of

from penstock.ledger.pauses import end_halts, may_be_mended, pause_stages_of
from penstock.ledger.requests import Requests


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(campaign_of(SHAPES["merges"], tmp_path, {}), tmp_path)


def job_of(engine: Engine, number: int) -> sqlite3.Row:
    engine.db.execute(
        "INSERT INTO job (id, token, site, epoch, elements, folder, state, created)"
        f" VALUES ({number}, 'p{number}', 'hpc', 1, 1, 'f', 'submitted', 0)"
    )
    engine.db.execute(
        "INSERT INTO batch (job, element, number, stage, size, cores, state, at)"
        f" VALUES ({number}, 1, 1, {engine.graph.ids['make']}, 1, 1, 'planned', 0)"
    )
    return engine.db.execute("SELECT * FROM job WHERE id = ?", (number,)).fetchone()


def paused(engine: Engine) -> str | None:
    return engine.db.execute("SELECT paused FROM stage WHERE name = 'make'").fetchone()[0]


def test_a_halt_lasts_until_somebody_starts_a_run(engine: Engine) -> None:
    job = job_of(engine, 1)
    pause_stages_of(engine.ledger, job, "the disk is full", now=1.0)
    assert paused(engine) == "halt"
    end_halts(engine.ledger)
    assert paused(engine) is None


def test_what_an_older_job_met_may_be_mended_and_what_a_newer_one_meets_is_not(engine: Engine) -> None:
    old = job_of(engine, 1)
    assert not may_be_mended(engine.ledger, old)
    end_halts(engine.ledger)
    assert may_be_mended(engine.ledger, old)
    assert not may_be_mended(engine.ledger, job_of(engine, 2))


def test_a_retry_by_a_person_lets_older_jobs_prove_nothing_too(engine: Engine) -> None:
    old = job_of(engine, 1)
    with engine.ledger.transaction():
        Requests(engine.ledger, engine.graph).retry({"stage": "make"}, "me", 0.0)
    assert may_be_mended(engine.ledger, old)
